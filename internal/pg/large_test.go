package pg_test

import (
	"crypto/md5"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/pg"
)

// Large values stand in the messages where small ones would.
func TestLargeValues(t *testing.T) {
	const limit = 64 << 10
	w := newWorld(t)
	for _, unprepared := range []bool{false, true} {
		db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1, Unprepared: unprepared})
		for _, sizes := range [][]int{
			{limit - 1, limit, limit + 1}, {0, limit}, {limit, 0}, {-1, 3, limit, -1, 1 << 20, 1 << 20, 7}, {limit},
		} {
			s := pg.Statement{SQL: "select 0"}
			want := []string{"\x00\x00\x00\x00"} // in binary, the others in text
			for i, size := range sizes {
				s.SQL += fmt.Sprintf(", md5($%d::text)", i+1)
				if size < 0 {
					s.Args, want = append(s.Args, nil), append(want, "<null>")
					continue
				}
				value := []byte(strings.Repeat(string(rune('a'+i)), size))
				s.Args, want = append(s.Args, value), append(want, fmt.Sprintf("%x", md5.Sum(value)))
			}
			s.Formats = make([]int16, len(want))
			s.Formats[0] = 1
			g := &got{}
			if err := db.Read(t.Context(), as(w.ann), []pg.Statement{s, statement("select 2"), s}, g); err != nil {
				t.Fatal(err)
			}
			if all := fmt.Sprint([][]string{want, {"2"}, want}); fmt.Sprint(g.rows) != all {
				t.Errorf("sizes %v: %q, want %q", sizes, g.rows, all)
			}
		}
	}
}

// A write that begins anew on another connection sends its large values again.
func TestLargeValuesAreSentAgain(t *testing.T) {
	w := newWorld(t)
	p, dsn := newProxy(t, w.dsn)
	db := run(t, pg.Options{DSN: dsn, MaxConns: 1})
	large := statement("select length($1), length($2)", strings.Repeat("x", 1<<20), "y")
	for range 2 {
		g := &got{}
		if err := db.Write(t.Context(), writer(w.ann), []pg.Statement{large}, g, commit); err != nil || fmt.Sprint(g.rows) != "[[1048576 1]]" {
			t.Fatalf("%v, %v", g.rows, err)
		}
		p.cut()
	}
}

func TestValuesThatAreTooLargeForAMessage(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	s := statement("select 1")
	part := make([]byte, 64<<20)
	for range 16 {
		s.Args = append(s.Args, part)
	}
	if err := db.Read(t.Context(), as(w.ann), []pg.Statement{s}, &got{}); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("got %v", err)
	}
	if got := value(t, db, as(w.ann), "select 'on'"); got != "on" {
		t.Error(got)
	}
}

// A large value is not copied on its way.
func TestLargeValuesTakeNoMemory(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	const size = 32 << 20
	s := statement("select length($1)", strings.Repeat("x", size))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := db.Read(t.Context(), as(w.ann), []pg.Statement{s}, &got{}); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > size/4 {
		t.Errorf("%d bytes were allocated", got)
	}
}

package pg_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

func TestSnapshotSaw(t *testing.T) {
	const epoch = 1 << 32
	for _, c := range []struct {
		text   string
		xid    uint32
		wanted bool
	}{
		{"10:10:", 9, true},
		{"10:10:", 10, false},
		{"10:20:10,15", 9, true},
		{"10:20:10,15", 10, false},
		{"10:20:10,15", 11, true},
		{"10:20:10,15", 15, false},
		{"10:20:10,15", 19, true},
		{"10:20:10,15", 20, false},
		{"10:20:10,15", 1 << 30, false},
		{"10:20:10,15", 0, false},
		{"10:20:10,15", 1, true},
		{"10:20:10,15", 2, true},
		// In the first epoch, nothing comes before the beginning.
		{"10:20:10,15", 1<<32 - 1, false},
		// Across the end of the 32 bits.
		{fmt.Sprintf("%d:%d:%d", epoch-5, epoch+20, epoch+10), 1<<32 - 6, true},
		{fmt.Sprintf("%d:%d:%d", epoch-5, epoch+20, epoch-5), 1<<32 - 5, false},
		{fmt.Sprintf("%d:%d:%d", epoch-5, epoch+20, epoch+10), 9, true},
		{fmt.Sprintf("%d:%d:%d", epoch-5, epoch+20, epoch+10), 10, false},
		{fmt.Sprintf("%d:%d:%d", epoch-5, epoch+20, epoch+10), 11, true},
		{fmt.Sprintf("%d:%d:", 7*epoch+3, 7*epoch+3), 1<<32 - 1, true},
	} {
		s, err := pg.ParseSnapshot(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Saw(c.xid); got != c.wanted {
			t.Errorf("%s saw %d: %t", c.text, c.xid, got)
		}
	}
	if (pg.Snapshot{}).Saw(5) {
		t.Error("the zero snapshot saw something")
	}
}

// Whatever the epoch, a snapshot saw what the definition says.
func TestSnapshotSawProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const near = 1 << 31
		xmin := rapid.Uint64Range(3+near, 1<<40).Draw(t, "xmin")
		xmax := xmin + rapid.Uint64Range(0, 50).Draw(t, "span")
		var running []uint64
		for xid := xmin; xid < xmax; xid++ {
			if rapid.Bool().Draw(t, "running") {
				running = append(running, xid)
			}
		}
		list := strings.Trim(strings.ReplaceAll(fmt.Sprint(running), " ", ","), "[]")
		s, err := pg.ParseSnapshot(fmt.Sprintf("%d:%d:%s", xmin, xmax, list))
		if err != nil {
			t.Fatal(err)
		}
		xid := rapid.OneOf(rapid.Uint64Range(xmin-60, xmax+60), rapid.Uint64Range(xmax-near, xmax+near-1)).Draw(t, "xid")
		if uint32(xid) < 3 {
			t.Skip("not a transaction's")
		}
		if got, want := s.Saw(uint32(xid)), xid < xmax && !slices.Contains(running, xid); got != want {
			t.Errorf("%v: %d: %t", s, xid, got)
		}
	})
}

func TestParseSnapshotRefuses(t *testing.T) {
	for _, text := range []string{
		"", "10", "10:20", "10:20:10:11", "a:20:", "10:b:", "10:20:x", "10:20:,", "10:20:10,", ":20:", "0:20:", "20:10:",
		"10:20:9", "10:20:20", "10:20:12,11", "10:20:11,11", "-1:20:", "+10:20:", "10:20: 11", "10:18446744073709551616:",
	} {
		if s, err := pg.ParseSnapshot(text); err == nil {
			t.Errorf("%q is %v", text, s)
		}
	}
}

// PostgreSQL's own answer to the same question.
func TestSnapshotSawAgreesWithPostgreSQL(t *testing.T) {
	dsn := pgtest.ServerDSN(t)
	const text = "100:140:101,105,120,139"
	s, err := pg.ParseSnapshot(text)
	if err != nil {
		t.Fatal(err)
	}
	visible := pgtest.Value(t, dsn, `select string_agg(x::text, ' ' order by x)
		from generate_series(90, 150) x where pg_visible_in_snapshot(x::text::xid8, $1::pg_snapshot)`, text)
	var saw []string
	for xid := uint32(90); xid <= 150; xid++ {
		if s.Saw(xid) {
			saw = append(saw, fmt.Sprint(xid))
		}
	}
	if got := strings.Join(saw, " "); got != visible {
		t.Errorf("got  %s\nwant %s", got, visible)
	}
}

func FuzzParseSnapshot(f *testing.F) {
	for _, seed := range []string{"10:20:10,15", "10:10:", "::", "4294967290:4294967300:4294967296"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := pg.ParseSnapshot(text)
		if err == nil && (s.Xmin == 0 || s.Xmax < s.Xmin) {
			t.Errorf("%q is %v", text, s)
		}
	})
}

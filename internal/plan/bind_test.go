package plan_test

import (
	"fmt"
	"testing"

	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/request"
)

// mustPlan plans a request of the cinema.
func (c *cinema) mustPlan(t testing.TB, target string, o plan.Options) (*plan.Read, *request.Request) {
	t.Helper()
	r, err := parse("GET", target, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.New(c.snapshot, r, o)
	if err != nil {
		t.Fatal(err)
	}
	return p, r
}

// One plan serves every request of its shape.
func TestBindFillsInTheValuesOfTheRequest(t *testing.T) {
	c := newCinema(t)
	p, _ := c.mustPlan(t, "/films?id=eq.1&title=in.(a)&info->>k=fts(english).x&limit=2&offset=3&select=id,roles(role)&roles.limit=7", defaults)
	for _, test := range []struct {
		target string
		most   int64
		want   string
	}{
		{"/films?id=eq.&title=in.(b,\"c\\\"d\")&info->>k=fts(simple).y&limit=5&offset=1&select=id,roles(role)&roles.limit=7", 0,
			`"7" "" "{\"b\",\"c\\\"d\"}" "k" "simple" "simple" "y" "5" "1"`},
		{"/films?id=eq.é&title=in.()&info->>k=fts(french).&limit=5&offset=4611686018427387903&select=id,roles(role)&roles.limit=7", 4,
			`"4" "é" "{}" "k" "french" "french" "" "4" "4611686018427387903"`},
	} {
		r, err := parse("GET", test.target, nil)
		if err != nil {
			t.Fatal(err)
		}
		o := defaults
		o.MaxRows = test.most
		args := p.Bind(nil, r, o, nil)
		if len(args) != len(p.Args) {
			t.Fatalf("%d arguments for %d", len(args), len(p.Args))
		}
		// the key in to_tsvector(language, column->>key) comes after the language
		got := texts([][]byte{args[0], args[1], args[2], args[4], args[3], args[5], args[6], args[7], args[8]})
		if got != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.target, got, test.want)
		}
	}
}

func TestBindAppends(t *testing.T) {
	c := newCinema(t)
	p, r := c.mustPlan(t, "/films?id=eq.1&title=eq.", defaults)
	args := p.Bind([][]byte{[]byte("before")}, r, defaults, nil)
	if got := texts(args); got != `"before" "1" ""` {
		t.Error(got)
	}
	args[1] = append(args[1], "grown"...)
	if string(args[2]) != "" {
		t.Error("an argument grows into the next one")
	}
}

func TestBindOfAPointReadAllocatesTwice(t *testing.T) {
	c := newCinema(t)
	p, r := c.mustPlan(t, "/films?id=eq.1&select=id,title&limit=1", defaults)
	if n := testing.AllocsPerRun(100, func() { p.Bind(nil, r, defaults, nil) }); n > 2 {
		t.Errorf("%v allocations", n)
	}
	room := make([][]byte, 0, len(p.Args))
	if n := testing.AllocsPerRun(100, func() { p.Bind(room, r, defaults, nil) }); n > 1 {
		t.Errorf("%v allocations with room", n)
	}
}

var planned = []struct{ name, target string }{
	{"point", "/films?id=eq.1&select=id,title"},
	{"page", "/films?select=*&order=year.desc.nullslast,id&limit=25&offset=50"},
	{"embeds", "/countries?select=code,directors(name,films(title,actors(name)))&directors.films.year=gt.1950&order=code&limit=10"},
	{"filters", "/films?or=(id.eq.1,and(year.gt.1950,info->>len.eq.90),title.in.(a,b,c))&plot=fts(english).singer&tags=cs.{walk}"},
	{"spread", "/directors?select=name,...films(title,film_details(budget))&films.order=year.desc"},
	{"function", "/rpc/films_of?name=Akira&select=id,title,roles(role)&order=year"},
}

func BenchmarkNew(b *testing.B) {
	c := newCinema(b)
	for _, test := range planned {
		_, r := c.mustPlan(b, test.target, defaults)
		b.Run(test.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := plan.New(c.snapshot, r, defaults); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkBind(b *testing.B) {
	c := newCinema(b)
	for _, test := range planned {
		p, r := c.mustPlan(b, test.target, defaults)
		b.Run(fmt.Sprint(test.name, "/", len(p.Args)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Bind(nil, r, defaults, nil)
			}
		})
	}
}

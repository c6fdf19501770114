package request

import "testing"

// grammars pairs each parser with the rule that explains its errors. They are
// two descriptions of one language, and must agree on every text.
var grammars = []struct {
	name  string
	rule  rule
	parse func(*parser) bool
	seeds []string
}{
	{"select", forestRule, func(p *parser) bool { return p.forest(&p.q.Select, 0) }, []string{
		"", "*", "id,name", "a:b", "a::int", "a:b->c->>0::text", "x:y(z)", "...a!b!inner(c,...d(e))", "a()", "a( )", "a( ",
		"count()", "c:count()::text", "a.sum()", "a::int.avg()::text", "a.foo()", "a!b", "*!x", ",", "a,", "a ,b", "a(b)c", "a(b) c",
		`"a b"(c)`, `"a" (b)`, "a->", "a->-1", "a->-x", "a->0)", "a- b", "a--b", "é,ñ(ü)", "count(*)", "a:b:c", "a::", "a:::b", "a!left(b)", "a!leftx(b)",
		"id,clients(name[])", "data->>-78xy", "\ta", "a:\tb", "a!!(b)", "a!b!c!d(e)", `"a`, `"a\"b"`, "a(b(c(d", "..a(b)", "...a", "a::int::text", "*,a",
	}},
	{"filter", filterRule, func(p *parser) bool { return p.condition(&Condition{}, false) }, []string{
		"eq.1", "not.eq.1", "eq", "eq5", "in.(1,2)", `in.("a,b",c)`, "in.()", "in.(1", "in. ( 1 , 2 ) ", "is.null", "is.NULLX", "is.nope", "is.not_null",
		"isdistinct.1", "fts.a", "fts(english).a", "fts().a", "phfts( a b ).c", "eq(any).{1,2}", "eq(all).x", "eq(anx).x", "eq().x", "neq(any).1", "like.*a*",
		"not.not.eq.1", "not.", "noop.0", "", "cs.{1}", "xx.1", "gte.", "gtx.", `in.("a"b,c)`, `in.("a\"b")`, "is.ſnull",
	}},
	{"logic", logicRule, func(p *parser) bool { return p.logicNode(&Logic{}, 0) }, []string{
		"or()", "or(id.in.1,2,id.eq.3)", "or)(", "and(ord(id.eq.1,id.eq.1),id.eq.2)", "or(id.eq.1,not.xor(id.eq.2,id.eq.3))",
		"and(a.eq.1,or(b.eq.2,c.in.(1,2)))", "not.and(a.eq.1)", `or(a.eq."x,y",b.eq.{1,2})`, "or(a.eq.{1,2}x)", `or(a.eq."x" )`, "or( a.eq.1 , b.is.null )",
		"and(a.not.eq.1)", "or(a->0.eq.1,b->>c.fts(en).x)", "or(a.eq.{{1},{2}})", "or(a.eq.1", "or(a.in.(1,2) ,b.eq.1)", "not.or", "an", "or (a.eq.1)", "or(and(a.eq.1) )",
	}},
	{"order", orderRule, func(p *parser) bool { _, ok := p.orderTerms(); return ok }, []string{
		"a", "a.asc", "a.desc.nullslast", "a.nullsfirst", "a->b->>0.desc", "r(a).asc", "r( a ).desc.nullsfirst", "clients(name,id)", "id.ac", "id.descc",
		"id.nulsfist", "id.nullslasttt", "id.asc.nlsfst", "a , b", "a,,b", "", "a,", "a.desc ,b", "r(a)x", `"a.b".asc`,
	}},
	{"tree path", treePathRule, func(p *parser) bool { _, _, ok := p.treePath(); return ok }, []string{
		"a", "a.b.c", "a.b->c", "a->0", "a->", "a.", ".a", "", `"a.b".c`, "a!b", "a-b", "a->b-c->>d e", `a->"x>y"`, "a->b->", "a->\u00a0b",
	}},
	{"logic path", logicPathRule, func(p *parser) bool { _, _, ok := p.logicPath(); return ok }, []string{
		"or", "not.and", "a.b.or", "a.not.or", "a..or", "", "a!b.or",
	}},
	{"names", namesRule, func(p *parser) bool { _, ok := p.names(); return ok }, []string{
		"a", "a,b", "a , b", "", "a,", "a b", `"a,b",c`, "a b ,", "a\t;",
	}},
}

func fuzzGrammar(f *testing.F, name string) {
	for _, g := range grammars {
		if g.name != name {
			continue
		}
		for _, s := range g.seeds {
			f.Add(s)
		}
		f.Fuzz(func(t *testing.T, text string) {
			if len(text) > 1000 || checkText(text) != nil {
				t.Skip()
			}
			p := parser{scanner: scanner{s: text}, q: &Query{}, limits: Limits{Depth: 2000, Conditions: 2000, Fields: 2000, Embeds: 2000}}
			parsed := g.parse(&p)
			o := g.rule(&source{text: []rune(text), watch: -1}, 0)
			if parsed != o.ok {
				t.Fatalf("%q: parser says %v, grammar says %v", text, parsed, o.ok)
			}
			if end := len(string([]rune(text)[:o.at])); parsed && end != p.i {
				t.Fatalf("%q: parser ends at %d, grammar at %d", text, p.i, end)
			}
		})
	}
}

func FuzzSelect(f *testing.F)    { fuzzGrammar(f, "select") }
func FuzzFilter(f *testing.F)    { fuzzGrammar(f, "filter") }
func FuzzLogicTree(f *testing.F) { fuzzGrammar(f, "logic") }
func FuzzOrder(f *testing.F)     { fuzzGrammar(f, "order") }
func FuzzJSONPath(f *testing.F)  { fuzzGrammar(f, "tree path") }
func FuzzLogicPath(f *testing.F) { fuzzGrammar(f, "logic path") }
func FuzzNames(f *testing.F)     { fuzzGrammar(f, "names") }

package request

import "strings"

// forest reads one level of select=. Like PostgREST's it ends at the first
// thing that cannot begin an item, so the level may be empty; whether what
// follows is allowed there is for the caller to say.
func (p *parser) forest(sel *Select, depth int) bool {
	if !p.checkDepth(depth) {
		return false
	}
	start := p.i
	if !p.selectItem(sel, depth) {
		return p.i == start && p.refusal == nil
	}
	for {
		more, ok := p.separator()
		if !more {
			return ok
		}
		if !p.selectItem(sel, depth) {
			return false
		}
	}
}

// selectItem reads a spread, an embed or a field. When it fails, the scanner
// has moved unless the text cannot begin an item.
func (p *parser) selectItem(sel *Select, depth int) bool {
	p.space()
	switch p.peek() {
	case '.':
		return p.spread(sel, depth)
	case '*':
		return p.star(sel)
	}
	head := p.i
	name, ok := p.name()
	if !ok {
		return false
	}
	alias := ""
	if p.aliasEnds() {
		alias, head = name, p.i
		name, ok = p.name()
	}
	if ok && name != "count" {
		if e, ok := p.embedHead(name); ok {
			e.Alias = alias
			return p.embedBody(sel, e, depth)
		}
	}
	return p.field(sel, alias, head)
}

// aliasEnds consumes the colon after an alias; a double colon begins a cast.
func (p *parser) aliasEnds() bool {
	if p.peek() != ':' || p.i+1 < len(p.s) && p.s[p.i+1] == ':' {
		return false
	}
	p.i++
	return true
}

func (p *parser) star(sel *Select) bool {
	p.i++
	if !p.itemEnds() {
		p.i--
		return false
	}
	return p.addField(sel, Field{Column: Column{Name: "*"}})
}

func (p *parser) addField(sel *Select, f Field) bool {
	if sel.Fields == nil {
		rest := strings.Count(p.s[p.i:], ",") // those of embeds to come are in it, too
		sel.Fields = make([]Field, 0, 1+min(rest, 15))
	}
	sel.Fields = append(sel.Fields, f)
	return p.countField()
}

func (p *parser) itemEnds() bool {
	return p.done() || p.s[p.i] == ')' || p.s[p.i] == ','
}

func (p *parser) spread(sel *Select, depth int) bool {
	start := p.i
	if p.acceptText("...") {
		if name, ok := p.name(); ok {
			if e, ok := p.embedHead(name); ok {
				e.Spread = true
				return p.embedBody(sel, e, depth)
			}
		}
	}
	p.i = start
	return false
}

// embedHead reads !hint and !join in either order, up to the parenthesis.
func (p *parser) embedHead(target string) (Embed, bool) {
	e := Embed{Target: target}
	for n := 0; n < 2 && p.accept('!'); n++ {
		if !p.embedParam(&e) {
			return e, false
		}
	}
	return e, p.peek() == '('
}

// embedParam reads what follows an exclamation mark; the first of a kind counts.
func (p *parser) embedParam(e *Embed) bool {
	switch {
	case p.acceptText("left"):
		e.join(JoinLeft)
	case p.acceptText("inner"):
		e.join(JoinInner)
	default:
		hint, ok := p.name()
		if !ok {
			return false
		}
		if e.Hint == "" {
			e.Hint = hint
		}
	}
	return true
}

func (e *Embed) join(j Join) {
	if e.Join == JoinDefault {
		e.Join = j
	}
}

func (p *parser) embedBody(sel *Select, e Embed, depth int) bool {
	p.i++ // the parenthesis that embedHead saw
	if !p.forest(&e.Select, depth+1) || !p.accept(')') {
		return false
	}
	sel.Embeds = append(sel.Embeds, e)
	return p.countEmbed() && p.countField()
}

// field reads column::cast.aggregate()::cast or count()::cast from head on.
func (p *parser) field(sel *Select, alias string, head int) bool {
	p.i = head
	if f, ok := p.countAll(); ok {
		f.Alias = alias
		return p.addField(sel, f)
	}
	p.i = head
	column, ok := p.paddedColumn()
	if !ok {
		return false
	}
	f := Field{Column: column, Alias: alias}
	if f.Cast, ok = p.cast(); !ok {
		return false
	}
	f.Aggregate = p.aggregate()
	if f.AggregateCast, ok = p.cast(); !ok || !p.itemEnds() {
		return false
	}
	if f.Aggregate == NoAggregate {
		f.AggregateCast = "" // a second cast without an aggregate has no effect
	}
	return p.addField(sel, f)
}

func (p *parser) countAll() (Field, bool) {
	if !p.acceptText("count()") {
		return Field{}, false
	}
	cast, ok := p.cast()
	return Field{Column: Column{Name: "*"}, Aggregate: Count, AggregateCast: cast}, ok && p.itemEnds()
}

// cast reads ::type if there is one. No word of a type begins with $: in SQL that would be a parameter or begin a text.
func (p *parser) cast() (string, bool) {
	if p.peek() != ':' {
		return "", true
	}
	if !p.acceptText("::") {
		return "", false
	}
	name, ok := p.identifier()
	return name, ok && !strings.HasPrefix(name, "$") && !strings.Contains(name, " $")
}

// aggregate reads .function() if there is one.
func (p *parser) aggregate() Aggregate {
	if p.peek() != '.' {
		return NoAggregate
	}
	start := p.i
	p.i++
	for _, a := range [...]Aggregate{Sum, Avg, Count, Max, Min} {
		if p.acceptText(string(a)) && p.acceptText("()") {
			return a
		}
	}
	p.i = start
	return NoAggregate
}

package request

import "strings"

// condition reads [not.]operator[(modifier)].value into c, where the value is
// a member of a logic tree or else all that is left. When it fails, the scanner
// has moved only if an operator was recognised; without that, the value of a
// function's parameter is an argument and not a filter.
func (p *parser) condition(c *Condition, member bool) bool {
	c.Language, c.Value = NoValue, NoValue
	start := p.i
	c.Not = p.acceptText("not.")
	begin := p.i
	switch {
	case p.acceptText("in."):
		return p.inList(c)
	case p.acceptText("is."):
		return p.isValue(c)
	}
	if p.operator(c) {
		text := p.operand(member)
		if c.Operator == Like || c.Operator == ILike {
			text = strings.ReplaceAll(text, "*", "%")
		}
		c.Value = p.value(text)
		return true
	}
	p.i = start
	if c.Not {
		p.i = begin
	}
	return false
}

func (p *parser) operand(member bool) string {
	if member {
		return p.memberOperand()
	}
	text := p.s[p.i:]
	p.i = len(p.s)
	return text
}

func (p *parser) inList(c *Condition) bool {
	c.Operator = In
	literal, ok := p.list()
	if ok {
		c.Value = p.value(literal)
	}
	return ok
}

// isValue reads a keyword in any case; what follows is not looked at.
func (p *parser) isValue(c *Condition) bool {
	c.Operator = Is
	for _, word := range [...]string{"null", "not_null", "true", "false", "unknown"} {
		if rest := p.s[p.i:]; len(rest) >= len(word) && asciiEqualFold(rest[:len(word)], word) {
			c.Is = word
			p.i += len(word)
			return true
		}
	}
	return false
}

// asciiEqualFold compares with a lower-case word; unlike strings.EqualFold it
// takes no Kelvin sign for a k.
func asciiEqualFold(s, lower string) bool {
	for i := range len(lower) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// operator reads an operator that takes a single value, its modifier and the dot.
func (p *parser) operator(c *Condition) bool {
	start := p.i
	for 'a' <= p.peek() && p.peek() <= 'z' {
		p.i++
	}
	c.Operator = Operator(p.s[start:p.i])
	switch c.Operator {
	case Eq, Gt, Gte, Lt, Lte, Like, ILike, Match, IMatch:
		p.quantifier(c)
	case Fts, Plfts, Phfts, Wfts:
		p.language(c)
	case Neq, IsDistinct, Cs, Cd, Ov, Sl, Sr, Nxr, Nxl, Adj:
	default:
		return false
	}
	return p.accept('.')
}

func (p *parser) quantifier(c *Condition) {
	switch {
	case p.acceptText("(any)"):
		c.Quantifier = Any
	case p.acceptText("(all)"):
		c.Quantifier = All
	}
}

// language reads (configuration). It is stored only where the dot follows, so
// that a failure leaves no value behind.
func (p *parser) language(c *Condition) {
	start := p.i
	if !p.accept('(') {
		return
	}
	name, ok := p.identifier()
	if !ok || !p.accept(')') || p.peek() != '.' {
		p.i = start
		return
	}
	c.Language = p.value(name)
}

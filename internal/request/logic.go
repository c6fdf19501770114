package request

// logicPath reads the key of an and=/or= parameter: the embed path, and the
// operator with its negation, as the logic tree begins with it.
func (p *parser) logicPath() (path []string, operator string, ok bool) {
	names, operator, ok := p.dottedPath()
	negated := operator == "not"
	for _, name := range names {
		if name == "not" {
			negated = true
			continue
		}
		path = append(path, name)
	}
	if negated {
		operator = "not." + operator
	}
	return path, operator, ok
}

// logicNode reads column.operator.value, or [not.]and(...) and [not.]or(...).
func (p *parser) logicNode(node *Logic, depth int) bool {
	if !p.checkDepth(depth) || !p.countCondition() {
		return false
	}
	start, values := p.i, len(p.q.Values)
	if p.logicLeaf(node) {
		return true
	}
	p.i, p.q.Values = start, p.q.Values[:values]
	node.Not = p.acceptText("not.")
	switch {
	case p.acceptText("and"):
	case p.acceptText("or"):
		node.Or = true
	default:
		return false
	}
	return p.lexeme('(') && p.logicChildren(node, depth) && p.lexeme(')')
}

func (p *parser) logicLeaf(node *Logic) bool {
	column, ok := p.paddedColumn()
	if !ok || !p.accept('.') {
		return false
	}
	c := Condition{Column: column}
	if !p.condition(&c, true) {
		return false
	}
	node.Condition = &c
	return true
}

func (p *parser) logicChildren(node *Logic, depth int) bool {
	for {
		node.Children = append(node.Children, Logic{})
		if !p.logicNode(&node.Children[len(node.Children)-1], depth+1) {
			return false
		}
		if more, ok := p.separator(); !more {
			return ok
		}
	}
}

// memberOperand reads a quoted text, a PostgreSQL array {..}, or all up to the next comma or parenthesis.
func (p *parser) memberOperand() string {
	if text, ok := p.quotedMember(); ok {
		return text
	}
	if p.peek() == '{' {
		if n := p.arrayLength(); n > 0 {
			p.i += n
			return p.s[p.i-n : p.i]
		}
	}
	return p.bareMember()
}

// arrayLength is the length of the {..} that is next, or 0 if it nests or does not close.
func (p *parser) arrayLength() int {
	for i := p.i + 1; i < len(p.s); i++ {
		switch p.s[i] {
		case '{':
			return 0
		case '}':
			return i + 1 - p.i
		}
	}
	return 0
}

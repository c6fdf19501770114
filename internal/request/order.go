package request

// orderTerms reads order=: at least one term.
func (p *parser) orderTerms() ([]OrderTerm, bool) {
	var terms []OrderTerm
	for {
		p.space()
		var t OrderTerm
		if !p.orderTerm(&t) || !p.countField() {
			return nil, false
		}
		terms = append(terms, t)
		if !p.accept(',') {
			return terms, true
		}
	}
}

// orderTerm reads column.direction.nulls or relation(column).direction.nulls.
func (p *parser) orderTerm(t *OrderTerm) bool {
	start := p.i
	name, ok := p.name()
	if ok && p.accept('(') {
		t.Relation = name
		if t.Column, ok = p.paddedColumn(); !ok || !p.accept(')') {
			return false
		}
	} else {
		p.i = start
		if t.Column, ok = p.paddedColumn(); !ok {
			return false
		}
	}
	switch {
	case p.acceptText(".asc"):
		t.Direction = Asc
	case p.acceptText(".desc"):
		t.Direction = Desc
	}
	switch {
	case p.acceptText(".nullsfirst"):
		t.Nulls = NullsFirst
	case p.acceptText(".nullslast"):
		t.Nulls = NullsLast
	}
	return p.done() || p.peek() == ','
}

// names reads columns= and on_conflict=: at least one name.
func (p *parser) names() ([]string, bool) {
	var names []string
	for {
		name, ok := p.name()
		if !ok || !p.countField() {
			return nil, false
		}
		names = append(names, name)
		more, ok := p.separator()
		if !more {
			return names, ok
		}
	}
}

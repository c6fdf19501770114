package tstypes

import "strings"

// printer writes indented lines.
type printer struct {
	b      strings.Builder
	indent int
}

func (p *printer) line(parts ...string) {
	p.b.WriteString(strings.Repeat("  ", p.indent))
	for _, part := range parts {
		p.b.WriteString(part)
	}
	p.b.WriteByte('\n')
}

// block writes head, what body writes indented, and tail.
func (p *printer) block(head, tail string, body func()) {
	p.line(head)
	p.indent++
	body()
	p.indent--
	p.line(tail)
}

// object writes the members of a type, or that there are none.
func (p *printer) object(head string, members int, body func()) {
	p.block(head+": {", "}", func() {
		if members == 0 {
			p.line("[_ in never]: never")
		}
		body()
	})
}

// property is one member of an object type.
type property struct {
	name     string
	optional bool
	typ      string
}

func (p *printer) properties(all []property) {
	for _, m := range all {
		mark := ": "
		if m.optional {
			mark = "?: "
		}
		p.line(key(m.name), mark, m.typ)
	}
}

// list makes a property whose value is an object type.
func (p *printer) list(name string, all []property, tail string) {
	p.block(name+": {", "}"+tail, func() { p.properties(all) })
}

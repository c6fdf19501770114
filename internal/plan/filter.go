package plan

import (
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// predicate is a node of a level's boolean tree: a connective of children, a test of an embed, or a condition.
type predicate struct {
	not      bool
	or       bool
	children []predicate
	// embed is set for ?embed=is.null: whether the embed has no rows.
	embed *node
	// condition and its resolved column are set in leaves.
	condition *request.Condition
	field     field
}

// filters resolves the filters and logic trees of one level.
func (b *builder) filters(n *node) {
	for _, l := range n.logic {
		n.where = append(n.where, b.predicate(n, l))
	}
	for _, c := range n.conditions {
		n.where = append(n.where, b.leaf(n, c))
	}
}

func (b *builder) predicate(n *node, l *request.Logic) predicate {
	if l.Condition != nil {
		return b.leaf(n, l.Condition)
	}
	p := predicate{not: l.Not, or: l.Or}
	for i := range l.Children {
		p.children = append(p.children, b.predicate(n, &l.Children[i]))
	}
	return p
}

func (b *builder) leaf(n *node, c *request.Condition) predicate {
	if c.Operator == request.Is && len(c.Column.Path) == 0 {
		for _, child := range n.children {
			switch {
			case child.outputName() != c.Column.Name:
			case c.Is == "null":
				return predicate{not: c.Not, embed: child}
			case c.Is == "not_null" && !n.hasColumn(c.Column.Name): // PostgREST would look for a column
				return predicate{not: !c.Not, embed: child}
			}
		}
	}
	return predicate{condition: c, field: resolver{b.snapshot, n.relation}.filter(c)}
}

func (n *node) hasColumn(name string) bool {
	if n.relation == nil {
		return false
	}
	_, ok := n.relation.Column(name)
	return ok
}

// operators are the SQL forms of those that compare column and operand.
var operators = map[request.Operator]string{
	request.Eq: "=", request.Gt: ">", request.Gte: ">=", request.Lt: "<", request.Lte: "<=", request.Neq: "<>",
	request.Like: "like", request.ILike: "ilike", request.Match: "~", request.IMatch: "~*",
	request.Cs: "@>", request.Cd: "<@", request.Ov: "&&", request.Sl: "<<", request.Sr: ">>",
	request.Nxr: "&<", request.Nxl: "&>", request.Adj: "-|-",
	request.Fts: "@@ to_tsquery", request.Plfts: "@@ plainto_tsquery",
	request.Phfts: "@@ phraseto_tsquery", request.Wfts: "@@ websearch_to_tsquery",
}

var isOperands = map[string]string{
	"null": "NULL", "not_null": "NOT NULL", "true": "TRUE", "false": "FALSE", "unknown": "UNKNOWN",
}

// write puts the predicate on columns of table into s. Whether an embed has rows is asked of the lateral join where there
// is one; a counting query has none.
func (p *predicate) write(s *sqlBuilder, table string, counting bool) {
	switch {
	case p.embed != nil && (counting || p.embed.unseen()):
		if !p.not {
			s.put("NOT ")
		}
		s.put("EXISTS (")
		p.embed.writeCount(s)
		s.put(")")
	case p.embed != nil:
		p.writeEmbed(s)
	case p.condition != nil:
		p.writeLeaf(s, table)
	default:
		connective := " AND "
		if p.or {
			connective = " OR "
		}
		if p.not {
			s.put("NOT ")
		}
		s.put("(")
		s.each(len(p.children), connective, func(i int) { p.children[i].write(s, table, counting) })
		s.put(")")
	}
}

func (p *predicate) writeEmbed(s *sqlBuilder) {
	if p.embed.toMany() {
		s.put(quoteColumn(p.embed.agg(), p.embed.rows), " IS ")
		if p.not {
			s.put("NOT ")
		}
		s.put("NULL")
		return
	}
	// IS NULL would be true of a row of NULLs as well.
	s.put(p.embed.agg(), ".* IS ")
	if !p.not {
		s.put("NOT ")
	}
	s.put("DISTINCT FROM NULL")
}

func (p *predicate) writeLeaf(s *sqlBuilder, table string) {
	c := p.condition
	if c.Not {
		s.put("NOT ")
	}
	p.field.write(s, table)
	switch c.Operator {
	case request.Is:
		s.put(" IS ", isOperands[c.Is])
	case request.IsDistinct:
		s.put(" IS DISTINCT FROM ")
		s.bindValue(c.Value)
	case request.In:
		s.put(" = ANY (")
		p.writeArray(s, true)
		s.put(")")
	case request.Fts, request.Plfts, request.Phfts, request.Wfts:
		s.put(" ", operators[c.Operator], "(")
		if c.Language != request.NoValue {
			s.bindValue(c.Language)
			s.put(", ")
		}
		s.bindValue(c.Value)
		s.put(")")
	default:
		s.put(" ", operators[c.Operator], " ")
		p.writeOperand(s)
	}
}

func (p *predicate) writeOperand(s *sqlBuilder) {
	c := p.condition
	parsed := c.Operator != request.Like && c.Operator != request.ILike
	switch c.Quantifier {
	case request.Any:
		s.put("ANY (")
	case request.All:
		s.put("ALL (")
	default:
		p.writeParsed(s, parsed)
		return
	}
	p.writeArray(s, parsed)
	s.put(")")
}

// writeParsed puts the operand; a data representation parses it.
func (p *predicate) writeParsed(s *sqlBuilder, parsed bool) {
	if !parsed || p.field.transform == (schema.Name{}) {
		s.bindValue(p.condition.Value)
		return
	}
	s.put(QuoteName(p.field.transform), "(")
	s.bindValue(p.condition.Value)
	s.put(")")
}

// writeArray puts an operand that is an array; a data representation parses each of its elements.
func (p *predicate) writeArray(s *sqlBuilder, parsed bool) {
	if !parsed || p.field.transform == (schema.Name{}) {
		s.bindValue(p.condition.Value)
		return
	}
	s.put("(SELECT ", QuoteName(p.field.transform), "(unnest(")
	s.bindValue(p.condition.Value)
	s.put("::text[])))")
}

// columns appends the names of the columns that the predicate compares.
func (p *predicate) columns(names []string) []string {
	if p.condition != nil {
		names = append(names, p.condition.Column.Name)
	}
	for i := range p.children {
		names = p.children[i].columns(names)
	}
	return names
}

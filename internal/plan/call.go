package plan

import (
	"slices"
	"strings"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// call plans a request of /rpc/name.
func (b *builder) call() (*Read, error) {
	f, err := Function(b.snapshot, b.request)
	if err != nil {
		return nil, err
	}
	// The rows go by the name of their type: embeds are found by it, and errors show it.
	root := &node{name: f.Name.Name, origin: f.Name.Name, from: schema.Name{Name: "slip_source"}}
	if f.Returns.Composite {
		root.origin = f.Returns.Type.Name
	}
	if f.Returns.Table != "" {
		root.relation = b.snapshot.Relations[f.Returns.Type]
	}
	if err := b.tree(root); err != nil {
		return nil, err
	}
	a, err := b.negotiate(schema.Name{Schema: f.Name.Schema, Name: root.origin})
	if err != nil {
		return nil, err
	}
	return b.read(root, a, f)
}

func ambiguousCall(fits []*schema.Function) error {
	candidates := make([]string, len(fits))
	for i, f := range fits {
		params := make([]string, len(f.Params))
		for j, p := range f.Params {
			params[j] = p.Name + " => " + p.Type
		}
		candidates[i] = f.Name.Schema + "." + f.Name.Name + "(" + strings.Join(params, ", ") + ")"
	}
	return &apierr.Error{
		Code:    "PGRST203",
		Message: "Could not choose the best candidate function between: " + strings.Join(candidates, ", "),
		Hint:    "Try renaming the parameters or the function itself in the database so function overloading can be resolved",
	}
}

// writeCall puts the SELECT that calls f and gives the columns that root needs.
func (b *builder) writeCall(s *sqlBuilder, f *schema.Function, root *node) {
	call := func() {
		s.put(QuoteName(f.Name), "(")
		b.writeArguments(s, f)
		s.put(")")
	}
	if !f.Returns.Composite {
		s.put("SELECT slip_call.pgrst_scalar FROM ")
		b.writeArgumentRow(s, f)
		s.put("(SELECT ")
		call()
		s.put(" pgrst_scalar) slip_call")
		return
	}
	s.put("SELECT ")
	columns := root.neededColumns()
	s.each(len(columns), ", ", func(i int) { s.put(quoteColumn("slip_call", columns[i])) })
	s.put(" FROM ")
	b.writeArgumentRow(s, f)
	call()
	s.put(" slip_call")
}

// neededColumns are the columns of a called function's rows that the tree refers to. They are named one by one
// because computed fields exist on the function's own row type only, not on the rows of the CTE around it.
func (n *node) neededColumns() []string {
	var names []string
	for i := range n.fields {
		names = append(names, n.fields[i].column.Name)
	}
	for i := range n.order {
		if n.order[i].table == "" {
			names = append(names, n.order[i].column.Name)
		}
	}
	for i := range n.where {
		names = n.where[i].columns(names)
	}
	for _, c := range n.children {
		switch {
		case c.rel.Function != nil:
			return []string{"*"}
		case c.rel.Junction != nil:
			for _, p := range c.rel.Junction.Origin {
				names = append(names, p.Left)
			}
		default:
			for _, p := range c.rel.Columns {
				names = append(names, p.Left)
			}
		}
	}
	if len(names) == 0 || slices.Contains(names, "*") {
		return []string{"*"}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

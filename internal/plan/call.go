package plan

import (
	"slices"
	"strings"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// call plans GET or HEAD /rpc/name.
func (b *builder) call() (*Read, error) {
	f, err := Function(b.snapshot, b.request)
	if err != nil {
		return nil, err
	}
	// The rows go by the name of their type: embeds are found by it, and errors show it.
	root := &node{name: f.Name.Name, origin: f.Name.Name, from: schema.Name{Name: "pgrst_source"}}
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

// Function finds the function that a request without a body would call: the overload whose parameters the request's
// arguments fit. PGRST202 if there is none, PGRST203 if there are several. OPTIONS asks for it too.
func Function(s *schema.Snapshot, r *request.Request) (*schema.Function, error) {
	name := schema.Name{Schema: r.Schema, Name: r.Name}
	overloads := s.Functions[name]
	var keys []string
	for _, p := range r.Query.Params {
		if !slices.Contains(keys, p.Name) {
			keys = append(keys, p.Name)
		}
	}
	slices.Sort(keys)
	var fits []*schema.Function
	for _, f := range overloads {
		if accepts(f, keys) {
			fits = append(fits, f)
		}
	}
	switch len(fits) {
	case 0:
		return nil, functionNotFound(s, name, keys, overloads)
	case 1:
		return fits[0], nil
	}
	return nil, ambiguousCall(fits)
}

// accepts reports whether every required parameter has an argument and every argument a parameter.
func accepts(f *schema.Function, keys []string) bool {
	for _, p := range f.Params {
		if p.Required && !slices.Contains(keys, p.Name) {
			return false
		}
	}
	for _, k := range keys {
		if !slices.ContainsFunc(f.Params, func(p schema.Param) bool { return p.Name == k }) {
			return false
		}
	}
	return true
}

func functionNotFound(s *schema.Snapshot, name schema.Name, keys []string, overloads []*schema.Function) error {
	full := name.Schema + "." + name.Name
	list := strings.Join(keys, ", ")
	message, details := " without parameters", " without parameters"
	if len(keys) > 0 {
		message, details = "("+list+")", " with parameter "+list
	}
	if len(keys) > 1 {
		details = " with parameters " + list
	}
	e := &apierr.Error{
		Code:    "PGRST202",
		Message: "Could not find the function " + full + message + " in the schema cache",
		Details: "Searched for the function " + full + details + ", but no matches were found in the schema cache.",
	}
	if similar := s.SimilarFunction(name, keys); similar != "" {
		e.Hint = "Perhaps you meant to call the function " + name.Schema + "." + similar
	}
	return e
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
	if !f.Returns.Composite {
		s.put("SELECT pgrst_call.pgrst_scalar FROM (SELECT ", QuoteName(f.Name), "(")
		b.writeArguments(s, f)
		s.put(") pgrst_scalar) pgrst_call")
		return
	}
	s.put("SELECT ")
	columns := root.neededColumns()
	s.each(len(columns), ", ", func(i int) { s.put(quoteColumn("pgrst_call", columns[i])) })
	s.put(" FROM ", QuoteName(f.Name), "(")
	b.writeArguments(s, f)
	s.put(") pgrst_call")
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

// writeArguments puts the arguments by name. A repeated one counts once, the last; a VARIADIC one collects them all.
func (b *builder) writeArguments(s *sqlBuilder, f *schema.Function) {
	sep := ""
	for _, p := range f.Params {
		var values []request.Value
		for _, arg := range b.request.Query.Params {
			if arg.Name == p.Name {
				values = append(values, arg.Value)
			}
		}
		if len(values) == 0 {
			continue
		}
		s.put(sep)
		sep = ", "
		if p.Variadic {
			s.put("VARIADIC ")
		}
		if p.Name != "" {
			s.put(QuoteIdent(p.Name), " := ")
		}
		if p.Variadic {
			s.bind(Arg{Kind: ArgList, Values: values})
		} else {
			s.bindValue(values[len(values)-1])
		}
		s.put("::", p.TypeMod)
	}
}

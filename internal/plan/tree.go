package plan

import (
	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// node is one level of a read: the relation at the top, or an embed.
type node struct {
	name   string // as the request names it
	alias  string // as the request renames it, or empty
	hint   string
	join   request.Join
	spread spread
	sel    *request.Select

	conditions []*request.Condition
	logic      []*request.Logic
	terms      []request.OrderTerm
	window     int  // index into Query.Windows, RootWindow or noWindow
	limit      bool // whether there is one
	offset     bool

	parent   *node
	children []*node
	rel      *schema.Relationship // to the parent; nil at the top
	// origin is the name of the relation whose relationships lead further down.
	origin   string
	from     schema.Name      // what the rows come from
	relation *schema.Relation // whose rows they are; nil where that is not known
	guard    *Guard           // of the relation, or nil

	scope    scope
	as       string // alias of from
	aggAlias string // alias of the lateral sub-query, in the parent's scope
	rows     string // the column of a to-many sub-query that is NULL when there are no rows
	junction string // alias of the junction table
	ordered  bool   // whether the parent is ordered by a column of it

	fields   []selected
	where    []predicate
	order    []orderTerm
	lifted   []lifted    // what a spread embed gives its parent
	extra    []selected  // hidden columns that a to-many spread is ordered by
	aggOrder []orderTerm // their order
}

const noWindow = -2

// outputName is the name under which an embed appears in its parent.
func (n *node) outputName() string {
	if n.alias != "" {
		return n.alias
	}
	return n.name
}

// table is how columns of the level are qualified in SQL.
func (n *node) table() string { return QuoteIdent(n.as) }

// agg is how columns of the embed's sub-query are qualified in SQL.
func (n *node) agg() string { return QuoteIdent(n.aggAlias) }

// toMany reports whether the embed's sub-query aggregates its rows.
func (n *node) toMany() bool { return !n.rel.Cardinality.ToOne() }

// builder makes the tree of one request.
type builder struct {
	snapshot *schema.Snapshot
	request  *request.Request
	options  Options
	uncapped bool // what a write returns has no cap
	renames  [][2]string
}

// tree resolves the whole request below root. The order of the steps is PostgREST's, so that a request with several
// faults is told of the same one.
func (b *builder) tree(root *node) error {
	q := &b.request.Query
	root.sel, root.window = &q.Select, RootWindow
	root.scope, root.as = newScope(root.origin), root.origin
	root.grow()
	if err := b.attach(root); err != nil {
		return err
	}
	if err := b.relate(root, 1); err != nil {
		return err
	}
	if err := b.guardDepth(root); err != nil {
		return err
	}
	if err := b.resolve(root); err != nil {
		return err
	}
	if err := b.selects(root, false); err != nil {
		return err
	}
	return root.lift()
}

// grow adds the embeds that the request selects.
func (n *node) grow() {
	for i := range n.sel.Embeds {
		e := &n.sel.Embeds[i]
		c := &node{name: e.Target, alias: e.Alias, hint: e.Hint, join: e.Join, sel: &e.Select, window: noWindow, parent: n}
		if e.Spread {
			c.spread = toOneSpread // or to-many: that is known when the relationship is
		}
		c.grow()
		n.children = append(n.children, c)
	}
}

// attach gives filters, orders, limits and logic trees to the levels that they name.
func (b *builder) attach(root *node) error {
	q := &b.request.Query
	for i := range q.Filters {
		n, err := b.at(root, q.Filters[i].Path)
		if err != nil {
			return err
		}
		n.conditions = append(n.conditions, &q.Filters[i].Condition)
	}
	for i := range q.Orders {
		n, err := b.at(root, q.Orders[i].Path)
		if err != nil {
			return err
		}
		if n.terms == nil {
			n.terms = q.Orders[i].Terms // the first order= of a level counts
		}
	}
	if err := b.windows(root); err != nil {
		return err
	}
	for i := range q.Logic {
		n, err := b.at(root, q.Logic[i].Path)
		if err != nil {
			return err
		}
		n.logic = append(n.logic, &q.Logic[i].Logic)
	}
	return nil
}

func (b *builder) windows(root *node) error {
	root.limit, root.offset = b.request.Window.Limit != request.NoLimit, b.request.Window.Offset > 0
	for i := range b.request.Query.Windows {
		w := &b.request.Query.Windows[i]
		n, err := b.at(root, w.Path)
		if err != nil {
			return err
		}
		n.window, n.limit, n.offset = i, w.Limit != request.NoLimit, w.Offset > 0
	}
	return nil
}

// at finds the level that an embed path names.
func (b *builder) at(root *node, path []string) (*node, error) {
	n := root
	for _, name := range path {
		c, err := b.child(n, name)
		if err != nil {
			return nil, err
		}
		n = c
	}
	return n, nil
}

func (b *builder) child(n *node, name string) (*node, error) {
	for _, c := range n.children {
		switch {
		case c.outputName() == name:
			return c, nil
		case c.name != name:
		case b.options.LegacyTargetNames:
			b.renamed(c)
			return c, nil
		}
	}
	for _, c := range n.children {
		if c.name == name {
			return nil, &apierr.Error{
				Code:    "PGRST108",
				Message: "'" + name + "' is not an embedded resource in this request",
				Details: "Target names are not allowed in filters if they have an alias",
				Hint:    "Change '" + c.name + "' to '" + c.alias + "' in filters, orders or limits.",
			}
		}
	}
	return nil, notEmbedded(name)
}

// renamed notes that an aliased embed was addressed by its relation's name.
func (b *builder) renamed(c *node) {
	rename := [2]string{c.name, c.alias}
	for _, r := range b.renames {
		if r == rename {
			return
		}
	}
	b.renames = append(b.renames, rename)
}

func notEmbedded(name string) error {
	return &apierr.Error{
		Code:    "PGRST108",
		Message: "'" + name + "' is not an embedded resource in this request",
		Hint:    "Verify that '" + name + "' is included in the 'select' query parameter.",
	}
}

// resolve finds out what the filters and orders of the whole tree stand for.
func (b *builder) resolve(n *node) error {
	if err := b.orders(n); err != nil {
		return err
	}
	b.filters(n)
	if err := guardFilters(n.guard, n.relation, n.where); err != nil {
		return err
	}
	b.limits(n)
	for _, c := range n.children {
		if err := b.resolve(c); err != nil {
			return err
		}
	}
	return nil
}

// limits caps a level to db-max-rows, or its relation's max-rows. The row of a to-one embed needs no cap, and without one
// PostgreSQL can join it as it likes; what a computed relationship gives is not so certain.
func (b *builder) limits(n *node) {
	if n.limit || b.uncapped || b.maxRows(n) == 0 {
		return
	}
	single := n.rel != nil && !n.toMany() && n.rel.Function == nil && n.window == noWindow
	n.limit = !single
}

// maxRows is the cap of a level, or 0.
func (b *builder) maxRows(n *node) int64 { return lower(b.options.MaxRows, n.guard.maxRows()) }

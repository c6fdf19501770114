package plan

import (
	"strings"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// spread is how an embed's columns are lifted into its parent.
type spread int

const (
	noSpread     spread = iota
	toOneSpread         // the columns themselves
	toManySpread        // arrays of the columns
)

// node is one level of a read: the relation at the top, or an embed.
type node struct {
	name  string // as the request names it
	alias string // as the request renames it, or empty
	hint  string
	join  request.Join

	from      schema.Name
	fromAlias string // the alias in FROM, or empty
	relation  *schema.Relation

	sel      []selected
	where    []predicate
	order    []orderTerm
	window   int // index into Query.Windows, RootWindow or noWindow
	offset   bool
	limit    bool
	rel      *schema.Relationship // to the parent; nil at the top
	parent   *node
	aggAlias string // name of the lateral sub-query
	junction string // alias of the junction table
	spread   spread
	lifted   []lifted    // what a spread node gives its parent
	extra    []selected  // hidden columns that a to-many spread is ordered by
	aggOrder []orderTerm // their order
	children []*node
	renamed  bool // addressed by relation name although aliased
}

const noWindow = -2

// selected is one item of a SELECT list.
type selected struct {
	field
	aggregate     request.Aggregate
	aggregateCast string
	cast          string
	alias         string
	table         string // overrides the node's own table, for columns of an embed
}

// lifted is a column of a spread embed as its parent selects it.
type lifted struct {
	name          string
	alias         string
	aggregate     request.Aggregate
	aggregateCast string
}

// outputName is the name under which an embed appears in its parent.
func (n *node) outputName() string {
	if n.alias != "" {
		return n.alias
	}
	return n.name
}

// table is how columns of the node are qualified in SQL.
func (n *node) table() string {
	if n.fromAlias != "" {
		return QuoteIdent(n.fromAlias)
	}
	return QuoteName(n.from)
}

// builder makes the tree of one request.
type builder struct {
	snapshot *schema.Snapshot
	request  *request.Request
	options  Options
	aliases  map[string]struct{}
	renames  [][2]string
}

// alias returns a name that no other alias of the statement has and that PostgreSQL will not truncate.
func (b *builder) alias(name string) string {
	const longest = 50 // of NAMEDATALEN's 63, leaving room for a suffix
	if len(name) > longest {
		name = strings.ToValidUTF8(name[:longest], "")
	}
	out := name
	for i := 2; ; i++ {
		if _, taken := b.aliases[out]; !taken {
			b.aliases[out] = struct{}{}
			return out
		}
		out = name + "_" + itoa(i)
	}
}

// embed adds the embeds of sel below n, with the relationships that lead to them.
func (b *builder) embed(n *node, sel *request.Select, depth int) error {
	for i := range sel.Embeds {
		e := &sel.Embeds[i]
		c := &node{name: e.Target, alias: e.Alias, hint: e.Hint, join: e.Join, window: noWindow, parent: n}
		if e.Spread {
			c.spread = toOneSpread
		}
		rel, err := b.relationship(n, c)
		if err != nil {
			return err
		}
		c.rel, c.from, c.relation = rel, rel.Target, b.snapshot.Relations[rel.Target]
		if e.Spread && !rel.Cardinality.ToOne() {
			c.spread = toManySpread
		}
		c.fromAlias = b.alias(rel.Target.Name + "_" + itoa(depth))
		c.aggAlias = b.alias(rel.Origin.Name + "_" + c.outputName() + "_" + itoa(depth))
		if rel.Junction != nil {
			c.junction = b.alias(rel.Junction.Table.Name + "_" + itoa(depth))
		}
		n.children = append(n.children, c)
		if err := b.embed(c, &e.Select, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// fields resolves the selected columns of the whole tree.
func (b *builder) fields(n *node, sel *request.Select, aggregated bool) error {
	for i := range sel.Fields {
		if sel.Fields[i].Aggregate == request.NoAggregate {
			continue
		}
		if !b.options.Aggregates {
			return apierr.New("PGRST123", "Use of aggregate functions is not allowed")
		}
		aggregated = true
	}
	aggregated = aggregated || n.spread == toManySpread
	r := resolver{b.snapshot, n.relation}
	expand := n.relation != nil && (aggregated || r.represented())
	for i := range sel.Fields {
		f := &sel.Fields[i]
		if expand && f.Name == "*" && len(f.Path) == 0 && f.Aggregate == request.NoAggregate {
			for j := range n.relation.Columns {
				s := selected{field: r.output(request.Column{Name: n.relation.Columns[j].Name})}
				s.alias = s.impliedAlias(n.spread != noSpread)
				n.sel = append(n.sel, s)
			}
			continue
		}
		s := selected{field: r.output(f.Column), aggregate: f.Aggregate, aggregateCast: f.AggregateCast, cast: f.Cast, alias: f.Alias}
		if f.Name == "*" && f.Aggregate == request.Count && n.spread != noSpread {
			s.wholeRow = true
		}
		if s.alias == "" {
			s.alias = s.impliedAlias(n.spread != noSpread)
		}
		n.sel = append(n.sel, s)
	}
	for i, c := range n.children {
		if err := b.fields(c, &sel.Embeds[i].Select, aggregated); err != nil {
			return err
		}
	}
	return nil
}

// impliedAlias names a column that the request does not name: by the last key of a JSON path, by the column under a
// data representation, by the aggregate in a spread embed.
func (s *selected) impliedAlias(inSpread bool) string {
	switch {
	case s.aggregate != request.NoAggregate:
		if inSpread {
			return string(s.aggregate)
		}
		return ""
	case len(s.column.Path) > 0:
		for i := len(s.column.Path) - 1; i >= 0; i-- {
			if !s.column.Path[i].Index {
				return s.column.Path[i].Key
			}
		}
		return s.column.Name
	case s.transform != schema.Name{}:
		return s.column.Name
	}
	return ""
}

// at finds the node that an embed path names.
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
	var legacy *node
	for _, c := range n.children {
		if c.outputName() == name {
			return c, nil
		}
		if c.name == name && legacy == nil {
			legacy = c
		}
	}
	if legacy == nil {
		return nil, notEmbedded(name)
	}
	if !b.options.LegacyTargetNames {
		return nil, &apierr.Error{
			Code:    "PGRST108",
			Message: "'" + name + "' is not an embedded resource in this request",
			Details: "Target names are not allowed in filters if they have an alias",
			Hint:    "Change '" + legacy.name + "' to '" + legacy.alias + "' in filters, orders or limits.",
		}
	}
	if !legacy.renamed {
		legacy.renamed = true
		b.renames = append(b.renames, [2]string{legacy.name, legacy.alias})
	}
	return legacy, nil
}

func notEmbedded(name string) error {
	return &apierr.Error{
		Code:    "PGRST108",
		Message: "'" + name + "' is not an embedded resource in this request",
		Hint:    "Verify that '" + name + "' is included in the 'select' query parameter.",
	}
}

// windows attaches limits and offsets.
func (b *builder) windows(root *node) error {
	w := b.request.Window
	root.window, root.limit, root.offset = RootWindow, b.limited(w), w.Offset > 0
	for i, w := range b.request.Query.Windows {
		n, err := b.at(root, w.Path)
		if err != nil {
			return err
		}
		n.window, n.limit, n.offset = i, b.limited(w), w.Offset > 0
	}
	if b.options.MaxRows > 0 {
		capChildren(root)
	}
	return nil
}

func (b *builder) limited(w request.Window) bool {
	return w.Limit != request.NoLimit || b.options.MaxRows > 0
}

// capChildren limits the embeds that have no window of their own to db-max-rows.
func capChildren(n *node) {
	for _, c := range n.children {
		c.limit = true
		capChildren(c)
	}
}

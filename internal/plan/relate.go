package plan

import (
	"strconv"
	"strings"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/schema"
)

func itoa(i int) string { return strconv.Itoa(i) }

// relate finds the relationships that lead from n to its embeds, and names what they join.
func (b *builder) relate(n *node, depth int) error {
	for _, c := range n.children {
		rel, err := b.relationship(n, c)
		if err != nil {
			return err
		}
		c.rel, c.origin, c.from, c.relation = rel, rel.Target.Name, rel.Target, b.snapshot.Relations[rel.Target]
		c.guard = b.options.Guards.of(rel.Target)
		if c.spread != noSpread && c.toMany() {
			c.spread = toManySpread
		}
		c.setAliases(depth)
		if err := b.relate(c, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// setAliases chooses the names that errors of the database will show: they are PostgREST's.
func (n *node) setAliases(depth int) {
	suffix := "_" + itoa(depth)
	n.scope = newScope(n.parent.as)
	if j := n.rel.Junction; j != nil {
		n.as = n.scope.unique(n.rel.Target.Name)
		n.junction = n.scope.unique(j.Table.Name)
	} else {
		n.as = n.scope.unique(n.rel.Target.Name + suffix)
	}
	n.aggAlias = n.parent.scope.unique(n.rel.Origin.Name + "_" + n.outputName() + suffix)
	n.rows = n.aggAlias
}

// relationship finds the one way from parent to child, or says which ways there are
// (https://postgrest.org/en/stable/references/api/resource_embedding.html).
func (b *builder) relationship(parent, child *node) (*schema.Relationship, error) {
	origin := schema.Name{Schema: b.request.Schema, Name: parent.origin}
	var found []*schema.Relationship
	for _, r := range b.snapshot.RelationshipsFrom(origin, b.request.Schema) {
		if matches(r, child.name, child.hint) {
			found = append(found, r)
		}
	}
	switch len(found) {
	case 0:
		return nil, b.noRelationship(origin, child)
	case 1:
		return found[0], nil
	}
	return nil, ambiguous(origin, child, found)
}

// matches reports whether target!hint can mean r. A target is a relation, a computed relationship's function, or a
// foreign key by its constraint or its only column.
func matches(r *schema.Relationship, target, hint string) bool {
	if r.Function != nil {
		return target == r.Function.Name
	}
	named := target == r.Target.Name
	single := len(r.Columns) == 1
	if r.Self {
		if hint == "" {
			return named && r.Cardinality == schema.OneToMany ||
				single && target == r.Columns[0].Left && r.Cardinality == schema.ManyToOne
		}
		return named && r.Cardinality == schema.OneToMany && single && hint == r.Columns[0].Right
	}
	if hint == "" {
		byKey := r.Constraint != "" && target == r.Constraint || single && target == r.Columns[0].Left
		return named || byKey && !r.TargetIsView
	}
	if !named {
		return false
	}
	return r.Constraint != "" && hint == r.Constraint ||
		single && (hint == r.Columns[0].Left || hint == r.Columns[0].Right) ||
		r.Junction != nil && hint == r.Junction.Table.Name
}

func (b *builder) noRelationship(origin schema.Name, child *node) error {
	details := "Searched for a foreign key relationship between '" + origin.Name + "' and '" + child.name
	if child.hint != "" {
		details += "' using the hint '" + child.hint
	}
	details += "' in the schema '" + origin.Schema + "', but no matches were found."
	e := &apierr.Error{
		Code:    "PGRST200",
		Message: "Could not find a relationship between '" + origin.Name + "' and '" + child.name + "' in the schema cache",
		Details: details,
	}
	if misspelt, meant := b.snapshot.SimilarTarget(origin, b.request.Schema, child.name); meant != "" {
		e.Hint = "Perhaps you meant '" + meant + "' instead of '" + misspelt + "'."
	}
	return e
}

// candidate is one entry of PGRST201's details.
type candidate struct {
	Cardinality  string `json:"cardinality"`
	Embedding    string `json:"embedding"`
	Relationship string `json:"relationship"`
}

func ambiguous(origin schema.Name, child *node, found []*schema.Relationship) error {
	details := make([]candidate, len(found))
	hints := make([]string, len(found))
	for i, r := range found {
		details[i] = describe(r)
		by := r.Constraint
		if r.Junction != nil {
			by = r.Junction.Table.Name
		}
		hints[i] = "'" + r.Target.Name + "!" + by + "'"
	}
	return &apierr.Error{
		Code: "PGRST201",
		Message: "Could not embed because more than one relationship was found for '" + origin.Name +
			"' and '" + child.name + "'",
		Details: details,
		Hint: "Try changing '" + child.name + "' to one of the following: " + strings.Join(hints, ", ") +
			". Find the desired relationship in the 'details' key.",
	}
}

func describe(r *schema.Relationship) candidate {
	c := candidate{Embedding: r.Origin.Name + " with " + r.Target.Name}
	if j := r.Junction; j != nil {
		c.Cardinality = "many-to-many"
		c.Relationship = j.Table.Name + " using " + j.OriginConstraint + columnList(j.Origin, false) +
			" and " + j.TargetConstraint + columnList(j.Target, false)
		return c
	}
	switch r.Cardinality {
	case schema.ManyToOne:
		c.Cardinality = "many-to-one"
	case schema.OneToOne:
		c.Cardinality = "one-to-one"
	default:
		c.Cardinality = "one-to-many"
	}
	c.Relationship = r.Constraint + " using " + r.Origin.Name + columnList(r.Columns, true) +
		" and " + r.Target.Name + columnList(r.Columns, false)
	return c
}

func columnList(pairs []schema.ColumnPair, left bool) string {
	names := make([]string, len(pairs))
	for i, p := range pairs {
		names[i] = p.Right
		if left {
			names[i] = p.Left
		}
	}
	return "(" + strings.Join(names, ", ") + ")"
}

package plan

import (
	"slices"
	"strings"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// Keyset describes a cursor page: rows in a total order, from a known key on, so that a page far down costs what the
// first one costs (https://use-the-index-luke.com/no-offset).
type Keyset struct {
	// Order spells the relation and its total order out. A cursor is good for one such order only.
	Order string
	// Relation and Columns are what the key is made of.
	Relation schema.Name
	Columns  []string
	// Backward is true for the page before the cursor.
	Backward bool
	// Settings must hold in the transaction: keys travel as text, and the text of some types depends on the session.
	Settings []schema.Setting
}

// maxKeyColumns bounds the order of a cursor page: the statement grows with its square.
const maxKeyColumns = 16

// keyset is the order of a cursor page, on columns of the root.
type keyset struct {
	Keyset
	terms   []keyTerm
	bounded bool  // there is a cursor to start from
	nulls   int64 // bit i is set when the cursor's i-th value is NULL
}

type keyTerm struct {
	column     *schema.Column
	descending bool
	nullsFirst bool
}

func cursorError(message, hint string) error {
	return &apierr.Error{Code: "SLIP100", Message: message, Hint: hint}
}

// keyset resolves the order of a cursor page, or returns nil when none was asked for.
func (b *builder) keyset(root *node, a answer) (*keyset, error) {
	r := b.request
	if r.Prefer.Pagination != "cursor" && r.Query.Cursor == "" || r.Target != request.Relation {
		return nil, nil
	}
	switch {
	case root.offset:
		return nil, cursorError("A cursor page cannot have an offset", "Leave offset= and the Range header out and follow the Link headers")
	case !slices.Contains([]render{renderArray, renderStripped, renderNothing}, a.render) || a.media.Name == request.Plan:
		return nil, cursorError("Cursor pages are not available as "+a.media.Name, "Accept application/json")
	case root.grouped():
		return nil, cursorError("Cursor pages cannot be made of aggregates", "Leave Prefer: pagination=cursor out, or select plain columns")
	}
	k := &keyset{bounded: r.Query.Cursor != "", nulls: r.Query.CursorNulls}
	k.Backward = r.Query.CursorBackward
	if err := k.order(root); err != nil {
		return nil, err
	}
	if k.bounded && !k.fits() {
		return nil, cursorError("The cursor is not valid for this request",
			"Use the URLs of the Link headers as they are, or begin again without cursor=")
	}
	k.describe(root.relation)
	return k, nil
}

// order takes the terms of the request's order until they make it total, and what then lacks from the primary key.
func (k *keyset) order(root *node) error {
	unique := uniqueKeys(root.relation)
	for i := range root.order {
		if k.total(unique) {
			return nil // no two rows are left for further terms to tell apart
		}
		if err := k.add(root, &root.order[i]); err != nil {
			return err
		}
	}
	if k.total(unique) {
		return nil
	}
	if err := k.complete(root.relation); err != nil {
		return err
	}
	if len(k.terms) > maxKeyColumns {
		return cursorError("Cursor pages can be ordered by at most "+itoa(maxKeyColumns)+" columns, those of the primary key included",
			"Shorten order=")
	}
	return nil
}

// uniqueKeys are the keys whose columns tell all rows apart. A view has none: its rows may repeat those of its tables.
func uniqueKeys(r *schema.Relation) [][]string {
	if r.Kind == schema.View || r.Kind == schema.Materialized || len(r.PrimaryKey) == 0 {
		return r.UniqueKeys
	}
	return append([][]string{r.PrimaryKey}, r.UniqueKeys...)
}

func (k *keyset) total(unique [][]string) bool {
	return slices.ContainsFunc(unique, func(key []string) bool {
		return !slices.ContainsFunc(key, func(c string) bool { return !k.has(c) })
	})
}

func (k *keyset) has(column string) bool {
	return slices.ContainsFunc(k.terms, func(t keyTerm) bool { return t.column.Name == column })
}

func (k *keyset) add(root *node, o *orderTerm) error {
	column, known := root.relation.Column(o.column.Name)
	if !known || o.table != "" || len(o.column.Path) > 0 {
		return cursorError("Cursor pages can be ordered by columns of '"+root.from.Name+"' only",
			"Leave JSON paths, computed fields and columns of embedded resources out of order=")
	}
	if k.has(column.Name) {
		return nil
	}
	t := keyTerm{column: column, descending: o.direction == request.Desc}
	t.nullsFirst = t.descending // PostgreSQL's default
	if o.nulls != request.NoNulls {
		t.nullsFirst = o.nulls == request.NullsFirst
	}
	k.terms = append(k.terms, t)
	return nil
}

// complete makes the order total by the primary key.
func (k *keyset) complete(r *schema.Relation) error {
	unique := uniqueKeys(r)
	if len(unique) == 0 {
		return cursorError("'"+r.Name.Name+"' has no primary key to make its order total",
			"Order by a unique key without NULLs, or use limit and offset")
	}
	// In the direction of the last term, one index can serve the whole order.
	descending := len(k.terms) > 0 && k.terms[len(k.terms)-1].descending
	for _, name := range unique[0] {
		if column, ok := r.Column(name); ok && !k.has(name) {
			k.terms = append(k.terms, keyTerm{column: column, descending: descending, nullsFirst: descending})
		}
	}
	return nil
}

// fits reports whether the NULLs of the cursor can be values of the key.
func (k *keyset) fits() bool {
	for i := range k.terms {
		if k.null(i) && !k.terms[i].column.Nullable {
			return false
		}
	}
	return k.nulls>>len(k.terms) == 0
}

func (k *keyset) describe(r *schema.Relation) {
	var order strings.Builder
	order.WriteString(QuoteName(r.Name))
	for i := range k.terms {
		t := &k.terms[i]
		order.WriteString(" " + QuoteIdent(t.column.Name) + t.suffix(false))
		k.Columns = append(k.Columns, t.column.Name)
		for _, s := range textSettings(t.column) {
			if !slices.Contains(k.Settings, s) {
				k.Settings = append(k.Settings, s)
			}
		}
	}
	k.Order, k.Relation = order.String(), r.Name
}

// suffix is the direction of the term in ORDER BY.
func (t *keyTerm) suffix(reversed bool) string {
	out := " ASC"
	if t.descending != reversed {
		out = " DESC"
	}
	switch {
	case !t.column.Nullable:
		return out
	case t.nullsFirst != reversed:
		return out + " NULLS FIRST"
	}
	return out + " NULLS LAST"
}

// null reports whether the cursor's value of a term is NULL.
func (k *keyset) null(i int) bool { return k.nulls>>i&1 != 0 }

// nullsFirst reports whether the page's direction meets the NULLs of a term before its values.
func (k *keyset) nullsFirst(i int) bool { return k.terms[i].nullsFirst != k.Backward }

// after is the operator that holds between a row and one that the page's direction meets before it.
func (k *keyset) after(i int) string {
	if k.terms[i].descending != k.Backward {
		return "<"
	}
	return ">"
}

// textSettings are the session settings that the text of the column's type must not be left to.
func textSettings(c *schema.Column) []schema.Setting {
	settings := []schema.Setting{
		{Name: "DateStyle", Value: "ISO"}, {Name: "IntervalStyle", Value: "postgres"},
		{Name: "extra_float_digits", Value: "1"}, {Name: "lc_monetary", Value: "C"},
	}
	switch c.Type {
	case "smallint", "integer", "bigint", "numeric", "oid", "boolean", "uuid", "bytea", "bit", "bit varying",
		"text", "character varying", "character", `"char"`, "name", "inet", "cidr", "macaddr", "pg_lsn",
		"time without time zone", "time with time zone":
		return nil
	case "date", "timestamp without time zone", "timestamp with time zone":
		return settings[:1]
	case "interval":
		return settings[1:2]
	case "real", "double precision":
		return settings[2:3]
	case "money":
		return settings[3:]
	}
	if len(c.Enum) > 0 {
		return nil
	}
	return settings // arrays, ranges, row types and the types of extensions may be made of any of these
}

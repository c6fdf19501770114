package request

// Value is the index of a client's value in Query.Values. The tree holds
// indexes only, so that two requests which differ in values alone have the same
// shape, the same plan and the same prepared statement.
type Value int

// NoValue marks an absent optional value.
const NoValue Value = -1

// Query is a parsed query string.
type Query struct {
	// Select is the tree of select=; a missing or empty parameter is the single field "*".
	Select Select
	// Filters are the horizontal filters in the order of the query string, each with the path of the embed it applies to.
	Filters []Filter
	// Logic are the and=/or= trees, each with its embed path.
	Logic []LogicFilter
	// Orders are the order= parameters, each with its embed path.
	Orders []Order
	// Windows are the limit=/offset= parameters of embedded levels, one per path; the top level is Request.Window.
	Windows []Window
	// Params are the arguments of a function call in the order of the query string; empty for relations.
	Params []Param
	// Columns are columns=, the columns of the body to write; nil when absent.
	Columns []string
	// OnConflict are on_conflict=, the columns that decide what a duplicate is; nil when absent.
	OnConflict []string
	// Cursor is the value of cursor= (keyset pages), or empty.
	Cursor string
	// CursorBackward is true for the page before the cursor. Who reads cursors sets it; Parse does not.
	CursorBackward bool
	// CursorNulls has bit i set when the cursor's i-th value is NULL: the plan depends on it. Set as CursorBackward is.
	CursorNulls int64
	// Values are the client's values, as text, in the order in which parsing met them; every Value is an index into them.
	Values []string
}

// Select is one level of select=: its fields, then its embeds, each in the order written.
type Select struct {
	Fields []Field
	Embeds []Embed
}

// Depth is how many levels of embeds there are.
func (s *Select) Depth() int {
	deepest := 0
	for i := range s.Embeds {
		deepest = max(deepest, 1+s.Embeds[i].Select.Depth())
	}
	return deepest
}

// Column is a column name with an optional JSON path into it.
type Column struct {
	Name string
	Path []JSONStep
}

// JSONStep is one -> or ->> of a JSON path.
type JSONStep struct {
	// Text is true for ->>.
	Text bool
	// Index is true when Key is an array index such as 0 or -1.
	Index bool
	Key   string
}

// Field is one selected column: alias:column::cast.aggregate()::cast.
type Field struct {
	Column
	Alias         string
	Cast          string
	Aggregate     Aggregate
	AggregateCast string
}

// Aggregate is an aggregate function in select=.
type Aggregate string

// The aggregates of PostgREST's grammar. count() without a column is a Field whose column is "*".
const (
	NoAggregate Aggregate = ""
	Sum         Aggregate = "sum"
	Avg         Aggregate = "avg"
	Count       Aggregate = "count"
	Max         Aggregate = "max"
	Min         Aggregate = "min"
)

// Embed is an embedded resource: alias:target!hint!inner(...) or ...target(...).
type Embed struct {
	Target string
	Alias  string
	Hint   string
	Join   Join
	Spread bool
	Select Select
}

// Join is how an embed joins its parent.
type Join string

// The joins; the default keeps parents without children, as JoinLeft does.
const (
	JoinDefault Join = ""
	JoinLeft    Join = "left"
	JoinInner   Join = "inner"
)

// Operator is a comparison of PostgREST's grammar, by its URL name.
type Operator string

// The operators (https://postgrest.org/en/stable/references/api/tables_views.html#operators).
const (
	Eq         Operator = "eq"
	Gt         Operator = "gt"
	Gte        Operator = "gte"
	Lt         Operator = "lt"
	Lte        Operator = "lte"
	Neq        Operator = "neq"
	Like       Operator = "like"
	ILike      Operator = "ilike"
	Match      Operator = "match"
	IMatch     Operator = "imatch"
	In         Operator = "in"
	Is         Operator = "is"
	IsDistinct Operator = "isdistinct"
	Fts        Operator = "fts"
	Plfts      Operator = "plfts"
	Phfts      Operator = "phfts"
	Wfts       Operator = "wfts"
	Cs         Operator = "cs"
	Cd         Operator = "cd"
	Ov         Operator = "ov"
	Sl         Operator = "sl"
	Sr         Operator = "sr"
	Nxr        Operator = "nxr"
	Nxl        Operator = "nxl"
	Adj        Operator = "adj"
)

// Quantifier is the any/all modifier of an operator.
type Quantifier string

// The quantifiers.
const (
	NoQuantifier Quantifier = ""
	Any          Quantifier = "any"
	All          Quantifier = "all"
)

// Condition is column, operator and value: the leaf of every filter.
type Condition struct {
	Column   Column
	Not      bool
	Operator Operator
	// Quantifier is set for eq, gt, gte, lt, lte, like, ilike, match and imatch only.
	Quantifier Quantifier
	// Language is the text search configuration of an fts operator, else NoValue.
	Language Value
	// Value is the operand; for In and quantified operators the text of a PostgreSQL array literal; NoValue for Is.
	// The * of like and ilike is already replaced by %.
	Value Value
	// Is is null, not_null, true, false or unknown for the operator Is, in lower case.
	Is string
}

// Filter is a condition on the embed at Path; an empty path is the top level.
type Filter struct {
	Path []string
	Condition
}

// LogicFilter is an and=/or= parameter on the embed at Path.
type LogicFilter struct {
	Path []string
	Logic
}

// Logic is a node of a boolean tree: a leaf when Condition is not nil.
type Logic struct {
	Not       bool
	Or        bool // the connective of Children; false is AND
	Children  []Logic
	Condition *Condition
}

// Order is one order= parameter.
type Order struct {
	Path  []string
	Terms []OrderTerm
}

// OrderTerm is column.direction.nulls, or relation(column).direction.nulls.
type OrderTerm struct {
	// Relation is the embedded resource whose column orders this level, or empty.
	Relation  string
	Column    Column
	Direction Direction
	Nulls     Nulls
}

// Direction of an order term.
type Direction string

// The directions.
const (
	NoDirection Direction = ""
	Asc         Direction = "asc"
	Desc        Direction = "desc"
)

// Nulls says where NULLs sort.
type Nulls string

// The null orders.
const (
	NoNulls    Nulls = ""
	NullsFirst Nulls = "nullsfirst"
	NullsLast  Nulls = "nullslast"
)

// Window is limit and offset of one level.
type Window struct {
	Path   []string
	Limit  int64 // NoLimit when absent
	Offset int64
}

// NoLimit is the Limit of a window without one.
const NoLimit int64 = -1

// Param is an argument of a function called by GET.
type Param struct {
	Name  string
	Value Value
}

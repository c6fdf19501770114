package plan

import (
	"slices"
	"strings"

	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// Fill is how a read is run when its answer is to be kept in a cache, and what the answer depends on.
type Fill struct {
	// Because says in a few words why the answer must not be kept; it is empty where it may be. If it is not, nothing
	// else is set but Hindrance.
	Because string
	// Hindrance is the kind of that reason.
	Hindrance Hindrance
	// SQL is the statement of the read with the two further columns ColumnStamp and ColumnKeys. Args are its arguments.
	SQL  string
	Args []Arg
	// Unkeyed is SQL without the keys, for callers who may not read the columns of a key. All levels are then to be
	// depended upon as Tables are. It is empty where SQL has no keys either.
	Unkeyed     string
	UnkeyedArgs []Arg
	// Settings are read by policies and views, besides those that every answer depends on.
	Settings []schema.SettingRead
	// Tables are depended upon as wholes: any change of theirs may change the answer.
	Tables []uint32
	// Levels are tables of which it is known which rows matter. A level comes after the one that it is embedded in.
	Levels []Level
	// Moving are operands of columns for which 'now' and 'today' are input: the answer must not be kept if one of them
	// is MovingInput.
	Moving []request.Value
	// Keeping is what the configuration says of the relations.
	Keeping Keeping
	// Unfollowed says why not all changes of what the answer depends on are told, though it is known what it depends on of the
	// caller. If it is not empty, Keeping is Limited, and SQL, Tables and Levels are not set.
	Unfollowed string
	// LimitedSQL, where Keeping is Limited, is the statement for an answer that is kept for a time whatever changes. Its
	// ColumnChanges counts what has changed of the definitions since the catalog was read: unless it is 0, what the answer
	// depends on of the caller may be another.
	LimitedSQL  string
	LimitedArgs []Arg
	// Relations are the OIDs of all relations that the answer is read from, views too.
	Relations []uint32

	keyed bool
}

// Hindrance is a kind of reasons why answers are not kept. There are few, so that metrics can count by them.
type Hindrance string

// The hindrances that a plan can have.
const (
	ByFunction   Hindrance = "function"   // the answer is the result of a function
	ByFormat     Hindrance = "format"     // it is streamed, a query plan, or rendered by a function
	ByEstimate   Hindrance = "estimate"   // it has the planner's estimate of a count
	ByRelation   Hindrance = "relation"   // what is behind a relation cannot be told, or its changes are not logged
	ByPolicy     Hindrance = "policy"     // the configuration says so
	ByExpression Hindrance = "expression" // what the request computes depends on more than rows
)

// The columns of a Fill's result that follow those of a Body.
const (
	ColumnStamp   = iota + ColumnKeyset + 1 // text: pg_current_snapshot()
	ColumnKeys                              // json: the keys of the rows shown, for Fill.Shown
	ColumnChanges                           // bigint: the changes of the schema since Options.ChangesSince
)

// Level is a level of the request, the root or an embed, whose rows are those of one table.
type Level struct {
	Table uint32
	// Key are the columns of the primary key.
	Key []int16
	// Filter are tests that a row must pass to be shown. There may be more than these.
	Filter []Test
	// Hidden is true where rows that are not shown matter as well: of offset and of counts.
	Hidden bool
	// Link are the columns that join the level to its parent; none at the root.
	Link []int16
	// Limit is the most rows for each row of the parent, or nil.
	Limit *Arg
	// Total is true where the order tells all rows apart, so that it is known which of them a limit leaves over.
	Total bool
	// Order is that order; nil where it cannot be told outside the database.
	Order []LevelOrder

	node     *node
	parent   int              // index of the level, or noLevel
	columns  []*schema.Column // whose values are in a row of keys, in this order
	children []int            // the levels whose rows follow them
	links    []*schema.Column // of the parent, for Link
}

// AllTables are the tables that an answer depends on, as wholes or by rows.
func (f *Fill) AllTables() []uint32 {
	all := slices.Clone(f.Tables)
	for i := range f.Levels {
		all = append(all, f.Levels[i].Table)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// KeptByRows reports whether a plain read of a relation is kept until one of its own rows changes, or another row comes to
// fit. If not, any change of the tables behind it drops it.
func KeptByRows(r *schema.Relation) bool { return r.Reach.Single && new(Level).keys(r) }

// noLevel stands for the parent of the root, and for levels of which not enough is known.
const noLevel = -1

// Test is one condition on a column.
type Test struct {
	Column    int16
	Kind      Kind
	Condition *request.Condition
}

// LevelOrder is a column of a total order.
type LevelOrder struct {
	Column     int16
	Kind       Kind
	Descending bool
	NullsFirst bool
}

// Kind is how the values of a type are compared outside the database.
type Kind int

// The kinds.
const (
	Incomparable Kind = iota
	Exact             // equal if their texts are: text, enum
	UUID
	Integer
	Boolean
	Date      // date
	Timestamp // without a zone
	Instant   // timestamp with time zone
)

// kindOf tells how values of a column are compared.
func kindOf(c *schema.Column) Kind {
	switch c.Type {
	case "smallint", "integer", "bigint":
		return Integer
	case "text", "character varying":
		if c.Loose {
			return Incomparable
		}
		return Exact
	case "uuid":
		return UUID
	case "boolean":
		return Boolean
	case "date":
		return Date
	case "timestamp without time zone":
		return Timestamp
	case "timestamp with time zone":
		return Instant
	}
	if len(c.Enum) > 0 && c.Type == c.NominalType {
		return Exact
	}
	return Incomparable
}

// keyable are the kinds whose values have one text only, whatever the session's settings.
func (k Kind) keyable() bool { return k == Exact || k == UUID || k == Integer }

// MovingInput reports whether a text may mean another moment each time that it is read as a date or time
// (https://www.postgresql.org/docs/current/datatype-datetime.html#DATATYPE-DATETIME-SPECIAL-VALUES). In arrays, ranges and
// rows, quotes and backslashes may be anywhere in a word.
func MovingInput(text string) bool {
	text = strings.ToLower(strings.NewReplacer(`\`, "", `"`, "").Replace(text))
	return slices.ContainsFunc([]string{"now", "today", "tomorrow", "yesterday"}, func(w string) bool {
		return strings.Contains(text, w)
	})
}

package feed

// Transaction is what one transaction did to published tables.
type Transaction struct {
	// Xid is its id, the top-level one also where subtransactions did the work.
	Xid uint32
	// EndLSN is where its commit ends in the log; math.MaxUint64, which nobody has reached, where that is not told.
	EndLSN uint64
	// Changes are in the order in which they were made.
	Changes []Change
}

// Kind is what was done to a table.
type Kind uint8

// The kinds of changes.
const (
	// Insert has a New row, Delete an Old one, Update both.
	Insert Kind = iota + 1
	Update
	Delete
	// Truncate removed all rows.
	Truncate
	// Many stands for any number of changes of any kind, in place of all that the transaction did to the table: there
	// were more than 1,000, or they could not be told apart in the wake of a change of the schema, or are not told apart at
	// all (Notify).
	Many
)

func (k Kind) String() string {
	return [...]string{"none", "insert", "update", "delete", "truncate", "many"}[k]
}

// Change is what was done to one row, or to a whole table. The rows are indexed by attribute number - 1.
type Change struct {
	// Relation is the table's OID: a partition's own.
	Relation uint32
	Kind     Kind
	// Old has at least the columns of the replica identity.
	Old []Value
	// New has all columns but generated ones and TOASTed values that were left as they are.
	New []Value
}

// Value is one column of a row.
type Value struct {
	State ValueState
	// Text is what the column's output function gives in a session with ISO dates in UTC; nil unless State is Known.
	Text []byte
}

// ValueState says what is known of a value.
type ValueState uint8

// The states of values.
const (
	// Unknown is a value that the log does not have, or a column that does not exist.
	Unknown ValueState = iota
	// Null is SQL's.
	Null
	// Known has a Text.
	Known
)

package schema

import "time"

// Name is a schema-qualified name.
type Name struct{ Schema, Name string }

// Snapshot is the catalog at one moment. It is never changed after it was
// built: a reload makes a new one.
type Snapshot struct {
	// Generation counts the snapshots of this process; it is part of every plan and statement name.
	Generation uint64
	LoadedAt   time.Time
	// Version is server_version_num, such as 150018.
	Version int
	// Relations are the tables, views, materialised views, foreign and partitioned tables of the exposed schemas
	// and, for views, junctions and computed relationships, of the schemas reached from them.
	Relations map[Name]*Relation
	// Relationships by origin and by the schema the targets are in, in a stable order.
	Relationships map[RelationshipKey][]*Relationship
	// Functions of the exposed schemas, overloads together.
	Functions map[Name][]*Function
	// Representations are the casts between domains and json or text, keyed by source and target type.
	Representations map[[2]string]Name
	// MediaHandlers by (relation or function return) and media type.
	MediaHandlers map[MediaHandlerKey]MediaHandler
	// Timezones are the names of pg_timezone_names.
	Timezones map[string]struct{}
}

// RelationshipKey finds the relationships of an origin to the relations of one schema.
type RelationshipKey struct {
	Origin       Name
	TargetSchema string
}

// Kind of a relation, as in pg_class.relkind.
type Kind byte

// The kinds of relations that can be read.
const (
	Table        Kind = 'r'
	Partitioned  Kind = 'p'
	View         Kind = 'v'
	Materialized Kind = 'm'
	Foreign      Kind = 'f'
)

// Relation is a readable relation.
type Relation struct {
	Name        Name
	OID         uint32
	Kind        Kind
	Description string
	// Insertable, Updatable and Deletable are as information_schema says, INSTEAD OF triggers included.
	Insertable, Updatable, Deletable bool
	// PrimaryKey is in key order; for a view, the primary key of its base table when the view shows all of it.
	PrimaryKey []string
	// UniqueKeys are further unique constraints and complete unique indexes on plain NOT NULL columns.
	UniqueKeys [][]string
	// Columns in ordinal order.
	Columns []Column
	byName  map[string]int
}

// Column of a relation.
type Column struct {
	Name        string
	Description string
	// Type is format_type with modifiers (character varying(10)); for a domain, the base type.
	Type string
	// NominalType is the type as declared: the domain's own name where there is one.
	NominalType string
	Nullable    bool
	// Default is the default expression, empty if none; Generated marks identity and stored generated columns.
	Default   string
	Generated bool
	MaxLength int
	Enum      []string
}

// Column finds a column by name.
func (r *Relation) Column(name string) (*Column, bool) {
	i, ok := r.byName[name]
	if !ok {
		return nil, false
	}
	return &r.Columns[i], true
}

// Cardinality of a relationship, seen from its origin.
type Cardinality int

// The cardinalities.
const (
	ManyToOne Cardinality = iota
	OneToMany
	OneToOne
	ManyToMany
)

// ToOne reports whether an origin row has at most one target row.
func (c Cardinality) ToOne() bool { return c == ManyToOne || c == OneToOne }

// Relationship from an origin to a target relation.
type Relationship struct {
	Origin, Target Name
	Cardinality    Cardinality
	// Self is true when origin and target are the same relation.
	Self bool
	// Constraint is the foreign key's name; empty for ManyToMany and computed relationships.
	Constraint string
	// Columns are the joined pairs {origin column, target column}; empty for ManyToMany and computed relationships.
	Columns []ColumnPair
	// OriginHoldsKey tells, for OneToOne, on which side the foreign key is.
	OriginHoldsKey bool
	// OriginIsView and TargetIsView say which sides are views.
	OriginIsView, TargetIsView bool
	// Junction is set for ManyToMany.
	Junction *Junction
	// Function is set for a computed relationship: it takes a row of Origin and returns rows of Target.
	Function *Name
}

// ColumnPair joins a column of the left side to one of the right side.
type ColumnPair struct{ Left, Right string }

// Junction is the table between the two sides of a many-to-many relationship.
type Junction struct {
	Table Name
	// OriginConstraint and TargetConstraint are the junction's foreign keys to either side.
	OriginConstraint, TargetConstraint string
	// Origin are the pairs {origin column, junction column}; Target the pairs {target column, junction column}.
	Origin, Target []ColumnPair
}

// Volatility of a function, as in pg_proc.provolatile.
type Volatility byte

// The volatilities.
const (
	Immutable Volatility = 'i'
	Stable    Volatility = 's'
	Volatile  Volatility = 'v'
)

// Function is a function that /rpc can call.
type Function struct {
	Name        Name
	OID         uint32
	Description string
	Params      []Param
	Returns     Return
	Volatility  Volatility
	// HasVariadic is true when the last parameter is VARIADIC.
	HasVariadic bool
	// Isolation is the function's own default_transaction_isolation setting, or empty.
	Isolation string
	// Settings are the function's SET clauses that db-hoisted-tx-settings lets apply to the whole transaction.
	Settings []Setting
}

// Param of a function (IN, INOUT and VARIADIC only).
type Param struct {
	Name string
	// Type is format_type; TypeMod keeps character(n) and bit(n) unpadded, as PostgREST's does.
	Type, TypeMod string
	Required      bool
	Variadic      bool
}

// Setting is a name and a value for set_config.
type Setting struct{ Name, Value string }

// Return describes what a function gives back.
type Return struct {
	// Set is true for SETOF and TABLE functions.
	Set bool
	// Composite is true for row types, TABLE(...) and several OUT parameters; false for scalars.
	Composite bool
	// Void is true for functions that return void.
	Void bool
	// Type is the returned type; for a composite type the relation or type name.
	Type Name
	// Alias is true when a composite type is reached through a domain.
	Alias bool
	// Table is the returned relation's name when rows of a relation come back (they can embed), else empty.
	Table string
}

// MediaHandlerKey names a relation (or, with the zero Name, any element) and a media type.
type MediaHandlerKey struct {
	Relation  Name
	MediaType string
}

// MediaHandler is the function or aggregate that renders a media type.
type MediaHandler struct {
	Function Name
	// Resolved is the media type that is answered when the handler is for */*.
	Resolved string
	// Aggregate is true for aggregates over rows, false for functions of a single value.
	Aggregate bool
}

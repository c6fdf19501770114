package plan

import (
	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// Options are the settings of the configuration that shape a plan.
type Options struct {
	// Aggregates allows aggregate functions in select= (db-aggregates-enabled).
	Aggregates bool
	// Explain allows application/vnd.pgrst.plan (db-plan-enabled).
	Explain bool
	// MaxRows caps every level of a read (db-max-rows); 0 is no cap.
	MaxRows int64
	// LegacyTargetNames lets filters address an aliased embed by its relation's name (url-use-legacy-target-names).
	LegacyTargetNames bool
	// Guards are the limits of single relations (relations).
	Guards Guards
	// Policies say how answers of single relations are kept (relations).
	Policies Policies
	// Fills makes every plan tell how its answer can be kept in a cache.
	Fills bool
	// ChangesSince is the transaction id from which on a fill counts changes of the schema; only Bind looks at it.
	ChangesSince int64
}

// Read is the plan of a read: of a relation, or of the result of a function.
// It is never changed after New, and serves any number of requests of its shape
// at a time.
type Read struct {
	// SQL is the one statement. Every value in it is a bind parameter.
	SQL string
	// Args fill $1, $2 … in order.
	Args []Arg
	// Media is the media type of the answer; its Content-Type is Media.ContentType.
	Media request.MediaType
	// Format says how the result columns become a body.
	Format Format
	// Function is set for /rpc.
	Function *schema.Function
	// Counted is true when the first result column holds the total.
	Counted bool
	// EstimateSQL is EXPLAIN of the counted query, with the arguments EstimateArgs, for count=planned and
	// count=estimated; else empty.
	EstimateSQL  string
	EstimateArgs []Arg
	// Renames are the embeds that were addressed by their relation's name although they have an alias:
	// pairs of {relation name, alias}.
	Renames [][2]string
	// Keyset is set for a cursor page.
	Keyset *Keyset
	// MaxRows caps the page: Options.MaxRows, or the relation's guard if that is smaller; 0 is no cap.
	MaxRows int64
	// CostSQL is EXPLAIN of the statement, with the same arguments, where MaxCost bounds what the planner may estimate;
	// else empty.
	CostSQL string
	MaxCost int64
	// Settings for the transaction: of the relation's guard, and for PostgreSQL's planner.
	Settings []schema.Setting
	// Fill tells how the answer can be kept in a cache; nil without Options.Fills.
	Fill *Fill
}

// Format is how the rows of a statement make up the body.
type Format int

// The formats.
const (
	// Body: one row of ResultColumns, its body column is the whole answer.
	Body Format = iota
	// Explained: the rows are lines of EXPLAIN's output.
	Explained
	// CSVRows and NDJSONRows: the result's rows are the answer's rows, to be streamed. With Counted, two columns come
	// first: the total, and true; where there are no rows, one comes that is NULL but for the total.
	CSVRows
	NDJSONRows
)

// The columns of a Body result.
const (
	ColumnTotal   = iota // bigint or null: the total of count=
	ColumnRows           // bigint: rows in the page
	ColumnBody           // text: the body
	ColumnHeaders        // text or null: response.headers
	ColumnStatus         // text or null: response.status
	ColumnKeyset         // json: [first key or null, last key or null, whether there are more]; only with Keyset
)

// New plans a GET or HEAD of a relation or function. Errors are *apierr.Error.
func New(snapshot *schema.Snapshot, r *request.Request, o Options) (*Read, error) {
	b := &builder{snapshot: snapshot, request: r, options: o}
	if r.Target == request.Function {
		return b.call()
	}
	relation, err := Relation(snapshot, r)
	if err != nil {
		return nil, err
	}
	root := &node{name: r.Name, origin: r.Name, from: relation.Name, relation: relation, guard: o.Guards.of(relation.Name)}
	if err := b.tree(root); err != nil {
		return nil, err
	}
	a, err := b.negotiate(relation.Name)
	if err != nil {
		return nil, err
	}
	return b.read(root, a, nil)
}

// Relation finds the relation that a request names; PGRST205 if there is none.
func Relation(s *schema.Snapshot, r *request.Request) (*schema.Relation, error) {
	name := schema.Name{Schema: r.Schema, Name: r.Name}
	if relation := s.Relations[name]; relation != nil {
		return relation, nil
	}
	e := &apierr.Error{
		Code:    "PGRST205",
		Message: "Could not find the table '" + name.Schema + "." + name.Name + "' in the schema cache",
	}
	if similar := s.SimilarRelation(name); similar != "" {
		e.Hint = "Perhaps you meant the table '" + name.Schema + "." + similar + "'"
	}
	return nil, e
}

// CheckAffected refuses Prefer: max-affected with handling=strict for a function that gives one value.
func (p *Read) CheckAffected(prefer *request.Preferences) error {
	if prefer.MaxAffected == nil || prefer.Handling != "strict" || p.Function == nil || p.Function.Returns.Set {
		return nil
	}
	return apierr.New("PGRST128",
		"Function must return SETOF or TABLE when max-affected preference is used with handling=strict")
}

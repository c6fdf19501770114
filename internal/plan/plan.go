package plan

import (
	"strconv"

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
}

// Read is the plan of a read: of a relation, or of the result of a function.
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
}

// Format is how the rows of a statement make up the body.
type Format int

// The formats.
const (
	// Body: one row of ResultColumns, its body column is the whole answer.
	Body Format = iota
	// Explained: the rows are lines of EXPLAIN's output.
	Explained
	// CSVRows and NDJSONRows: the result's rows are the answer's rows, to be streamed.
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
	ColumnKeyset         // json or null: the first and last key of a cursor page; only with Keyset
)

// ArgKind says where an argument's text comes from.
type ArgKind int

// The kinds of arguments.
const (
	ArgText    ArgKind = iota // Arg.Text
	ArgValue                  // Query.Values[Arg.Index]
	ArgLimit                  // the limit of Query.Windows[Arg.Index], or of the top level when Index is RootWindow
	ArgOffset                 // likewise its offset
	ArgMaxRows                // db-max-rows
	ArgList                   // a text array literal of the Query.Values in Arg.Values
	ArgCursor                 // the Arg.Index-th value of the cursor
)

// RootWindow is the Arg.Index of the top level's window.
const RootWindow = -1

// Arg is one argument of a statement.
type Arg struct {
	Kind   ArgKind
	Index  int
	Text   string
	Values []request.Value
}

// Bind appends the text of every argument for this request to dst.
// cursor holds the values of a decoded cursor, if the plan has one.
func (p *Read) Bind(dst [][]byte, r *request.Request, o Options, cursor [][]byte) [][]byte {
	return bind(dst, p.Args, r, o, cursor)
}

// BindEstimate is Bind for EstimateArgs.
func (p *Read) BindEstimate(dst [][]byte, r *request.Request, o Options) [][]byte {
	return bind(dst, p.EstimateArgs, r, o, nil)
}

func bind(dst [][]byte, args []Arg, r *request.Request, o Options, cursor [][]byte) [][]byte {
	for i := range args {
		a := &args[i]
		var v []byte
		switch a.Kind {
		case ArgText:
			v = []byte(a.Text)
		case ArgValue:
			v = []byte(r.Query.Values[a.Index])
		case ArgLimit:
			v = strconv.AppendInt(nil, capped(window(r, a.Index).Limit, o.MaxRows), 10)
		case ArgMaxRows:
			v = strconv.AppendInt(nil, o.MaxRows, 10)
		case ArgOffset:
			v = strconv.AppendInt(nil, window(r, a.Index).Offset, 10)
		case ArgList:
			v = appendArray(nil, r.Query.Values, a.Values)
		case ArgCursor:
			v = cursor[a.Index]
		}
		dst = append(dst, v)
	}
	return dst
}

func window(r *request.Request, i int) request.Window {
	if i == RootWindow {
		return r.Window
	}
	return r.Query.Windows[i]
}

func capped(limit, most int64) int64 {
	if most > 0 && (limit == request.NoLimit || limit > most) {
		return most
	}
	return limit
}

// appendArray renders values as a PostgreSQL text array literal.
func appendArray(dst []byte, all []string, values []request.Value) []byte {
	dst = append(dst, '{')
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		for _, c := range []byte(all[v]) {
			if c == '"' || c == '\\' {
				dst = append(dst, '\\')
			}
			dst = append(dst, c)
		}
		dst = append(dst, '"')
	}
	return append(dst, '}')
}

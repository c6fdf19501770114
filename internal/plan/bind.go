package plan

import (
	"encoding/hex"
	"slices"
	"strconv"

	"github.com/slipstream-go/slipstream/internal/request"
)

// ArgKind says where an argument's text comes from.
type ArgKind int

// The kinds of arguments.
const (
	ArgText          ArgKind = iota // Arg.Text
	ArgValue                        // Query.Values[Arg.Index]
	ArgLimit                        // the limit of Query.Windows[Arg.Index], or of the top level when Index is RootWindow
	ArgOffset                       // likewise its offset
	ArgWriteLimit                   // the top level's limit of a write, which db-max-rows does not cap
	ArgMaxRows                      // db-max-rows, or Arg.Most
	ArgList                         // a text array literal of the Query.Values in Arg.Values
	ArgCursor                       // the Arg.Index-th value of the cursor
	ArgPayload                      // Payload.Document
	ArgColumn                       // the Arg.Index-th of Payload.Arrays
	ArgRaw                          // Payload.Raw
	ArgBytes                        // Payload.Raw in bytea's hexadecimal form
	ArgField                        // the value of Payload.Fields[Arg.Index]
	ArgTags                         // a text array literal of the tags of If-Match
	ArgSchemaChanges                // Options.ChangesSince
	ArgFieldList                    // a text array literal of the values of the Payload.Fields in Arg.Fields
)

// RootWindow is the Arg.Index of the top level's window.
const RootWindow = -1

// Arg is one argument of a statement.
type Arg struct {
	Kind   ArgKind
	Index  int
	Text   []byte
	Values []request.Value
	Fields []int
	// Most lowers ArgLimit and ArgMaxRows further than db-max-rows does; 0 does not.
	Most int64
}

// Bind appends the text of every argument for this request to dst; nil is NULL. The request must have the shape that
// was planned. cursor holds the values of a decoded cursor, one for each of Keyset.Columns, when the request has one.
// All that it allocates is room in dst and one buffer for the texts.
func (p *Read) Bind(dst [][]byte, r *request.Request, o Options, cursor [][]byte) [][]byte {
	return bind(dst, p.Args, r, o, cursor)
}

// BindEstimate is Bind for EstimateArgs.
func (p *Read) BindEstimate(dst [][]byte, r *request.Request, o Options) [][]byte {
	return bind(dst, p.EstimateArgs, r, o, nil)
}

// Bind is Read.Bind for the statement of a fill.
func (f *Fill) Bind(dst [][]byte, r *request.Request, o Options, cursor [][]byte) [][]byte {
	return bind(dst, f.Args, r, o, cursor)
}

// BindUnkeyed is Bind for Unkeyed.
func (f *Fill) BindUnkeyed(dst [][]byte, r *request.Request, o Options, cursor [][]byte) [][]byte {
	return bind(dst, f.UnkeyedArgs, r, o, cursor)
}

// BindLimited is Bind for LimitedSQL.
func (f *Fill) BindLimited(dst [][]byte, r *request.Request, o Options, cursor [][]byte) [][]byte {
	return bind(dst, f.LimitedArgs, r, o, cursor)
}

func bind(dst [][]byte, args []Arg, r *request.Request, o Options, cursor [][]byte) [][]byte {
	size := 0
	for i := range args {
		size += args[i].room(r)
	}
	buf := make([]byte, 0, size)
	dst = slices.Grow(dst, len(args))
	var arrays [][]byte
	for i := range args {
		switch a := &args[i]; a.Kind {
		case ArgText:
			dst = append(dst, a.Text)
		case ArgCursor:
			dst = append(dst, cursor[a.Index])
		case ArgPayload:
			dst = append(dst, r.Payload.Document())
		case ArgColumn:
			if arrays == nil {
				arrays = r.Payload.Arrays()
			}
			dst = append(dst, arrays[a.Index])
		case ArgRaw:
			dst = append(dst, r.Payload.Raw)
		case ArgBytes:
			dst = append(dst, append([]byte(`\x`), hex.EncodeToString(r.Payload.Raw)...))
		case ArgField:
			dst = append(dst, []byte(r.Payload.Fields[a.Index].Value))
		case ArgFieldList:
			values := make([]string, len(a.Fields))
			indices := make([]request.Value, len(a.Fields))
			for i, f := range a.Fields {
				values[i], indices[i] = r.Payload.Fields[f].Value, request.Value(i)
			}
			dst = append(dst, appendArray(nil, values, indices))
		default:
			start := len(buf)
			buf = a.append(buf, r, o)
			dst = append(dst, buf[start:len(buf):len(buf)])
		}
	}
	return dst
}

// room is what append will need at most, in bytes.
func (a *Arg) room(r *request.Request) int {
	const digits = 20
	switch a.Kind {
	case ArgValue:
		return len(r.Query.Values[a.Index])
	case ArgLimit, ArgOffset, ArgWriteLimit, ArgMaxRows, ArgSchemaChanges:
		return digits
	case ArgTags:
		return len("{}") + (etagDigits+len(","))*len(r.IfMatch.List)
	case ArgList:
		size := len("{}")
		for _, v := range a.Values {
			size += 2*len(r.Query.Values[v]) + len(`"",`)
		}
		return size
	}
	return 0
}

func (a *Arg) append(dst []byte, r *request.Request, o Options) []byte {
	switch a.Kind {
	case ArgValue:
		return append(dst, r.Query.Values[a.Index]...)
	case ArgLimit, ArgMaxRows:
		return strconv.AppendInt(dst, a.Limit(r, o), 10)
	case ArgOffset:
		return strconv.AppendInt(dst, window(r, a.Index).Offset, 10)
	case ArgWriteLimit:
		return strconv.AppendInt(dst, r.Window.Limit, 10)
	case ArgSchemaChanges:
		return strconv.AppendInt(dst, o.ChangesSince, 10)
	case ArgTags:
		return appendTags(dst, r.IfMatch.List)
	case ArgList:
		return appendArray(dst, r.Query.Values, a.Values)
	}
	return dst
}

// Limit is the number of an ArgLimit or ArgMaxRows.
func (a *Arg) Limit(r *request.Request, o Options) int64 {
	if a.Kind == ArgMaxRows {
		return lower(o.MaxRows, a.Most)
	}
	return window(r, a.Index).Restrict(lower(o.MaxRows, a.Most)).Limit
}

func window(r *request.Request, i int) *request.Window {
	if i == RootWindow {
		return &r.Window
	}
	return &r.Query.Windows[i]
}

// lower is the smaller of two bounds, of which 0 is none.
func lower(a, b int64) int64 {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
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

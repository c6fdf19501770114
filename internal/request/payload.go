package request

import (
	"slices"

	"github.com/slipstream-go/slipstream/internal/apierr"
)

// Payload is the body of a write or of a function call, checked as PostgREST checks it.
type Payload struct {
	Kind PayloadKind
	// JSON is what is bound as the json parameter of a JSONPayload: the body itself, or what CSV and the form of a
	// relation became. An array without rows, and a scalar without columns=, is [] without white space. It is empty
	// for a function called with an empty body, and for a Columnar payload of CSV until Document makes it.
	JSON []byte
	// Object is true where JSON is one object (json_to_record), false where it is an array (json_to_recordset).
	Object bool
	// Rows are the rows in JSON: 1 for an object. It is -1 where columns= was given and JSON is not well-formed:
	// PostgreSQL is to refuse it.
	Rows int
	// Columns are the columns to write or the arguments given, sorted as bytes, each once: those of columns= where
	// it counts (JSON, but not with PUT), else the keys that all objects have.
	Columns []string
	// Columnar is true where Arrays gives the same rows: there are many, all with the same keys in the same order.
	Columnar bool
	order    []int
	csv      *csvRows // what a Columnar payload is made of, if it was CSV
	// Fields are those of a FormPayload, in their order and with repetitions (variadic arguments).
	Fields []FormField
	// Raw is the body of a RawPayload, the value of a function's single unnamed parameter.
	Raw []byte
}

// PayloadKind says which fields of a Payload count.
type PayloadKind int

// The kinds of payloads.
const (
	JSONPayload PayloadKind = iota // JSON, Object, Rows
	FormPayload                    // Fields: a form calls a function
	RawPayload                     // Raw: text/plain, text/xml or application/octet-stream calls a function
)

// FormField is a field of application/x-www-form-urlencoded, decoded.
type FormField struct{ Name, Value string }

// ReadPayload checks the body and finds out which columns it gives. It gives nil
// where a body does not count: with GET, HEAD, OPTIONS and DELETE.
//
// Every error is an *apierr.Error with a 4xx status: PGRST102 for a content type
// that the target does not take, malformed JSON or CSV and rows that differ,
// SLIP103 beyond the limits of nesting and size, 22021 for bytes that are no
// text. The Cause of a PGRST102 about the text says where, as a
// *BodyError.
//
// The payload shares memory with the body, but Columns do not.
func (r *Request) ReadPayload(body []byte) (*Payload, error) {
	p, err := r.readPayload(body)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (r *Request) readPayload(body []byte) (*Payload, *apierr.Error) {
	calling := r.Target == Function
	switch r.Method {
	case "POST", "PATCH", "PUT":
	default:
		return nil, nil
	}
	switch name := r.ContentType.Name; {
	case name == JSON:
		return r.readJSON(body)
	case name == CSV:
		return readCSV(body, maxConverted)
	case name == URLEncoded && calling:
		return readForm(body)
	case name == URLEncoded:
		return readFormRow(body)
	case calling && (name == TextPlain || name == TextXML || name == OctetStream):
		return &Payload{Kind: RawPayload, Raw: body}, nil
	}
	return nil, apierr.New("PGRST102", "Content-Type not acceptable: "+r.ContentType.String())
}

// readJSON reads rows, one of them or none: a scalar is no row.
func (r *Request) readJSON(body []byte) (*Payload, *apierr.Error) {
	if len(body) == 0 && r.Target == Function {
		return &Payload{JSON: body, Object: true, Rows: 1}, nil
	}
	if r.Query.Columns != nil && r.Method != "PUT" {
		return r.readColumnsOnly(body)
	}
	t := jsonRows{jsonText: jsonText{s: body}}
	switch {
	case !t.scan(true):
		return nil, t.fault()
	case t.ragged:
		return nil, t.raggedFault()
	case t.rows == 0 || t.opening != '{' && t.opening != '[':
		return &Payload{JSON: []byte("[]")}, nil
	}
	p := &Payload{JSON: body, Object: t.opening == '{', Rows: t.rows, Columns: t.names()}
	if p.Rows >= leastColumnar {
		p.setOrder(t.order())
	}
	return p, nil
}

// readColumnsOnly leaves it to PostgreSQL to find what it needs of the columns
// that columns= names, and to judge a malformed text.
func (r *Request) readColumnsOnly(body []byte) (*Payload, *apierr.Error) {
	t := jsonRows{jsonText: jsonText{s: body}}
	if !t.scan(false) {
		if t.deep {
			return nil, t.fault()
		}
		t.rows = -1
	}
	columns := slices.Clone(r.Query.Columns)
	slices.Sort(columns)
	return &Payload{JSON: body, Object: t.opening == '{', Rows: t.rows, Columns: slices.Compact(columns)}, nil
}

package plan

import (
	"slices"
	"strings"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// Function finds the function that a request calls: the overload whose parameters its arguments fit, or for a POST the
// one with a single unnamed parameter that takes the body as it is
// (https://postgrest.org/en/stable/references/api/functions.html). PGRST202 if there is none, PGRST203 if there are
// several. OPTIONS asks for it too.
func Function(s *schema.Snapshot, r *request.Request) (*schema.Function, error) {
	name := schema.Name{Schema: r.Schema, Name: r.Name}
	overloads := s.Functions[name]
	keys := argumentNames(r)
	var fits, takers []*schema.Function
	for _, f := range overloads {
		switch {
		case accepts(f, keys) && !(len(f.Params) == 0 && rawBody(r)):
			fits = append(fits, f)
		case takesBody(f, r):
			takers = append(takers, f)
		}
	}
	if len(fits) == 0 {
		fits = takers
	}
	switch len(fits) {
	case 0:
		return nil, functionNotFound(s, r, keys, overloads)
	case 1:
		return fits[0], nil
	}
	return nil, ambiguousCall(fits)
}

// argumentNames are the names of the request's arguments, sorted: of the query string, or of the body of a POST.
func argumentNames(r *request.Request) []string {
	var keys []string
	switch {
	case r.Payload == nil:
		for _, p := range r.Query.Params {
			keys = append(keys, p.Name)
		}
	case r.Payload.Kind == request.FormPayload:
		for _, f := range r.Payload.Fields {
			keys = append(keys, f.Name)
		}
	case r.Payload.Kind == request.JSONPayload:
		keys = slices.Clone(r.Payload.Columns)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// rawBody reports whether the body is a value by itself, which only a parameter without a name can take.
func rawBody(r *request.Request) bool {
	return r.Payload != nil && r.Payload.Kind == request.RawPayload
}

// accepts reports whether every required parameter has an argument and every argument a parameter.
func accepts(f *schema.Function, keys []string) bool {
	for _, p := range f.Params {
		if p.Required && !slices.Contains(keys, p.Name) {
			return false
		}
	}
	for _, k := range keys {
		if !slices.ContainsFunc(f.Params, func(p schema.Param) bool { return p.Name == k }) {
			return false
		}
	}
	return true
}

// takesBody reports whether the function's only parameter has no name and a type for the body.
func takesBody(f *schema.Function, r *request.Request) bool {
	if r.Payload == nil || !unnamed(f) {
		return false
	}
	switch r.ContentType.Name {
	case request.JSON:
		return f.Params[0].Type == "json" || f.Params[0].Type == "jsonb"
	case request.TextPlain:
		return f.Params[0].Type == "text"
	case request.TextXML:
		return f.Params[0].Type == "xml"
	case request.OctetStream:
		return f.Params[0].Type == "bytea"
	}
	return false
}

func unnamed(f *schema.Function) bool { return len(f.Params) == 1 && f.Params[0].Name == "" }

func functionNotFound(s *schema.Snapshot, r *request.Request, keys []string, overloads []*schema.Function) error {
	full := r.Schema + "." + r.Name
	list := strings.Join(keys, ", ")
	message, details := " without parameters", " without parameters"
	if len(keys) > 0 {
		message, details = "("+list+")", " with parameter "+list
	}
	if len(keys) > 1 {
		details = " with parameters " + list
	}
	if r.Payload != nil {
		switch r.ContentType.Name {
		case request.TextPlain:
			message, details = "", " with a single unnamed text parameter"
		case request.TextXML:
			message, details = "", " with a single unnamed xml parameter"
		case request.OctetStream:
			message, details = "", " with a single unnamed bytea parameter"
		case request.JSON:
			details += " or with a single unnamed json/jsonb parameter"
		}
	}
	e := &apierr.Error{
		Code:    "PGRST202",
		Message: "Could not find the function " + full + message + " in the schema cache",
		Details: "Searched for the function " + full + details + ", but no matches were found in the schema cache.",
	}
	if rawBody(r) {
		return e
	}
	if similar := s.SimilarFunction(schema.Name{Schema: r.Schema, Name: r.Name}, keys); similar != "" {
		e.Hint = "Perhaps you meant to call the function " + r.Schema + "." + similar
	}
	return e
}

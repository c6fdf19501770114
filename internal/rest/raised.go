package rest

import (
	"encoding/json"
	"net/http"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/pg"
)

// raised is RAISE SQLSTATE 'PGRST': the function decides status, headers and envelope, as JSON in MESSAGE and DETAIL
// (https://postgrest.org/en/stable/references/errors.html#full-control-over-the-response).
func raised(e *pg.Error) *apierr.Error {
	bad := func(details, hint string) *apierr.Error {
		return &apierr.Error{
			Code: "PGRST121", Message: `Could not parse JSON in the "RAISE SQLSTATE 'PGRST'" error`,
			Details: details, Hint: hint,
		}
	}
	const detailHint = "DETAIL must be a JSON object with obligatory keys: 'status', 'headers' and optional key: 'status_text'."
	var message struct {
		Code, Message *string
		Details, Hint *string
	}
	if json.Unmarshal([]byte(e.Message), &message) != nil || message.Code == nil || message.Message == nil {
		return bad("Invalid JSON value for MESSAGE: '"+e.Message+"'",
			"MESSAGE must be a JSON object with obligatory keys: 'code', 'message' and optional keys: 'details', 'hint'.")
	}
	if e.Detail == "" {
		return bad("DETAIL is missing in the RAISE statement", detailHint)
	}
	var detail struct {
		Status  *int
		Headers *map[string]string
	}
	if json.Unmarshal([]byte(e.Detail), &detail) != nil || detail.Status == nil || detail.Headers == nil ||
		*detail.Status < 200 || *detail.Status > 999 {
		return bad("Invalid JSON value for DETAIL: '"+e.Detail+"'", detailHint)
	}
	out := &apierr.Error{Code: *message.Code, Message: *message.Message, Status: *detail.Status, Header: http.Header{}}
	if message.Details != nil {
		out.Details = *message.Details
	}
	if message.Hint != nil {
		out.Hint = *message.Hint
	}
	for name, value := range *detail.Headers {
		if problem := headerProblem(name, value); problem != "" {
			return bad("Invalid JSON value for DETAIL: '"+e.Detail+"'", problem)
		}
		out.Header.Set(name, value)
	}
	return out
}

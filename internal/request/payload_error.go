package request

import (
	"bytes"
	"fmt"

	"github.com/slipstream-go/slipstream/internal/apierr"
)

// BodyError says where a body is malformed, or which row differs. It is the Cause
// of a PGRST102, for the log: PostgREST's clients know the details as null.
type BodyError struct {
	Offset  int // bytes before the fault
	Line    int // from 1; a line ends with a line feed
	Column  int // in bytes, from 1
	Problem string
}

func newBodyError(body []byte, at int, problem string) *BodyError {
	before := body[:min(at, len(body))]
	return &BodyError{
		Offset:  len(before),
		Line:    1 + bytes.Count(before, []byte{'\n'}),
		Column:  len(before) - bytes.LastIndexByte(before, '\n'),
		Problem: problem,
	}
}

func (e *BodyError) Error() string {
	return fmt.Sprintf("line %d, column %d (byte %d): %s", e.Line, e.Column, e.Offset, e.Problem)
}

func invalidBody(message string, cause *BodyError) *apierr.Error {
	return &apierr.Error{Code: "PGRST102", Message: message, Cause: cause}
}

func tooDeep(where *BodyError) *apierr.Error {
	return &apierr.Error{
		Code:    "SLIP103",
		Message: "The body is nested too deeply",
		Details: where.Error(),
		Hint:    fmt.Sprintf("Arrays and objects may nest %d deep.", maxJSONDepth),
	}
}

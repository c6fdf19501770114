package request

import (
	"bytes"
	"fmt"

	"github.com/slipstream-go/slipstream/internal/apierr"
)

// SyntaxError says where a body is malformed. It is the Cause of the PGRST102
// that the client gets: PostgREST's clients know its details as null.
type SyntaxError struct {
	Offset  int // bytes before the fault
	Line    int // from 1; a line ends with a line feed
	Column  int // in bytes, from 1
	Problem string
}

func newSyntaxError(body []byte, at int, problem string) *SyntaxError {
	before := body[:min(at, len(body))]
	return &SyntaxError{
		Offset:  len(before),
		Line:    1 + bytes.Count(before, []byte{'\n'}),
		Column:  len(before) - bytes.LastIndexByte(before, '\n'),
		Problem: problem,
	}
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d (byte %d): %s", e.Line, e.Column, e.Offset, e.Problem)
}

func invalidBody(message string, cause error) *apierr.Error {
	return &apierr.Error{Code: "PGRST102", Message: message, Cause: cause}
}

func tooDeep(where *SyntaxError) *apierr.Error {
	return &apierr.Error{
		Code:    "SLIP103",
		Message: "The body is nested too deeply",
		Details: where.Error(),
		Hint:    fmt.Sprintf("Arrays and objects may nest %d deep.", maxJSONDepth),
	}
}

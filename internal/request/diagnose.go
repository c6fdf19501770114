package request

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/slipstream-go/slipstream/internal/apierr"
)

// mostDiagnosed is the longest text, in bytes, that is diagnosed: that takes microseconds a byte, for which a hostile
// client would not pay.
const mostDiagnosed = 2 << 10

// malformedNear reports about where a long text went wrong, instead of what would have been right there.
func malformedNear(what, text string, at int) *apierr.Error {
	at = min(at, len(text))
	details := "unexpected end of input"
	if at < len(text) {
		details = "unexpected " + strconv.Quote(strings.ToValidUTF8(text[at:min(at+20, len(text))], ""))
	}
	return &apierr.Error{
		Code:    "PGRST100",
		Message: fmt.Sprintf(`"failed to parse %s" (near byte %d of %d)`, what, at+1, len(text)),
		Details: details,
	}
}

// diagnose reports why a text does not follow a rule, in PostgREST's words.
func diagnose(r rule, what, shown, text string) *apierr.Error {
	in := &source{text: []rune(text), watch: -1}
	in.watch = r(in, 0).failure.at
	o := r(in, 0)
	details := o.failure.text()
	if o.ok || details == "" {
		details = "unknown parse error"
	}
	line, column := in.position(o.failure.at)
	return &apierr.Error{
		Code:    "PGRST100",
		Message: fmt.Sprintf(`"failed to parse %s (%s)" (line %d, column %d)`, what, shown, line, column),
		Details: details,
	}
}

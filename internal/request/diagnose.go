package request

import (
	"fmt"

	"github.com/slipstream-go/slipstream/internal/apierr"
)

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

package request

import (
	"fmt"

	"github.com/slipstream-go/slipstream/internal/apierr"
)

// parser builds a Query; one serves all parameters of a request.
//
// A false result means that the text is malformed, or that refusal is set
// because the query asks for more than the limits allow.
type parser struct {
	scanner
	q          *Query
	limits     Limits
	fields     int
	embeds     int
	conditions int
	refusal    *apierr.Error
}

// Defaults of Limits.
const (
	defaultDepth      = 32
	defaultConditions = 512
	defaultFields     = 1600
	defaultEmbeds     = 64
)

func (l Limits) withDefaults() Limits {
	if l.Depth <= 0 {
		l.Depth = defaultDepth
	}
	if l.Conditions <= 0 {
		l.Conditions = defaultConditions
	}
	if l.Fields <= 0 {
		l.Fields = defaultFields
	}
	if l.Embeds <= 0 {
		l.Embeds = defaultEmbeds
	}
	return l
}

// read points the scanner at another text.
func (p *parser) read(text string) { p.scanner = scanner{s: text} }

// value stores a client's value.
func (p *parser) value(text string) Value {
	if p.q.Values == nil {
		p.q.Values = make([]string, 0, 4)
	}
	p.q.Values = append(p.q.Values, text)
	return Value(len(p.q.Values) - 1)
}

func (p *parser) countField() bool {
	p.fields++
	return p.fields <= p.limits.Fields || p.refuse("fields", "selected fields, embeds and order terms", p.limits.Fields)
}

func (p *parser) countEmbed() bool {
	p.embeds++
	return p.embeds <= p.limits.Embeds || p.refuse("embeds", "embedded resources", p.limits.Embeds)
}

func (p *parser) countCondition() bool {
	p.conditions++
	return p.conditions <= p.limits.Conditions || p.refuse("conditions", "filters, logic nodes and arguments", p.limits.Conditions)
}

func (p *parser) checkDepth(depth int) bool {
	return depth <= p.limits.Depth || p.refuse("depth", "nested embeds or logic trees", p.limits.Depth)
}

func (p *parser) refuse(limit, what string, most int) bool {
	p.refusal = &apierr.Error{
		Code:    "SLIP103",
		Message: "The query is too complex",
		Details: fmt.Sprintf("More than %d %s", most, what),
		Hint:    fmt.Sprintf("Split the request; the limit %q is %d.", limit, most),
	}
	return false
}

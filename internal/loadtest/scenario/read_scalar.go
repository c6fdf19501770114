package scenario

import (
	"math"
	"strconv"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// scalarOf reads a text and gives it to set, whose error is the remedy.
func (r *reader) scalarOf(set func(text string) (remedy string)) take {
	return func(path string, n ast.Node) {
		text, ok := scalar(n)
		if !ok {
			r.problem(path, "write a plain value; mappings, lists, anchors, aliases and tags are not possible here")
			return
		}
		if remedy := set(text); remedy != "" {
			r.problem(path, "%q is not possible; %s", short(text), remedy)
		}
	}
}

func (r *reader) text(p *string) take {
	return r.scalarOf(func(s string) string {
		if *p = s; s == "" {
			return "write a text, or remove the line"
		}
		return ""
	})
}

// anyText may be empty.
func (r *reader) anyText(p *string) take {
	return r.scalarOf(func(s string) string { *p = s; return "" })
}

func (r *reader) flag(p *bool) take {
	return r.scalarOf(func(s string) string {
		var err error
		if *p, err = strconv.ParseBool(s); err != nil || len(s) == 1 {
			return "write true or false"
		}
		return ""
	})
}

// count reads a whole number from 1.
func (r *reader) count(p *int) take {
	return r.scalarOf(func(s string) string {
		var err error
		if *p, err = strconv.Atoi(s); err != nil || *p < 1 {
			return "write a whole number from 1"
		}
		return ""
	})
}

func (r *reader) weight(p *uint64) take {
	return r.scalarOf(func(s string) string {
		var err error
		if *p, err = strconv.ParseUint(s, 10, 64); err != nil || *p < 1 {
			return "write a whole number from 1; to leave something out, remove it"
		}
		return ""
	})
}

func (r *reader) seed(p *uint64) take {
	return r.scalarOf(func(s string) string {
		var err error
		if *p, err = strconv.ParseUint(s, 10, 64); err != nil {
			return "write a whole number from 0"
		}
		return ""
	})
}

func (r *reader) integer(p *int64) take {
	return r.scalarOf(func(s string) string {
		var err error
		if *p, err = strconv.ParseInt(s, 10, 64); err != nil {
			return "write a whole number"
		}
		return ""
	})
}

func (r *reader) exponent(p *float64) take {
	return r.scalarOf(func(s string) string {
		var err error
		if *p, err = strconv.ParseFloat(s, 64); err != nil || !(*p > 0) || math.IsInf(*p, 0) {
			return "write an exponent greater than 0, such as 0.99"
		}
		return ""
	})
}

func (r *reader) duration(p *time.Duration) take {
	return r.scalarOf(func(s string) string {
		var err error
		if *p, err = time.ParseDuration(s); err != nil || *p <= 0 {
			return "write a time with its unit, such as 500ms, 30s or 5m"
		}
		return ""
	})
}

// choice reads one of a few words.
func choice[T any](r *reader, p *T, remedy string, values map[string]T) take {
	return r.scalarOf(func(s string) string {
		v, ok := values[s]
		if !ok {
			return remedy
		}
		*p = v
		return ""
	})
}

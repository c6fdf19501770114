package scenario

import (
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

func (r *reader) scenario(s *Scenario) take {
	return r.mapping("target: http://127.0.0.1:3000",
		field{"target", r.text(&s.Target)},
		field{"seed", r.seed(&s.Seed)},
		field{"arrivals", choice(r, &s.Arrivals, "write poisson or even", arrivals())},
		field{"max-connections", r.count(&s.MaxConnections)},
		field{"http", choice(r, &s.Protocol, "write 1.1 or 2", protocols())},
		field{"timeout", r.duration(&s.Timeout)},
		field{"variables", r.variables(&s.Variables)},
		field{"headers", r.headers(&s.Headers)},
		field{"phases", r.sequence("- {duration: 10s, rate: 100}", func(path string, n ast.Node) {
			s.Phases = append(s.Phases, r.phase(path, n))
		})},
		field{"requests", r.sequence("- path: /orders", func(path string, n ast.Node) {
			s.Requests = append(s.Requests, r.request(path, n))
		})},
	)
}

func arrivals() map[string]loadtest.Arrivals {
	return map[string]loadtest.Arrivals{"poisson": loadtest.Poisson, "even": loadtest.Even}
}

func protocols() map[string]loadtest.Protocol {
	return map[string]loadtest.Protocol{"1.1": loadtest.HTTP1, "2": loadtest.HTTP2}
}

func (r *reader) headers(all *[]Header) take {
	return r.entries("{Accept: application/json}", func(path, name string, n ast.Node) {
		h := Header{Name: name}
		r.anyText(&h.Value)(path, n)
		*all = append(*all, h)
	})
}

func (r *reader) phase(path string, n ast.Node) Phase {
	var p Phase
	r.mapping("{duration: 10s, rate: 100}",
		field{"name", r.text(&p.Name)},
		field{"duration", r.duration(&p.Duration)},
		field{"rate", r.rate(&p.Phase)},
		field{"steps", r.count(&p.Steps)},
		field{"connections", r.count(&p.Connections)},
		field{"warm-up", r.flag(&p.WarmUp)},
	)(path, n)
	return p
}

func (r *reader) rate(p *loadtest.Phase) take {
	return r.scalarOf(func(s string) string { return setRate(p, s) })
}

// setRate takes one, or two with two dots between them.
func setRate(p *loadtest.Phase, s string) (remedy string) {
	from, to, changes := strings.Cut(s, "..")
	if !changes {
		to = from
	}
	var err1, err2 error
	p.From, err1 = strconv.ParseFloat(from, 64)
	p.To, err2 = strconv.ParseFloat(to, 64)
	if err1 != nil || err2 != nil || !isRate(p.From) || !isRate(p.To) || p.From+p.To == 0 {
		return "write requests a second, such as 100 or 0.5, or 100..500 for a rate that changes, up to 1000000"
	}
	return ""
}

func (r *reader) request(path string, n ast.Node) Request {
	var q Request
	r.mapping("path: /orders",
		field{"name", r.text(&q.Name)},
		field{"weight", r.weight(&q.Weight)},
		field{"group", r.text(&q.Group)},
		field{"method", r.text(&q.Method)},
		field{"path", r.text(&q.Path)},
		field{"headers", r.headers(&q.Headers)},
		field{"body", r.body(&q.Body)},
		field{"body-file", r.text(&q.BodyFile)},
		field{"expect", r.mapping("{status: 200}",
			field{"status", r.statuses(&q.Expect.Status)},
			field{"body", r.mapping("{json: true}",
				field{"contains", r.text(&q.Expect.Contains)},
				field{"json", r.flag(&q.Expect.JSON)},
			)},
		)},
	)(path, n)
	return q
}

// parseStatus reads one, or a class such as 2xx.
func parseStatus(s string) (status StatusRange, remedy string) {
	class, whole := strings.CutSuffix(s, "xx")
	n, err := strconv.Atoi(class)
	switch {
	case err != nil:
		return status, "write a status such as 200, or a class such as 2xx"
	case whole:
		return StatusRange{n * 100, n*100 + 99}, ""
	}
	return StatusRange{n, n}, ""
}

// statuses reads one or a list.
func (r *reader) statuses(all *[]StatusRange) take {
	one := r.scalarOf(func(s string) string {
		status, remedy := parseStatus(s)
		*all = append(*all, status)
		return remedy
	})
	return func(path string, n ast.Node) {
		if _, list := n.(*ast.SequenceNode); list {
			r.sequence("[200, 404]", one)(path, n)
		} else {
			one(path, n)
		}
	}
}

func (r *reader) variables(all *[]Variable) take {
	return r.entries("id: {range: [1, 100]}", func(path, name string, n ast.Node) {
		if from := r.values(path, n); from != nil {
			*all = append(*all, Variable{name, from})
		}
	})
}

// values reads where a variable's values come from, by the field that names the kind.
func (r *reader) values(path string, n ast.Node) Values {
	given := ""
	entries, _ := entriesOf(n)
	for _, e := range entries {
		switch name, _ := scalar(e.Key); {
		case !slices.Contains([]string{"range", "zipf", "sequence", "list", "file", "env"}, name):
		case given != "":
			r.problem(path, "has both %s and %s; a variable has one kind of values, so remove one of the two", given, name)
			return nil
		default:
			given = name
		}
	}
	switch given {
	case "range":
		return r.rangeOf(path, n)
	case "zipf":
		var v Zipf
		r.mapping("", field{"zipf", r.integer(&v.N)}, field{"s", r.exponent(&v.S)})(path, n)
		return v
	case "sequence":
		var v Sequence
		r.mapping("", field{"sequence", r.integer(&v.From)})(path, n)
		return v
	case "list":
		return r.list(path, n)
	case "file":
		return r.file(path, n)
	case "env":
		var v Env
		r.mapping("", field{"env", r.text(&v.Name)})(path, n)
		return v
	}
	r.problem(path, "does not say where its values come from; write range, zipf, sequence, list, file or env, such as {range: [1, 100]}")
	return nil
}

func (r *reader) rangeOf(path string, n ast.Node) Values {
	var bounds []int64
	r.mapping("", field{"range", r.sequence("[1, 100]", func(path string, n ast.Node) {
		bounds = append(bounds, 0)
		r.integer(&bounds[len(bounds)-1])(path, n)
	})})(path, n)
	if len(bounds) != 2 {
		r.problem(path+".range", "write the least and the greatest number, such as [1, 100]")
		return Range{}
	}
	return Range{bounds[0], bounds[1]}
}

func (r *reader) list(path string, n ast.Node) Values {
	var v List
	numbers := true
	item := func(path string, n ast.Node) {
		v.Values = append(v.Values, "")
		r.anyText(&v.Values[len(v.Values)-1])(path, n)
		switch n.(type) {
		case *ast.IntegerNode, *ast.FloatNode:
		default:
			numbers = false
		}
	}
	weight := func(path string, n ast.Node) {
		v.Weights = append(v.Weights, 0)
		r.weight(&v.Weights[len(v.Weights)-1])(path, n)
	}
	r.mapping("", field{"list", r.sequence("[ann, bob]", item)}, field{"weights", r.sequence("[9, 1]", weight)})(path, n)
	v.Numbers = numbers && len(v.Values) > 0
	return v
}

func (r *reader) file(path string, n ast.Node) Values {
	var v File
	r.mapping("",
		field{"file", r.text(&v.Path)},
		field{"column", r.text(&v.Column)},
		field{"weights", r.text(&v.Weights)},
		field{"order", choice(r, &v.InOrder, "write random or in-order", map[string]bool{"random": false, "in-order": true})},
		field{"numbers", r.flag(&v.Numbers)},
	)(path, n)
	return v
}

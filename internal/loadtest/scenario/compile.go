package scenario

import (
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// Load makes what is run of the scenario. Files are relative to dir; lookup is os.LookupEnv, but for tests. All that is wrong
// is in the error, one problem a line, by its place in the scenario.
func (s *Scenario) Load(dir string, lookup func(string) (string, bool)) (loadtest.Load, error) {
	if problems := s.check(); len(problems) > 0 {
		return loadtest.Load{}, joined(problems)
	}
	c := compiler{Scenario: s, opener: opener{dir: dir, lookup: lookup, files: map[string][][]string{}}}
	source, err := c.source()
	if err != nil {
		return loadtest.Load{}, err
	}
	load := loadtest.Load{
		Source: source, Arrivals: s.Arrivals, Seed: s.Seed,
		MaxConnections: s.MaxConnections, Protocol: s.Protocol, Timeout: s.Timeout,
	}
	for _, p := range s.Phases {
		load.Phases = append(load.Phases, p.Phase)
		load.Connections = max(load.Connections, p.Connections)
	}
	load.Target, err = url.Parse(s.Target)
	return load, err
}

func joined(problems []problem) error {
	errs := make([]error, len(problems))
	for i, p := range problems {
		errs[i] = p
	}
	return errors.Join(errs...)
}

// compiler makes a source of a scenario in which there is nothing wrong.
type compiler struct {
	*Scenario
	opener   opener
	opened   []variable
	problems []error
}

func (c *compiler) source() (*source, error) {
	for _, v := range c.Variables {
		opened, err := c.opener.open(v)
		if err != nil {
			c.problems = append(c.problems, err)
			opened.drawer = &texts{values: []string{""}}
		}
		c.opened = append(c.opened, opened)
	}
	s := &source{seed: c.Seed, variables: c.opened}
	for i := range c.Requests {
		k := c.kind(fmt.Sprintf("requests[%d].", i), &c.Requests[i])
		k.shape = len(s.shapes)
		s.shapes = append(s.shapes, c.shapes(&c.Requests[i])...)
		s.kinds = append(s.kinds, k)
	}
	s.sums, _ = sums(c.weights())
	return s, errors.Join(c.problems...)
}

func (s *Scenario) weights() []uint64 {
	weights := make([]uint64, len(s.Requests))
	for i, r := range s.Requests {
		weights[i] = max(r.Weight, 1)
	}
	return weights
}

// shapes of a request: one, or one for each value of its group's variable.
func (c *compiler) shapes(r *Request) []loadtest.Shape {
	shape := loadtest.Shape{Name: r.Name, Check: r.Expect.judge()}
	if r.Name == "" {
		shape.Name = r.method() + " " + r.Path
	}
	pieces, _ := split(r.Group)
	groups := []string{""}
	for _, p := range pieces {
		values := []string{p.text}
		if p.variable != "" {
			values = c.variable(p.variable).(List).Values
		}
		var longer []string
		for _, g := range groups {
			for _, v := range values {
				longer = append(longer, g+v)
			}
		}
		groups = longer
	}
	shapes := make([]loadtest.Shape, len(groups))
	for i, g := range groups {
		shapes[i] = shape
		shapes[i].Group = g
	}
	return shapes
}

func (r *Request) method() string {
	switch {
	case r.Method != "":
		return r.Method
	case r.Body != "" || r.BodyFile != "":
		return "POST"
	}
	return "GET"
}

func (c *compiler) kind(prefix string, r *Request) kind {
	k := kind{method: r.method(), group: -1}
	path, _ := split(r.Path)
	for i := range path {
		path[i].text, _ = cleanURL(path[i].text)
	}
	k.path = c.template(&k, path, inURL)
	for _, h := range c.headersOf(r) {
		value, _ := split(h.Value)
		c.checkHeader(prefix+"headers."+h.Name, value)
		field := headerField{name: h.Name, parts: c.template(&k, value, asIs)}
		if len(field.parts) == 0 {
			field.parts = []part{{}}
		}
		k.header = append(k.header, field)
	}
	k.body = c.body(&k, prefix, r)
	group, _ := split(r.Group)
	for _, p := range group {
		if p.variable != "" {
			k.group = k.slot(c.index(p.variable))
		}
	}
	return k
}

func (c *compiler) body(k *kind, prefix string, r *Request) []part {
	if r.BodyFile != "" {
		b, err := c.opener.read(r.BodyFile)
		if err != nil {
			c.problems = append(c.problems, fmt.Errorf("%sbody-file: %w", prefix, err))
		}
		return []part{{text: string(b)}}
	}
	pieces, _ := split(r.Body)
	how := bodyEscape(c.contentType(r))
	if how != asJSON {
		return c.template(k, pieces, how)
	}
	return c.template(k, pieces, jsonEscapes(pieces)...)
}

func (c *compiler) index(name string) int {
	return slices.IndexFunc(c.Variables, func(v Variable) bool { return v.Name == name })
}

// template readies a template: values that never change become text. The escapes are those of the pieces, or one of all.
func (c *compiler) template(k *kind, pieces []piece, escapes ...escape) []part {
	var parts []part
	for i, p := range pieces {
		next := part{text: p.text}
		if p.variable != "" {
			n := c.index(p.variable)
			v := &c.opened[n]
			next.escape = escapes[min(i, len(escapes)-1)]
			if len(v.texts) == 1 {
				next.text = string(next.escape.append(nil, v.texts[0], v.numbers))
			} else {
				next.slot = k.slot(n) + 1
			}
		}
		if n := len(parts); n > 0 && parts[n-1].slot == 0 && next.slot == 0 {
			parts[n-1].text += next.text
		} else {
			parts = append(parts, next)
		}
	}
	return parts
}

// checkHeader looks for values that would end the header. What they are is not said, as they may be secret.
func (c *compiler) checkHeader(path string, value []piece) {
	for _, p := range value {
		if p.variable == "" {
			continue
		}
		for i, text := range c.opened[c.index(p.variable)].texts {
			if !isFieldValue(text) {
				c.problems = append(c.problems, fmt.Errorf("%s: value %d of the variable %s has a line break or another control character; remove it", path, i+1, p.variable))
				break
			}
		}
	}
}

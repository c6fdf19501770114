package scenario

import (
	"fmt"
	"mime"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/slipstream-go/slipstream/internal/loadtest"
	"github.com/slipstream-go/slipstream/internal/nearest"
)

// problem is what is wrong at a place of a scenario, such as requests[0].path.
type problem struct{ path, text string }

func (p problem) Error() string { return p.path + ": " + p.text }

// checker finds what is wrong with a scenario, as far as it can be known without files and the environment.
type checker struct {
	*Scenario
	names    []string // of the variables
	problems []problem
}

// check returns all problems.
func (s *Scenario) check() []problem {
	c := checker{Scenario: s}
	c.target()
	c.variables()
	c.headers("headers", s.Headers)
	c.phases()
	if len(s.Requests) == 0 {
		c.add("requests", "there are none; write at least one, such as - path: /")
	}
	for i := range s.Requests {
		c.request(fmt.Sprintf("requests[%d].", i), &s.Requests[i])
	}
	if _, err := sums(s.weights()); err != nil {
		c.add("requests", "%v", err)
	}
	return c.problems
}

func (c *checker) add(path, text string, args ...any) {
	c.problems = append(c.problems, problem{path, fmt.Sprintf(text, args...)})
}

func (c *checker) target() {
	if c.Target == "" {
		c.add("target", "is missing; write where requests go, such as http://127.0.0.1:3000")
		return
	}
	u, err := url.Parse(c.Target)
	switch {
	case err != nil:
		c.add("target", "is not a URL; write one such as http://127.0.0.1:3000") // err has the whole text, with a password perhaps
	case u.Scheme != "http" && u.Scheme != "https":
		c.add("target", "begins with neither http:// nor https://; write one such as http://127.0.0.1:3000")
	case u.Host == "":
		c.add("target", "has no host; write one such as http://127.0.0.1:3000")
	case u.User != nil:
		c.add("target", "has a user in it; write a header Authorization, with a variable for what is secret")
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		c.add("target", "has more than a host and a path; write the rest into the paths of requests")
	}
}

func (c *checker) variables() {
	seen := map[string]bool{}
	for _, v := range c.Variables {
		path := "variables." + v.Name
		switch {
		case !isName(v.Name):
			c.add(path, "is no name; write letters, digits, _ and -, first a letter")
		case seen[v.Name]:
			c.add(path, "there are two of that name; rename one")
		}
		seen[v.Name] = true
		c.names = append(c.names, v.Name)
		v.From.check(func(field, text string, args ...any) { c.add(path+"."+field, text, args...) })
	}
}

// template checks that a text is a template with variables that there are.
func (c *checker) template(path, text string) []piece {
	if !utf8.ValidString(text) {
		c.add(path, "is not UTF-8")
	}
	pieces, err := split(text)
	if err != nil {
		c.add(path, "%v", err)
	}
	for _, p := range pieces {
		if p.variable != "" && c.variable(p.variable) == nil {
			c.add(path, "there is no variable %s; %s", p.variable, c.meant(p.variable))
		}
	}
	return pieces
}

func (c *checker) meant(name string) string {
	if n := nearest.Name(name, c.names); n != "" {
		return "did you mean " + n + "?"
	}
	return "write it under variables, or $${ for a plain ${"
}

// variable is nil when there is none of the name.
func (s *Scenario) variable(name string) Values {
	for _, v := range s.Variables {
		if v.Name == name {
			return v.From
		}
	}
	return nil
}

func (c *checker) headers(path string, headers []Header) {
	for _, h := range headers {
		at := path + "." + h.Name
		switch {
		case !isToken(h.Name):
			c.add(at, "is no name of a header")
		case strings.EqualFold(h.Name, "Content-Length") || strings.EqualFold(h.Name, "Transfer-Encoding"):
			c.add(at, "comes from the body; remove the line")
		case !isFieldValue(h.Value):
			c.add(at, "has a line break or another control character; a header cannot have one")
		}
		c.template(at, h.Value)
	}
}

// isToken takes what RFC 9110, section 5.6.2, calls so.
func isToken(s string) bool {
	for _, c := range []byte(s) {
		if !isLetter(c) && !isDigit(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

func isFieldValue(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) < 0
}

func (c *checker) phases() {
	if len(c.Phases) == 0 {
		c.add("phases", "there are none; write at least one, such as - {duration: 10s, rate: 100}")
	}
	connections := 0
	for i, p := range c.Phases {
		at := fmt.Sprintf("phases[%d]", i)
		open := p.From != 0 || p.To != 0
		switch {
		case p.Duration <= 0:
			c.add(at+".duration", "is missing; write one such as 30s")
		case open && p.Connections != 0:
			c.add(at+".connections", "does not go with a rate; remove one of the two (max-connections bounds those of all phases)")
		case !open && p.Connections <= 0:
			c.add(at, "has no rate; write one in requests a second, such as rate: 100, or connections for one request after the other on each")
		case p.Steps != 0 && (p.Steps < 2 || p.From == p.To):
			c.add(at+".steps", "has at least two steps and a rate that changes; write both, such as rate: 100..500 and steps: 5")
		case !isRate(p.From) || !isRate(p.To):
			c.add(at+".rate", "is not a rate; write requests a second, such as 100, or 100..500 for one that changes")
		case !open && connections != 0 && p.Connections != connections:
			c.add(at+".connections", "differs from the %d of a phase before; write the same number in all phases", connections)
		}
		if !open {
			connections = p.Connections
		}
	}
}

func isRate(r float64) bool { return r >= 0 && r <= loadtest.MostRate }

// request checks one; prefix is its path with a dot.
func (c *checker) request(prefix string, r *Request) {
	if r.Path == "" || r.Path[0] != '/' {
		c.add(prefix+"path", "does not begin with /; write one such as /orders?id=eq.1")
	}
	for _, p := range c.template(prefix+"path", r.Path) {
		if _, err := cleanURL(p.text); err != nil {
			c.add(prefix+"path", "%v", err)
		}
	}
	if r.Method != "" && !isToken(r.Method) {
		c.add(prefix+"method", "is no HTTP method; write one such as POST")
	}
	c.headers(prefix+"headers", r.Headers)
	c.group(prefix+"group", r.Group)
	c.body(prefix, r)
	for _, s := range r.Expect.Status {
		if s.From < 100 || s.To > 599 || s.From > s.To {
			c.add(prefix+"expect.status", "is no status; write 200, 2xx, or a list of such")
		}
	}
}

func (c *checker) group(path, group string) {
	variables, wrong := 0, false
	for _, p := range c.template(path, group) {
		if p.variable != "" {
			list, ok := c.variable(p.variable).(List)
			variables++
			wrong = wrong || variables > 1 || !ok || len(list.Values) > maxGroups
		}
	}
	if wrong {
		c.add(path, "has more than one variable, or another than a list of at most %d values; write such a one, or a text", maxGroups)
	}
}

func (c *checker) body(prefix string, r *Request) {
	if r.Body != "" && r.BodyFile != "" {
		c.add(prefix+"body-file", "does not go with body; remove one of the two")
	}
	pieces := c.template(prefix+"body", r.Body)
	if r.Body != "" && bodyEscape(c.contentType(r)) == asJSON {
		if err := checkJSON(pieces); err != nil {
			c.add(prefix+"body", "is not JSON (%v); write JSON, or what it is as a header Content-Type", err)
		}
	}
}

// contentType of the request's body.
func (s *Scenario) contentType(r *Request) string {
	for _, h := range s.headersOf(r) {
		if strings.EqualFold(h.Name, "Content-Type") {
			return h.Value
		}
	}
	return ""
}

const jsonType = "application/json"

// bodyEscape is how values are written into bodies of a media type.
func bodyEscape(contentType string) escape {
	media, _, err := mime.ParseMediaType(contentType)
	switch {
	case contentType == "", media == jsonType, err == nil && strings.HasSuffix(media, "+json"):
		return asJSON
	case media == "application/x-www-form-urlencoded":
		return inURL
	}
	return asIs
}

// headersOf has all headers of a request: its own, those of all requests, and the Content-Type that a body has by default.
func (s *Scenario) headersOf(r *Request) []Header {
	var all []Header
	has := func(name string) bool {
		for _, h := range all {
			if strings.EqualFold(h.Name, name) {
				return true
			}
		}
		return false
	}
	all = append(all, r.Headers...)
	for _, h := range s.Headers {
		if !has(h.Name) {
			all = append(all, h)
		}
	}
	if (r.Body != "" || r.BodyFile != "") && !has("Content-Type") {
		all = append(all, Header{"Content-Type", jsonType})
	}
	return all
}

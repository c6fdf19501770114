package scenario

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// WriteYAML writes the scenario as a file with comments, of which Parse makes an equal scenario.
func (s *Scenario) WriteYAML(w io.Writer) error {
	var y yamlWriter
	y.line("# A load test; slipstream bench --help says how to run it. Where ${name} is, a variable's value goes.")
	y.line("target: %s", block(s.Target))
	y.line("seed: %d # with the same one, all requests are the same", s.Seed)
	if s.Arrivals != loadtest.Poisson {
		y.line("arrivals: %s", nameOf(arrivals(), s.Arrivals))
	}
	if s.Protocol != loadtest.HTTP1 {
		y.line("http: %s", nameOf(protocols(), s.Protocol))
	}
	if s.MaxConnections != 0 {
		y.line("max-connections: %d", s.MaxConnections)
	}
	if s.Timeout != 0 {
		y.line("timeout: %s", s.Timeout)
	}
	y.variables(s.Variables)
	if len(s.Headers) > 0 {
		y.line("\n# Of all requests.")
		y.headers("", s.Headers)
	}
	y.line("\n# One after the other; rates are requests a second.\nphases:")
	for _, p := range s.Phases {
		y.line("  - {%s}", strings.Join(phaseFields(p), ", "))
	}
	y.line("\n# Each comes as often as its weight says in proportion to the others'.\nrequests:")
	for i := range s.Requests {
		y.request(&s.Requests[i])
	}
	_, err := io.WriteString(w, y.String())
	return err
}

type yamlWriter struct{ strings.Builder }

func (y *yamlWriter) line(format string, args ...any) { fmt.Fprintf(y, format+"\n", args...) }

func nameOf[T comparable](names map[string]T, v T) string {
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if names[name] == v {
			return name
		}
	}
	return ""
}

func (y *yamlWriter) variables(variables []Variable) {
	if len(variables) > 0 {
		y.line("\nvariables:")
	}
	secret := false
	for _, v := range variables {
		_, env := v.From.(Env)
		if env && !secret {
			y.line("  # Secrets are not in this file: set the environment variables before it is run, or remove what uses them.")
		}
		secret = env
		y.line("  %s: {%s}", flow(v.Name), strings.Join(valuesFields(v.From), ", "))
	}
}

func valuesFields(values Values) []string {
	switch v := values.(type) {
	case Range:
		return []string{fmt.Sprintf("range: [%d, %d]", v.From, v.To)}
	case Zipf:
		fields := []string{fmt.Sprintf("zipf: %d", v.N)}
		if v.S != 0 {
			fields = append(fields, "s: "+float(v.S))
		}
		return fields
	case Sequence:
		return []string{fmt.Sprintf("sequence: %d", v.From)}
	case List:
		return listFields(v)
	case File:
		return fileFields(v)
	case Env:
		return []string{"env: " + flow(v.Name)}
	}
	return nil
}

func listFields(v List) []string {
	items := make([]string, len(v.Values))
	for i, text := range v.Values {
		if items[i] = text; !v.Numbers {
			items[i] = flow(text)
		}
	}
	fields := []string{"list: [" + strings.Join(items, ", ") + "]"}
	if v.Weights == nil {
		return fields
	}
	weights := make([]string, len(v.Weights))
	for i, w := range v.Weights {
		weights[i] = strconv.FormatUint(w, 10)
	}
	return append(fields, "weights: ["+strings.Join(weights, ", ")+"]")
}

func fileFields(v File) []string {
	fields := []string{"file: " + flow(v.Path)}
	if v.Column != "" {
		fields = append(fields, "column: "+flow(v.Column))
	}
	if v.Weights != "" {
		fields = append(fields, "weights: "+flow(v.Weights))
	}
	if v.InOrder {
		fields = append(fields, "order: in-order")
	}
	if v.Numbers {
		fields = append(fields, "numbers: true")
	}
	return fields
}

func (y *yamlWriter) headers(indent string, headers []Header) {
	if len(headers) > 0 {
		y.line("%sheaders:", indent)
	}
	for _, h := range headers {
		y.line("%s  %s: %s", indent, block(h.Name), block(h.Value))
	}
}

func phaseFields(p Phase) []string {
	var fields []string
	if p.Name != "" {
		fields = append(fields, "name: "+flow(p.Name))
	}
	fields = append(fields, "duration: "+p.Duration.String())
	switch {
	case p.Connections != 0:
		fields = append(fields, fmt.Sprintf("connections: %d", p.Connections))
	case p.From == p.To:
		fields = append(fields, "rate: "+float(p.From))
	default:
		fields = append(fields, "rate: "+float(p.From)+".."+float(p.To))
	}
	if p.Steps != 0 {
		fields = append(fields, fmt.Sprintf("steps: %d", p.Steps))
	}
	if p.WarmUp {
		fields = append(fields, "warm-up: true")
	}
	return fields
}

func (y *yamlWriter) request(r *Request) {
	y.line("  - path: %s", block(r.Path))
	for _, f := range []struct{ name, text string }{
		{"name", r.Name}, {"group", r.Group}, {"method", r.Method},
	} {
		if f.text != "" {
			y.line("    %s: %s", f.name, block(f.text))
		}
	}
	if r.Weight != 0 {
		y.line("    weight: %d", r.Weight)
	}
	y.headers("    ", r.Headers)
	if r.Body != "" {
		y.line("    body: %s", block(r.Body))
	}
	if r.BodyFile != "" {
		y.line("    body-file: %s", block(r.BodyFile))
	}
	y.expect(&r.Expect)
}

func (y *yamlWriter) expect(e *Expect) {
	var fields, body []string
	if len(e.Status) > 0 {
		fields = append(fields, "status: ["+strings.Join(statusTexts(e.Status), ", ")+"]")
	}
	if e.Contains != "" {
		body = append(body, "contains: "+flow(e.Contains))
	}
	if e.JSON {
		body = append(body, "json: true")
	}
	if len(body) > 0 {
		fields = append(fields, "body: {"+strings.Join(body, ", ")+"}")
	}
	if len(fields) > 0 {
		y.line("    expect: {%s}", strings.Join(fields, ", "))
	}
}

func statusTexts(ranges []StatusRange) []string {
	var texts []string
	for _, s := range ranges {
		if s.From%100 == 0 && s.To == s.From+99 {
			texts = append(texts, strconv.Itoa(s.From/100)+"xx")
			continue
		}
		for status := s.From; status <= s.To; status++ {
			texts = append(texts, strconv.Itoa(status))
		}
	}
	return texts
}

func float(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// flow writes a text for between braces, quoted unless it is plain words.
func flow(s string) string { return quote(s, " _-./*=") }

// block writes a text for a line of its own, where URLs need no quotes.
func block(s string) string { return quote(s, " _-./*=&?$,(){}:;") }

func quote(s, harmless string) string {
	switch {
	case isPlain(s, harmless):
		return s
	case allOf(s, isVisible):
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return `"` + string(appendJSON(nil, s)) + `"`
}

// isPlain takes what YAML reads as that text without quotes.
func isPlain(s, harmless string) bool {
	if s == "" || !isLetter(s[0]) && s[0] != '/' && s[0] != '$' && !strings.HasPrefix(s, "../") {
		return false
	}
	if end := s[len(s)-1]; end == ' ' || end == ':' || strings.Contains(s, ": ") || isKeyword(s) {
		return false
	}
	return allOf(s, func(r rune) bool {
		return r < 0x80 && (isLetter(byte(r)) || isDigit(byte(r)) || strings.ContainsRune(harmless, r))
	})
}

// isVisible takes what shows as itself in an editor.
func isVisible(r rune) bool {
	return r == ' ' || unicode.IsGraphic(r) && !unicode.IsSpace(r) && r != unicode.ReplacementChar
}

func allOf(s string, ok func(rune) bool) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !ok(r) }) < 0
}

// isKeyword takes what YAML, 1.1 or 1.2, reads as something else than a text.
func isKeyword(s string) bool {
	return slices.Contains([]string{"y", "n", "yes", "no", "on", "off", "true", "false", "null"}, strings.ToLower(s))
}

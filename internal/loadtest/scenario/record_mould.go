package scenario

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// mould is a request whose values have been taken out. Requests of equal moulds are of the same kind.
type mould struct {
	method, role string
	headers      []Header // templates
	path, body   []piece  // slots have the names of m.slots, secrets those of the environment
	bodyType     string
	slots        []slot
	values       []string // of the slots
}

// slot is where a value was.
type slot struct {
	name string
	// number says that the value is a number of JSON.
	number bool
}

// Why requests cannot be in a scenario.
var (
	errEncoding = errors.New("not percent-encoded as they should be")
	errText     = errors.New("not UTF-8, or with characters that no text has")
	errName     = errors.New("with a secret where a name should be")
	errMethod   = errors.New("with a method that is none of HTTP's")
	errTime     = errors.New("more than a year before or after the first")
	errSlots    = fmt.Errorf("with more than %d values", maxSlots)
)

// key is the same for equal moulds.
func (m *mould) key() string {
	parts := []string{m.method, m.role, join(m.path), m.bodyType, join(m.body)}
	for _, h := range m.headers {
		parts = append(parts, h.Name, h.Value)
	}
	for _, s := range m.slots {
		if s.number {
			parts = append(parts, s.name)
		}
	}
	return strings.Join(parts, "\x00")
}

// mould takes the values out of a request.
func (r *recorder) mould(e exchange) (mould, error) {
	m := mould{method: e.method, role: e.role, headers: e.headers, bodyType: e.bodyType}
	if !slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, e.method) {
		return m, errMethod
	}
	table, err := r.takePath(&m, e.path)
	if err == nil && e.query != "" {
		m.path = appendText(m.path, "?")
		err = r.takeQuery(&m, table, e.query)
	}
	if err == nil && e.body != "" {
		err = r.takeBody(&m, table, e.bodyType, e.body)
	}
	for _, v := range m.values {
		if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
			err = cmp.Or(err, errText)
		}
	}
	if len(m.slots) > maxSlots {
		err = errSlots
	}
	return m, err
}

func appendText(pieces []piece, text string) []piece {
	if n := len(pieces); n > 0 && pieces[n-1].variable == "" {
		pieces[n-1].text += text
		return pieces
	}
	return append(pieces, piece{text: text})
}

// slot takes a value out; hints are what its variable may be called by.
func (m *mould) slot(value string, number bool, hints ...string) piece {
	name := lowerName(strings.Join(hints, "_"))
	for unique := name; ; unique += "_" {
		if !slices.ContainsFunc(m.slots, func(s slot) bool { return s.name == unique }) {
			m.slots = append(m.slots, slot{unique, number})
			m.values = append(m.values, value)
			return piece{variable: unique}
		}
	}
}

// lowerName makes a name of a variable; secrets have capitals.
func lowerName(s string) string {
	var b []byte
	for _, c := range []byte(strings.ToLower(s)) {
		switch {
		case isLetter(c) || isDigit(c) && len(b) > 0:
			b = append(b, c)
		case len(b) > 0 && b[len(b)-1] != '_':
			b = append(b, '_')
		}
		if len(b) == 40 {
			break
		}
	}
	if name := strings.TrimRight(string(b), "_"); name != "" {
		return name
	}
	return "value"
}

// identifier is a segment of a path that names one of many things.
var identifier = regexp.MustCompile(`^([0-9]+|(?i:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{16,}))$`)

// takePath gives the last segment that is no value, which is the table in PostgREST's paths.
func (r *recorder) takePath(m *mould, path string) (table string, err error) {
	if !strings.HasPrefix(path, "/") {
		return "", errEncoding
	}
	for i, raw := range strings.Split(path, "/") {
		if i > 0 {
			m.path = appendText(m.path, "/")
		}
		text, err := url.PathUnescape(raw)
		if err != nil {
			return "", errEncoding
		}
		secret := r.secretIn(text)
		switch {
		case secret != "":
			m.path = append(m.path, piece{variable: secret})
		case identifier.MatchString(text):
			m.path = append(m.path, m.slot(text, false, table, "id"))
		default:
			if err := m.literal(raw); err != nil {
				return "", err
			}
			table = text
		}
	}
	return table, nil
}

// literal appends a part of a URL as it was sent.
func (m *mould) literal(raw string) error {
	clean, err := cleanURL(raw)
	if err != nil || !utf8.ValidString(raw) {
		return errEncoding
	}
	m.path = appendText(m.path, strings.ReplaceAll(clean, "$", "%24")) // a variable may follow
	return nil
}

// operator is what goes before the value of a filter of PostgREST.
var operator = regexp.MustCompile(`^(not\.)?(eq|neq|gte?|lte?|i?like|i?match|in|isdistinct|(pl|ph|w)?fts|c[sd]|ov|s[lr]|n[xr][lr]|adj)(\([a-z_]+\))?\.`)

// structural are parameters of PostgREST that say what is asked for rather than which of it, also within embeds.
var structural = regexp.MustCompile(`^(.*\.)?(select|order|columns|on_conflict)$`)

// fixed are values of filters that are part of what is asked for.
var fixed = regexp.MustCompile(`^(not\.)?is\.[a-z_]+$`)

func (r *recorder) takeQuery(m *mould, table, query string) error {
	for i, pair := range strings.Split(query, "&") {
		if i > 0 {
			m.path = appendText(m.path, "&")
		}
		rawName, rawValue, valued := strings.Cut(pair, "=")
		name, value, err := r.pair(rawName, rawValue)
		if err != nil {
			return err
		}
		if err := m.literal(rawName); err != nil {
			return err
		}
		if !valued {
			continue
		}
		m.path = appendText(m.path, "=")
		prefix := operator.FindString(value)
		asked := structural.MatchString(name)
		secret := cmp.Or(secretName(name), r.secretIn(value))
		if !asked {
			secret = cmp.Or(secret, secretNamed(value))
		}
		switch {
		case secret != "":
			m.path = append(appendText(m.path, prefix), piece{variable: secret})
		case asked || fixed.MatchString(value) || value == "":
			err = m.literal(rawValue)
		default:
			m.path = append(appendText(m.path, prefix), m.slot(value[len(prefix):], false, table, name))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pair is a parameter as it is meant, whose name must be no secret.
func (r *recorder) pair(rawName, rawValue string) (name, value string, err error) {
	name, err1 := url.QueryUnescape(rawName)
	value, err2 := url.QueryUnescape(rawValue)
	switch {
	case err1 != nil || err2 != nil:
		return "", "", errEncoding
	case r.secretIn(name) != "":
		return "", "", errName
	}
	return name, value, nil
}

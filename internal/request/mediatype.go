package request

import "strings"

// MediaType is a parsed media type. Vendor types of PostgREST are recognised by
// their names; everything else is Name alone.
type MediaType struct {
	// Name is type/subtype in lower case, such as application/json, text/csv, */*.
	Name string
	// Params are the parameters as sent, from the semicolon on and without q, of a type that has no meaning of its own.
	Params string
	// NullsStripped is nulls=stripped of application/vnd.pgrst.object and application/vnd.pgrst.array.
	NullsStripped bool
	// Plan holds the parameters of application/vnd.pgrst.plan; nil otherwise.
	Plan *PlanOptions
	// Version is the version parameter of application/openapi+json, or empty.
	Version string
}

// PlanOptions are the parameters of application/vnd.pgrst.plan+json|+text.
type PlanOptions struct {
	JSON                                     bool // +json, else +text
	For                                      *MediaType
	Analyze, Verbose, Settings, Buffers, Wal bool
}

// The media types that have a meaning of their own.
const (
	JSON        = "application/json"
	CSV         = "text/csv"
	NDJSON      = "application/x-ndjson"
	GeoJSON     = "application/geo+json"
	Object      = "application/vnd.pgrst.object" // singular; +json is the same
	Array       = "application/vnd.pgrst.array"
	Plan        = "application/vnd.pgrst.plan"
	OpenAPI     = "application/openapi+json"
	OctetStream = "application/octet-stream"
	TextPlain   = "text/plain"
	TextXML     = "text/xml"
	URLEncoded  = "application/x-www-form-urlencoded"
	AnyType     = "*/*"
)

// vendorOpenAPI is the type's other name; neither is registered.
const vendorOpenAPI = "application/vnd.oai.openapi+json"

// parseMediaType reads one media type. What is none keeps its text as Name.
func parseMediaType(text string) MediaType {
	name, params := splitMediaType(text)
	switch name {
	case OpenAPI, vendorOpenAPI:
		return MediaType{Name: OpenAPI, Version: params.get("version")}
	case JSON, GeoJSON, CSV, NDJSON, TextPlain, TextXML, URLEncoded, OctetStream, AnyType:
		return MediaType{Name: name}
	case Object, Object + "+json":
		return MediaType{Name: Object, NullsStripped: params.get("nulls") == "stripped"}
	case Array, Array + "+json":
		if params.get("nulls") == "stripped" {
			return MediaType{Name: Array, NullsStripped: true}
		}
		return MediaType{Name: JSON}
	case Plan, Plan + "+text", Plan + "+json":
		return MediaType{Name: Plan, Plan: params.plan(strings.HasSuffix(name, "json"))}
	}
	name, rest, found := strings.Cut(text, ";")
	m := MediaType{Name: strings.ToLower(strings.TrimSpace(name))}
	if found {
		m.Params = ";" + rest
	}
	return m
}

// String is the media type as it is named in Content-Type and in messages, without charset.
func (m MediaType) String() string {
	stripped := ""
	if m.NullsStripped {
		stripped = ";nulls=stripped"
	}
	switch m.Name {
	case Object, Array:
		return m.Name + "+json" + stripped
	case OpenAPI:
		if m.Version != "" {
			return m.Name + ";version=" + m.Version
		}
	case Plan:
		if m.Plan != nil {
			return m.Plan.String()
		}
	}
	return m.Name + m.Params
}

// ContentType is the value of the Content-Type header: text that is ours says that it is UTF-8.
func (m MediaType) ContentType() string {
	switch m.Name {
	case JSON, GeoJSON, CSV, TextPlain, TextXML, OpenAPI, URLEncoded, AnyType, Object, Array, Plan:
		return m.String() + "; charset=utf-8"
	}
	return m.String()
}

// String is the media type of a plan, its options in a fixed order.
func (o *PlanOptions) String() string {
	format := "+text"
	if o.JSON {
		format = "+json"
	}
	text := Plan + format
	if o.For != nil {
		text += `; for="` + o.For.String() + `"`
	}
	separator := "; options="
	for i, set := range o.flags() {
		if *set {
			text += separator + planOptionNames[i]
			separator = "|"
		}
	}
	return text
}

// planOptionNames are the names of flags, in their order.
var planOptionNames = [...]string{"analyze", "verbose", "settings", "buffers", "wal"}

func (o *PlanOptions) flags() [len(planOptionNames)]*bool {
	return [...]*bool{&o.Analyze, &o.Verbose, &o.Settings, &o.Buffers, &o.Wal}
}

// mediaParams are the parameters of a media type, not yet taken apart.
type mediaParams string

// splitMediaType separates type/subtype, in lower case, from the parameters. The name is empty where there is none.
func splitMediaType(text string) (name string, params mediaParams) {
	slash := spanOf(text, ".*")
	if slash == 0 || slash == len(text) || text[slash] != '/' {
		return "", ""
	}
	size := spanOf(text[slash+1:], ".*+-")
	end := slash + 1 + size
	if size == 0 {
		return "", ""
	}
	return strings.ToLower(text[:end]), mediaParams(text[end:])
}

// spanOf is the length of the beginning made of letters, digits and some marks.
func spanOf(s, marks string) int {
	for i := range len(s) {
		c := s[i]
		if !isDigit(c) && !('a' <= c|0x20 && c|0x20 <= 'z') && strings.IndexByte(marks, c) < 0 {
			return i
		}
	}
	return len(s)
}

// get is the last parameter of that name, or empty. It reads as far as the parameters are well-formed.
func (p mediaParams) get(name string) string {
	value := ""
	for rest := string(p); ; {
		key, v, left, ok := cutParam(rest)
		if !ok {
			return value
		}
		if strings.EqualFold(key, name) {
			value = v
		}
		rest = left
	}
}

// cutParam takes `; key = value` or `; key = "value"` from the beginning.
func cutParam(s string) (key, value, rest string, ok bool) {
	s, ok = strings.CutPrefix(strings.TrimLeft(s, blankBytes), ";")
	if !ok {
		return "", "", "", false
	}
	s = strings.TrimLeft(s, blankBytes)
	n := spanOf(s, "-")
	key, s = s[:n], strings.TrimLeft(s[n:], blankBytes)
	if s, ok = strings.CutPrefix(s, "="); !ok || n == 0 {
		return "", "", "", false
	}
	s = strings.TrimLeft(s, blankBytes)
	if quoted, found := strings.CutPrefix(s, `"`); found {
		value, rest, ok = strings.Cut(quoted, `"`)
		return key, value, rest, ok
	}
	n = spanOf(s, "|-.")
	return key, s[:n], s[n:], n > 0
}

const blankBytes = " \t\n\v\f\r"

func (p mediaParams) plan(json bool) *PlanOptions {
	o := &PlanOptions{JSON: json, For: &MediaType{Name: JSON}}
	if target := p.get("for"); target != "" {
		t := parseMediaType(target)
		o.For = &t
	}
	for option := range strings.SplitSeq(p.get("options"), "|") {
		for i, set := range o.flags() {
			*set = *set || option == planOptionNames[i]
		}
	}
	return o
}

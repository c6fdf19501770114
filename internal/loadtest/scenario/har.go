package scenario

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// har is what is needed of an HTTP archive (HAR 1.2, www.softwareishard.com/blog/har-12-spec).
type har struct {
	Log struct {
		Entries []harEntry `json:"entries"`
	} `json:"log"`
}

type harEntry struct {
	Started time.Time `json:"startedDateTime"`
	Request struct {
		Method      string     `json:"method"`
		URL         string     `json:"url"`
		HTTPVersion string     `json:"httpVersion"`
		Headers     []harField `json:"headers"`
		Cookies     []harField `json:"cookies"`
		PostData    *harBody   `json:"postData"`
	} `json:"request"`
	Response struct {
		Status int `json:"status"`
	} `json:"response"`
	origin, rest string // of the URL
}

type harField struct{ Name, Value string }

type harBody struct {
	MimeType string     `json:"mimeType"`
	Text     string     `json:"text"`
	Params   []harField `json:"params"`
	Encoding string     `json:"encoding"`
}

var errNoHAR = errors.New("not an HTTP archive; save one from the network tab of a browser's developer tools")

// FromHAR makes a scenario of an HTTP archive, as browsers and proxies save them. It has the requests to the server that got the
// most of them.
func FromHAR(archive io.Reader) (*Scenario, Summary, error) {
	var h har
	if err := json.NewDecoder(archive).Decode(&h); err != nil {
		return nil, Summary{}, errNoHAR // err may have a part of it
	}
	r := newRecorder()
	origins := map[string]int{}
	for i := range h.Log.Entries {
		e := &h.Log.Entries[i]
		e.cutURL()
		r.knowAll(e)
		origins[e.origin]++
	}
	delete(origins, "")
	if len(origins) == 0 {
		return nil, r.summary, errNoHAR
	}
	target := slices.MaxFunc(slices.Sorted(maps.Keys(origins)), func(a, b string) int { return cmp.Compare(origins[a], origins[b]) })
	two := 0
	for i := range h.Log.Entries {
		if e := &h.Log.Entries[i]; r.entry(e, target) && strings.Contains(strings.ToLower(e.Request.HTTPVersion), "2") {
			two++
		}
	}
	s, summary, err := r.scenario(target)
	if err == nil && two*2 > summary.Read {
		s.Protocol = loadtest.HTTP2
	}
	return s, summary, err
}

// cutURL leaves the origin empty if the URL is none of a server.
func (e *harEntry) cutURL() {
	u, err := url.Parse(e.Request.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || e.Started.IsZero() {
		return
	}
	e.origin = u.Scheme + "://" + u.Host
	e.rest = u.EscapedPath()
	if e.rest == "" {
		e.rest = "/"
	}
	if u.RawQuery != "" {
		e.rest += "?" + u.RawQuery
	}
}

// knowAll remembers the secrets of an entry.
func (r *recorder) knowAll(e *harEntry) {
	for _, c := range e.Request.Cookies {
		r.know(c.Value)
	}
	for _, h := range e.Request.Headers {
		if secretName(h.Name) == "" {
			continue
		}
		for _, word := range strings.FieldsFunc(h.Value, func(c rune) bool { return strings.ContainsRune(" ;,\"=", c) }) {
			if !strings.EqualFold(word, "bearer") && !strings.EqualFold(word, "basic") && !strings.EqualFold(word, "digest") {
				r.know(word)
			}
		}
	}
	if u, err := url.Parse(e.Request.URL); err == nil {
		for name, values := range u.Query() {
			for _, v := range values {
				if secretName(name) != "" {
					r.know(strings.TrimPrefix(v, operator.FindString(v)))
				}
			}
		}
	}
}

// entry records an entry, unless it went to another server.
func (r *recorder) entry(e *harEntry, target string) bool {
	if e.origin != target {
		r.summary.Read++
		r.leaveOut("to other servers than most, or without a time", 1)
		return false
	}
	x := exchange{at: e.Started, method: e.Request.Method, status: e.Response.Status}
	x.path, x.query, _ = strings.Cut(e.rest, "?")
	for _, h := range e.Request.Headers {
		if value, ok := r.header(h.Name, h.Value); ok {
			x.headers = append(x.headers, Header{h.Name, value})
		}
	}
	slices.SortFunc(x.headers, func(a, b Header) int { return strings.Compare(a.Name, b.Name) })
	x.headers = slices.CompactFunc(x.headers, func(a, b Header) bool { return strings.EqualFold(a.Name, b.Name) })
	if body := e.Request.PostData; body != nil && (body.Text != "" || len(body.Params) > 0) {
		x.bodyType, x.body = cmp.Or(body.MimeType, e.header("Content-Type")), body.text()
		if body.Encoding != "" {
			r.summary.Read++
			r.leaveOut("with a binary body", 1)
			return false
		}
		x.headers = slices.DeleteFunc(x.headers, func(h Header) bool { return strings.EqualFold(h.Name, "Content-Type") })
		if x.bodyType != "" && r.secretIn(x.bodyType) == "" && isFieldValue(x.bodyType) {
			x.headers = append(x.headers, Header{"Content-Type", join([]piece{{text: x.bodyType}})})
		}
	}
	r.add(x)
	return true
}

// header of the request, empty if it has none.
func (e *harEntry) header(name string) string {
	for _, h := range e.Request.Headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// harmless are headers that are recorded as they are: they say what is asked for, not by whom.
func harmless() []string {
	return []string{"accept", "accept-profile", "content-profile", "content-type", "prefer", "range", "range-unit"}
}

// header gives what a recorded header becomes, if it is one that is recorded.
func (r *recorder) header(name, value string) (template string, ok bool) {
	lower := strings.ToLower(name)
	switch {
	case !isToken(name):
		return "", false
	case secretName(name) != "":
		scheme, _, more := strings.Cut(value, " ")
		if lower == "authorization" && more && slices.Contains([]string{"bearer", "basic"}, strings.ToLower(scheme)) {
			return scheme + " ${" + envName(name) + "}", true
		}
		return "${" + envName(name) + "}", true
	case !slices.Contains(harmless(), lower) || !isFieldValue(value) || r.secretIn(value) != "" || secretNamed(value) != "":
		return "", false
	}
	return join([]piece{{text: value}}), true
}

// text of the body; some writers have the fields of forms alone.
func (b *harBody) text() string {
	if b.Text != "" {
		return b.Text
	}
	var form []byte
	for i, p := range b.Params {
		if i > 0 {
			form = append(form, '&')
		}
		form = append(appendPercent(form, p.Name), '=')
		form = appendPercent(form, p.Value)
	}
	return string(form)
}

package rest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/telemetry"
)

// setCommon sets the headers that every answer to a read has.
func (a *answer) setCommon() {
	h := a.w.Header()
	h.Set("Content-Type", a.plan.Media.ContentType())
	if a.req.ProfileNegotiated {
		h.Set("Content-Profile", a.req.Schema)
	}
	if a.req.Target == request.Relation {
		h.Set("Content-Location", contentLocation(a.req.Name, a.r.URL.RawQuery))
	}
	if applied := a.applied(); applied != "" {
		h.Set("Preference-Applied", applied)
	}
	if warning := a.deprecation(); warning != "" {
		h.Set("Warning", warning)
	}
}

func (a *answer) setVary() {
	h := a.w.Header()
	if _, ok := h["Vary"]; !ok {
		h.Set("Vary", "Accept, Prefer, Range")
	}
}

func (a *answer) setTiming() {
	if a.options.ServerTiming && a.info != nil {
		a.info.MarkTiming(telemetry.PhaseResponse)
		a.w.Header().Set("Server-Timing", a.info.Timing.Header())
	}
}

// applied is the Preference-Applied header (RFC 7240, section 3).
func (a *answer) applied() string {
	p := request.Preferences{
		Count: a.req.Prefer.Count, Handling: a.req.Prefer.Handling, Timezone: a.req.Prefer.Timezone,
	}
	if a.options.TxOverride {
		p.Tx = a.req.Prefer.Tx
	}
	if a.plan.Function != nil {
		p.MaxAffected = a.req.Prefer.MaxAffected
	}
	if a.plan.Keyset != nil {
		p.Pagination = a.req.Prefer.Pagination
	}
	return p.Applied()
}

// deprecation warns of embeds that were addressed by their relation's name although they have an alias.
func (a *answer) deprecation() string {
	if len(a.plan.Renames) == 0 {
		return ""
	}
	updates := make([]string, len(a.plan.Renames))
	for i, r := range a.plan.Renames {
		updates[i] = "`" + r[0] + "` to `" + r[1] + "`"
	}
	return `299 PostgRESTv16 "Embedded resource was referenced by relation name even though it has an alias. ` +
		`This is deprecated and will stop working in a future release. Update ` + strings.Join(updates, ", ") +
		` in query string filters, orders or limits."`
}

// contentLocation is the path with the query in canonical form: sorted by name, percent-encoded.
func contentLocation(name, rawQuery string) string {
	if rawQuery == "" {
		return "/" + name
	}
	pairs := strings.Split(rawQuery, "&")
	kept := pairs[:0]
	for _, p := range pairs {
		if p == "" {
			continue
		}
		k, v, _ := strings.Cut(p, "=")
		kept = append(kept, recode(k)+"="+recode(v))
	}
	if len(kept) == 0 {
		return "/" + name
	}
	slices.SortStableFunc(kept, func(a, b string) int {
		ka, _, _ := strings.Cut(a, "=")
		kb, _, _ := strings.Cut(b, "=")
		return strings.Compare(unescape(ka), unescape(kb))
	})
	return "/" + name + "?" + strings.Join(kept, "&")
}

// recode brings a query component into canonical percent-encoding.
func recode(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 || !unreserved(byte(r)) }) {
		return s
	}
	const hex = "0123456789ABCDEF"
	plain := unescape(s)
	b := make([]byte, 0, len(s)+8)
	for i := range len(plain) {
		if c := plain[i]; unreserved(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}

// unreserved are the characters of RFC 3986, section 2.3.
func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// unescape decodes a query component; a malformed escape stands for itself.
func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '+':
			b = append(b, ' ')
		case c == '%' && i+2 < len(s):
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				b = append(b, c)
				continue
			}
			b = append(b, byte(n))
			i += 2
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

// override applies what functions left in response.status and response.headers
// (https://postgrest.org/en/stable/references/transactions.html#response-headers).
func (a *answer) override(status int) (int, error) {
	if len(a.headers) > 0 {
		headers, err := parseHeaders(a.headers)
		if err != nil {
			return 0, err
		}
		h := a.w.Header()
		seen := map[string]bool{}
		for _, kv := range headers {
			name := http.CanonicalHeaderKey(kv[0])
			if !seen[name] {
				h.Del(name)
				seen[name] = true
			}
			h.Add(name, kv[1])
		}
	}
	if len(a.status) > 0 {
		digits := 0
		for digits < len(a.status) && a.status[digits] >= '0' && a.status[digits] <= '9' {
			digits++
		}
		n, err := strconv.Atoi(string(a.status[:digits]))
		if err != nil || n < 200 || n > 999 {
			return 0, apierr.New("PGRST112", "response.status guc must be a valid status code")
		}
		return n, nil
	}
	return status, nil
}

// parseHeaders reads [{"Name": "value"}, …]; an object may repeat a name that another one has.
func parseHeaders(text []byte) ([][2]string, error) {
	bad := apierr.New("PGRST111",
		"response.headers guc must be a JSON array composed of objects with a single key and a string value")
	var list []map[string]string
	if json.Unmarshal(text, &list) != nil {
		return nil, bad
	}
	var out [][2]string
	for _, o := range list {
		if len(o) != 1 {
			return nil, bad
		}
		for name, value := range o {
			out = append(out, [2]string{name, value})
		}
	}
	return out, nil
}

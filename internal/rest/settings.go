package rest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/plan"
)

// tx gives the transaction that a plan runs in.
func (x *exchange) tx(p *plan.Read) *pg.Tx {
	tx := x.transaction(x.r, x.caller, x.catalog, x.req.Schema)
	if tz := x.req.Prefer.Timezone; tz != "" {
		tx.Settings = append(tx.Settings, pg.Setting{Name: "timezone", Value: tz})
	}
	if f := p.Function; f != nil {
		for _, s := range f.Settings {
			tx.Settings = append(tx.Settings, pg.Setting(s))
		}
		if f.Isolation != "" {
			tx.Isolation = f.Isolation
		}
	}
	tx.Settings = append(tx.Settings, x.options.AppSettings...)
	return tx
}

// Tx gives the transaction settings of a request that is not the data API's own, in the default schema.
func (h *Handler) Tx(r *http.Request) (*pg.Tx, error) {
	catalog, caller := h.catalog(), auth.CallerFrom(r.Context())
	switch {
	case catalog == nil:
		return nil, ErrNoCatalog()
	case caller == nil:
		return nil, errNoCaller
	}
	tx := h.transaction(r, caller, catalog, h.options.Request.Schemas[0])
	tx.Settings = append(tx.Settings, h.options.AppSettings...)
	return tx, nil
}

// transaction is the caller's role and everything that policies and functions may ask for with current_setting
// (https://postgrest.org/en/stable/references/transactions.html#transaction-scoped-settings).
func (h *Handler) transaction(r *http.Request, caller *auth.Caller, catalog *Catalog, schema string) *pg.Tx {
	role := catalog.Roles[caller.Role]
	tx := &pg.Tx{
		Role:         caller.Role,
		SearchPath:   searchPath(schema, h.options.ExtraSearchPath),
		RoleSettings: role.Settings,
		Isolation:    role.Isolation,
		PreRequest:   h.preRequest,
	}
	if len(h.options.RoleDefaults) > 0 {
		tx.RoleSettings = slices.Concat(h.options.RoleDefaults, role.Settings)
	}
	buf := make([]byte, 0, 512)
	buf = appendHeaders(buf, r)
	cookies := len(buf)
	buf = appendCookies(buf, r)
	tx.Settings = make([]pg.Setting, 0, 6+len(h.options.AppSettings))
	tx.Settings = append(tx.Settings,
		pg.Setting{Name: "request.jwt.claims", Value: string(caller.Claims)},
		pg.Setting{Name: "request.method", Value: r.Method},
		pg.Setting{Name: "request.path", Value: r.URL.EscapedPath()},
		pg.Setting{Name: "request.headers", Value: string(buf[:cookies])},
		pg.Setting{Name: "request.cookies", Value: string(buf[cookies:])},
	)
	return tx
}

func searchPath(first string, extra []string) string {
	var b strings.Builder
	b.WriteString(plan.QuoteIdent(first))
	for _, s := range extra {
		b.WriteString(", ")
		b.WriteString(plan.QuoteIdent(s))
	}
	return b.String()
}

// appendHeaders renders the headers as a JSON object with lower-case names. Cookies have a setting of their own.
func appendHeaders(dst []byte, r *http.Request) []byte {
	dst = append(dst, `{"host":`...)
	dst = appendJSON(dst, r.Host)
	for name, values := range r.Header {
		if name == "Cookie" || len(values) == 0 {
			continue
		}
		dst = append(dst, ',', '"')
		for i := range len(name) { // a token of RFC 9110: ASCII, nothing to escape
			c := name[i]
			if c >= 'A' && c <= 'Z' {
				c += 'a' - 'A'
			}
			dst = append(dst, c)
		}
		dst = append(dst, '"', ':')
		dst = appendJSON(dst, values[len(values)-1])
	}
	return append(dst, '}')
}

func appendCookies(dst []byte, r *http.Request) []byte {
	dst = append(dst, '{')
	if _, ok := r.Header["Cookie"]; ok {
		for i, c := range lastCookies(r) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, c.Name)
			dst = append(dst, ':')
			dst = appendJSON(dst, c.Value)
		}
	}
	return append(dst, '}')
}

// lastCookies keeps one cookie of each name, the last.
func lastCookies(r *http.Request) []*http.Cookie {
	var out []*http.Cookie
next:
	for _, c := range r.Cookies() {
		for i := range out {
			if out[i].Name == c.Name {
				out[i] = c
				continue next
			}
		}
		out = append(out, c)
	}
	return out
}

// appendJSON renders s as a JSON string; bytes that are not UTF-8 become U+FFFD.
func appendJSON(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for len(s) > 0 {
		c := s[0]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < 0x20 || c == 0x7f:
			dst = append(dst, `\u00`...)
			if c < 0x10 {
				dst = append(dst, '0')
			}
			dst = strconv.AppendInt(dst, int64(c), 16)
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			r, n := utf8.DecodeRuneInString(s)
			dst = utf8.AppendRune(dst, r)
			s = s[n:]
			continue
		}
		s = s[1:]
	}
	return append(dst, '"')
}

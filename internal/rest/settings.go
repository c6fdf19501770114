package rest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/plan"
)

// begin fills in the transaction that a plan runs in.
func (x *exchange) begin(p *planned) {
	x.transaction(&x.tx, x.settings[:0], x.r, x.caller, x.catalog, x.req.Schema)
	x.tx.Ask = x.ask
	tx := &x.tx
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
	if k := p.Keyset; k != nil {
		for _, s := range k.Settings {
			tx.Settings = append(tx.Settings, pg.Setting(s))
		}
	}
	for _, s := range p.Settings {
		tx.Settings = append(tx.Settings, pg.Setting(s))
	}
	if x.held { // what the operation before has left in the transaction is not this one's
		tx.Settings = append(tx.Settings, pg.Setting{Name: "response.headers"}, pg.Setting{Name: "response.status"},
			pg.Setting{Name: "slipstream.inserted"})
	}
	tx.Settings = append(tx.Settings, x.options.AppSettings...)
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
	tx := new(pg.Tx)
	h.transaction(tx, nil, r, caller, catalog, h.options.Request.Schemas[0])
	tx.Settings = append(tx.Settings, h.options.AppSettings...)
	tx.Ask = h.ask(r, caller, ClassOwn)
	return tx, nil
}

// transaction fills in the caller's role and everything that policies and functions may ask for with current_setting
// (https://postgrest.org/en/stable/references/transactions.html#transaction-scoped-settings).
func (h *Handler) transaction(tx *pg.Tx, room []pg.Setting, r *http.Request, caller *auth.Caller, catalog *Catalog, schema string) {
	role := catalog.Roles[caller.Role]
	tx.Role = caller.Role
	tx.SearchPath = h.searchPaths[schema]
	tx.RoleSettings = role.Settings
	if len(h.options.RoleDefaults) > 0 {
		tx.RoleSettings = slices.Concat(h.options.RoleDefaults, role.Settings)
	}
	tx.Isolation = role.Isolation
	tx.PreRequest = h.preRequest
	tx.Deadline, _ = r.Context().Deadline() // zero without one
	tx.Settings = append(room,
		pg.Setting{Name: "request.jwt.claims", Value: string(caller.Claims)},
		pg.Setting{Name: "request.method", Value: r.Method},
		pg.Setting{Name: "request.path", Value: r.URL.EscapedPath()},
		pg.Setting{Name: "request.headers", Value: headersJSON(r)},
		pg.Setting{Name: "request.cookies", Value: cookiesJSON(r)},
	)
	if h.customizes.Load() {
		// A function may have set them for the whole session by mistake: its answer's cookies are not for the next caller.
		tx.Settings = append(tx.Settings, pg.Setting{Name: "response.headers"}, pg.Setting{Name: "response.status"})
	}
}

func searchPath(first string, extra []string) string {
	quoted := []string{plan.QuoteIdent(first)}
	for _, s := range extra {
		quoted = append(quoted, plan.QuoteIdent(s))
	}
	return strings.Join(quoted, ", ")
}

// headersJSON renders the headers as a JSON object with lower-case names; of several with one name the last one counts.
// Cookies have a setting of their own.
func headersJSON(r *http.Request) string {
	var room [1024]byte
	b := append(room[:0], `{"host":`...)
	b = appendJSON(b, r.Host)
	for name, values := range r.Header {
		if name == "Cookie" || len(values) == 0 {
			continue
		}
		b = append(b, ',', '"')
		for i := range len(name) { // a token of RFC 9110: ASCII, nothing to escape
			c := name[i]
			if c >= 'A' && c <= 'Z' {
				c += 'a' - 'A'
			}
			b = append(b, c)
		}
		b = append(b, '"', ':')
		b = appendJSON(b, values[len(values)-1])
	}
	return string(append(b, '}'))
}

// cookiesJSON renders the cookies as a JSON object; of several with one name the last one counts.
func cookiesJSON(r *http.Request) string {
	if _, ok := r.Header["Cookie"]; !ok {
		return "{}"
	}
	values := map[string]string{}
	var names []string
	for _, c := range r.Cookies() {
		if _, known := values[c.Name]; !known {
			names = append(names, c.Name)
		}
		values[c.Name] = c.Value
	}
	b := []byte{'{'}
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSON(b, name)
		b = append(b, ':')
		b = appendJSON(b, values[name])
	}
	return string(append(b, '}'))
}

package rest

import (
	"net/http"
	"strings"

	"github.com/slipstream-go/slipstream/internal/request"
)

// fields gives the values of header fields their room in one allocation, which net/http's Header.Set makes for each.
type fields struct {
	values [6]string
	used   int
}

// set sets a field whose name is in canonical form.
func (f *fields) set(h http.Header, name, value string) {
	if f.used == len(f.values) {
		h[name] = []string{value}
		return
	}
	f.values[f.used] = value
	h[name] = f.values[f.used : f.used+1 : f.used+1]
	f.used++
}

// setHead sets the headers that every answer to a read has, and then what functions want of them.
func (a *answer) setHead(h http.Header, head *head) {
	f := &a.fields
	if head.contentRange != "" {
		f.set(h, "Content-Range", head.contentRange)
	}
	if head.location != "" {
		f.set(h, "Location", head.location)
	}
	if head.etag != "" {
		f.set(h, "Etag", head.etag)
	}
	if a.hasBody() && head.status != http.StatusNotModified {
		f.set(h, "Content-Type", a.plan.contentType)
		if a.req.ProfileNegotiated {
			f.set(h, "Content-Profile", a.req.Schema)
		}
	}
	if a.req.Target == request.Relation && a.plan.write == nil {
		f.set(h, "Content-Location", contentLocation(a.req.Name, a.r.URL.RawQuery))
	}
	if applied := a.applied(); applied != "" {
		f.set(h, "Preference-Applied", applied)
	}
	if a.plan.warning != "" {
		f.set(h, "Warning", a.plan.warning)
	}
	if len(head.links) > 0 {
		h["Link"] = append(h["Link"], head.links...)
	}
	set := map[string]bool{}
	for _, field := range head.custom {
		if name := field[0]; set[name] {
			h.Add(name, field[1])
		} else {
			h.Set(name, field[1])
			set[name] = true
		}
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
	if !a.plan.streams() {
		p.Wait = a.req.Prefer.Wait
	}
	if a.plan.write != nil {
		a.appliedToWrite(&p)
	}
	if !a.plan.writes {
		p.Read = a.req.Prefer.Read
	}
	if a.plan.Function != nil {
		p.MaxAffected = a.req.Prefer.MaxAffected
	}
	if a.plan.Keyset != nil {
		p.Pagination = a.req.Prefer.Pagination
	}
	return p.Applied()
}

// appliedToWrite adds the preferences that only writes honour.
func (a *answer) appliedToWrite(p *request.Preferences) {
	asked := &a.req.Prefer
	p.Return = asked.Return
	switch a.req.Method {
	case http.MethodPost:
		p.Missing = asked.Missing
		if len(a.plan.write.Relation.PrimaryKey) > 0 || a.req.Query.OnConflict != nil {
			p.Resolution = asked.Resolution
		}
	case http.MethodPatch:
		p.Missing, p.MaxAffected = asked.Missing, asked.MaxAffected
	case http.MethodDelete:
		p.MaxAffected = asked.MaxAffected
	}
}

// deprecation warns of embeds that were addressed by their relation's name although they have an alias: pairs of
// {relation name, alias}.
func deprecation(renames [][2]string) string {
	if len(renames) == 0 {
		return ""
	}
	updates := make([]string, len(renames))
	for i, r := range renames {
		updates[i] = "`" + headerText(r[0]) + "` to `" + headerText(r[1]) + "`"
	}
	return `299 PostgRESTv16 "Embedded resource was referenced by relation name even though it has an alias. ` +
		`This is deprecated and will stop working in a future release. Update ` + strings.Join(updates, ", ") +
		` in query string filters, orders or limits."`
}

// headerText makes a name fit for the quoted text of a header (RFC 9110, section 5.6.4).
func headerText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '"' || r == '\\' {
			return '?'
		}
		return r
	}, s)
}

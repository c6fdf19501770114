package httpcache

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/slipstream-go/slipstream/internal/auth"
)

// TagFields are the header fields by which a cache on the way can be told to drop answers.
type TagFields int

// The fields.
const (
	NoTags       TagFields = iota
	CacheGroups            // Cache-Groups, RFC 9875
	SurrogateKey           // Surrogate-Key, tags with blanks between: Fastly, Varnish
	CacheTag               // Cache-Tag, tags with commas between: Cloudflare, Akamai
)

// publish lets caches on the way keep the answer, where the shape says so. Then they have to know all headers that other
// answers can come of: also that of a Token, so that a token is answered by what is at least as new.
func (a *answer) publish(s Shape, token string) {
	public, maxAge := s.Public()
	if !public || a.status >= http.StatusBadRequest {
		return
	}
	value := "public, no-cache"
	revalidate, ifError := s.Grace()
	if max(maxAge, revalidate, ifError) >= time.Second {
		value = "public, max-age=" + strconv.Itoa(seconds(maxAge))
	}
	// RFC 5861, sections 3 and 4. An answer with no-cache could not be used stale.
	if revalidate >= time.Second {
		value += ", stale-while-revalidate=" + strconv.Itoa(seconds(revalidate))
	}
	if ifError >= time.Second {
		value += ", stale-if-error=" + strconv.Itoa(seconds(ifError))
	}
	a.public = []string{value}
	vary := "Authorization, Accept-Profile, Origin" // CORS answers by Origin
	if token != "" {
		vary += ", " + token
	}
	a.vary = append(a.vary, vary)
}

// control is Cache-Control of the answer.
func (a *answer) control(caller *auth.Caller) []string {
	if a.public != nil && caller.Anonymous {
		return a.public
	}
	return control(caller)
}

// label adds a header field with tags.
func (a *answer) label(as TagFields, tags []string) {
	if len(tags) == 0 || a.status >= http.StatusBadRequest {
		return
	}
	switch as {
	case CacheGroups:
		a.fields = append(a.fields, field{"Cache-Groups", []string{`"` + strings.Join(tags, `", "`) + `"`}})
	case SurrogateKey:
		a.fields = append(a.fields, field{"Surrogate-Key", []string{strings.Join(tags, " ")}})
	case CacheTag:
		a.fields = append(a.fields, field{"Cache-Tag", []string{strings.Join(tags, ",")}})
	}
}

package rest

import (
	"crypto/sha256"
	"net/http"
	"strings"
	"sync"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/openapi"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
	"github.com/slipstream-go/slipstream/internal/telemetry"
)

// OpenAPIMode is whose privileges decide what the description shows (openapi-mode).
type OpenAPIMode int

// The modes.
const (
	FollowPrivileges OpenAPIMode = iota // what the caller may use
	IgnorePrivileges                    // everything
	OpenAPIDisabled                     // / is 404
)

// OpenAPIOptions configure the description at /.
type OpenAPIOptions struct {
	Mode   OpenAPIMode
	Server openapi.Server
	// SecurityActive adds the bearer token (openapi-security-active).
	SecurityActive bool
	Version        string
}

// root answers / with the description of the schema.
func (x *exchange) root() error {
	o := &x.options.OpenAPI
	if o.Mode == OpenAPIDisabled {
		return apierr.New("PGRST126", "Root endpoint metadata is disabled")
	}
	v31, err := x.descriptionVersion()
	if err != nil {
		return err
	}
	x.info.MarkTiming(telemetry.PhaseParse)
	x.info.SetRole(x.caller.Role)
	sql := openapi.AccessSQL
	if o.Mode == IgnorePrivileges {
		sql = openapi.CommentSQL
	}
	x.begin(&planned{Read: &plan.Read{}})
	x.info.MarkTiming(telemetry.PhasePlan)
	seen := new(value)
	err = x.db.Read(x.r.Context(), &x.tx, []pg.Statement{{SQL: sql, Args: [][]byte{[]byte(x.req.Schema)}}}, seen)
	if err != nil {
		return err
	}
	x.info.MarkTiming(telemetry.PhaseTransaction)
	body, err := x.description(seen.text, v31)
	if err != nil {
		return err
	}
	a := &answer{exchange: x, plan: &planned{Read: &plan.Read{}}, body: body}
	contentType := request.OpenAPI + "; charset=utf-8"
	if v31 {
		contentType = request.OpenAPI + "; version=3.1; charset=utf-8"
	}
	h := x.w.Header()
	x.fields.set(h, "Content-Type", contentType)
	if x.req.ProfileNegotiated {
		x.fields.set(h, "Content-Profile", x.req.Schema)
	}
	a.finish(http.StatusOK)
	return nil
}

// descriptionVersion is true for OpenAPI 3.1, which is asked for by version=3.1; else it is 2.0, as PostgREST's.
func (x *exchange) descriptionVersion() (v31 bool, err error) {
	names := make([]string, len(x.req.Accept))
	for i, m := range x.req.Accept {
		names[i] = m.String()
		switch m.Name {
		case request.AnyType, request.JSON:
			return false, nil
		case request.OpenAPI:
			return strings.HasPrefix(m.Version, "3.1"), nil
		}
	}
	return false, apierr.New("PGRST107", "None of these media types are available: "+strings.Join(names, ", "))
}

// description is the document for what a caller may see.
func (x *exchange) description(access []byte, v31 bool) ([]byte, error) {
	key := descriptionKey{schema: x.req.Schema, access: sha256.Sum256(access), v31: v31}
	if body := x.descriptions.get(x.catalog.Schema, key); body != nil {
		return body, nil
	}
	seen, err := openapi.ParseAccess(access)
	if err != nil {
		return nil, err
	}
	d := seen.Filter(x.catalog.Schema, x.req.Schema)
	d.Server, d.SecurityActive, d.Version = x.options.OpenAPI.Server, x.options.OpenAPI.SecurityActive, x.options.OpenAPI.Version
	d.Profile = x.req.Schema != x.options.Request.Schemas[0]
	write := openapi.Document2
	if v31 {
		write = openapi.Document31
	}
	body := write(d)
	x.descriptions.put(x.catalog.Schema, key, body)
	return body, nil
}

// value is a pg.Sink for one value.
type value struct{ text []byte }

func (v *value) Columns(int, []string) error { return nil }

func (v *value) Row(_ int, values [][]byte) error {
	v.text = append(v.text[:0], values[0]...)
	return nil
}

func (v *value) Restart() bool { return true }

// descriptionCache keeps the documents of one snapshot for the few sets of privileges that there are: making one takes
// time in a large schema. When it is full it begins anew.
type descriptionCache struct {
	mu       sync.Mutex
	snapshot *schema.Snapshot
	bodies   map[descriptionKey][]byte
	bytes    int
}

type descriptionKey struct {
	schema string
	access [sha256.Size]byte
	v31    bool
}

// mostDescriptions bounds the documents that are kept, in bytes; a larger one is made for each request.
const mostDescriptions = 64 << 20

func (c *descriptionCache) get(s *schema.Snapshot, k descriptionKey) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.snapshot != s {
		return nil
	}
	return c.bodies[k]
}

func (c *descriptionCache) put(s *schema.Snapshot, k descriptionKey, body []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(body) > mostDescriptions {
		return
	}
	if c.snapshot != s || c.bytes+len(body) > mostDescriptions {
		c.snapshot, c.bodies, c.bytes = s, map[descriptionKey][]byte{}, 0
	}
	c.bodies[k] = body
	c.bytes += len(body)
}

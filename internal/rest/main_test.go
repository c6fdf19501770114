package rest_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/rest"
	"github.com/slipstream-go/slipstream/internal/schema"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// api is a handler alone, without server and edge, on a database of the test's own with the schema api.
type api struct {
	*rest.Handler
	dsn     string
	caller  *auth.Caller
	db      *pg.DB
	catalog atomic.Pointer[rest.Catalog]
	loads   uint64
}

func newAPI(t testing.TB, sql string, change ...func(*rest.Options)) *api {
	t.Helper()
	login, anon := pgtest.Role(t, "login noinherit"), pgtest.Role(t, "nologin")
	a := &api{dsn: pgtest.Database(t), caller: &auth.Caller{Role: anon, Claims: []byte(`{"role":"` + anon + `"}`), Anonymous: true, AnonRole: true}}
	pgtest.Exec(t, a.dsn, "grant "+anon+" to "+login+"; create schema api; grant usage on schema api to "+anon+
		"; alter default privileges in schema api grant select on tables to "+anon+"; set search_path to api, public;"+sql)
	u, err := url.Parse(a.dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User(login)
	if a.db, err = pg.Open(pg.Options{DSN: u.String(), MaxConns: 2}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- a.db.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	for a.db.Ping(ctx) != nil { // Run makes the pool in its own time
	}
	o := rest.Options{Request: request.Settings{Schemas: []string{"api"}}, ExtraSearchPath: []string{"public"}, CursorSecret: []byte("secret")}
	for _, f := range change {
		f(&o)
	}
	a.reload(t)
	a.Handler = rest.New(o, a.db, a.catalog.Load)
	return a
}

// reload puts the catalog as it is now in force.
func (a *api) reload(t testing.TB) {
	t.Helper()
	a.loads++
	var next rest.Catalog
	err := a.db.Catalog(t.Context(), func(q pg.Querier) (err error) {
		next.Schema, err = schema.Load(t.Context(), q, schema.Options{Schemas: []string{"api"}, Generation: a.loads})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	a.catalog.Store(&next)
}

// request makes a request of the caller. target is written as it would be on the wire.
func (a *api) request(t testing.TB, method, target string, headers ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r.WithContext(auth.WithCaller(r.Context(), a.caller))
}

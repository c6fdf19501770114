package slipstream_test

import (
	"context"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream"
	"github.com/slipstream-go/slipstream/internal/devdb"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

func TestBeforeTheSchemaIsLoaded(t *testing.T) {
	s := newSite(t, "")
	s.config.DBURI = "postgres://nobody@127.0.0.1:1/nothing"
	s.config.AdminServerPort = slipstream.AnyPort
	s.run()
	want := `{"code":"PGRST002","details":null,"hint":null,"message":"Could not query the database for the schema cache. Retrying."}`
	for _, path := range []string{"/item", "/", "/rpc/f", "/a/b/c"} {
		s.get(path).check(t, 503, want, "Retry-After: 1", "Proxy-Status: PostgREST; error=PGRST002")
	}
	s.get("/item", "Authorization: Bearer nonsense").check(t, 503, want)
	eventually(t, "the admin server listens", func() bool { return s.AdminAddr() != "" })
	if status, body := s.admin("/ready"); status != 503 || body != "the schema is not loaded\n" {
		t.Errorf("/ready: %d %s", status, body)
	}
	if status, _ := s.admin("/live"); status != 200 {
		t.Errorf("/live: %d", status)
	}
}

func TestHandlerBeforeRun(t *testing.T) {
	s := newSite(t, "")
	server, err := slipstream.New(t.Context(), s.config)
	if err != nil {
		t.Fatal(err)
	}
	a := record(server.Handler(), "GET", "/item")
	if a.Code != 503 || a.Header().Get("Retry-After") != "1" {
		t.Errorf("%d %v", a.Code, a.Header())
	}
}

// admin asks the admin server.
func (s *site) admin(path string) (int, string) {
	s.t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://"+s.AdminAddr()+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	a := s.do(r)
	return a.StatusCode, a.body
}

// cluster is a PostgreSQL of the test's own, which can be stopped and started again.
type cluster struct {
	*devdb.Cluster
	t   *testing.T
	dir string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	dir, err := os.MkdirTemp("", "sl-")
	if err != nil {
		t.Fatal(err)
	}
	// The server may run as another system user, who has to pass through.
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, dir: dir}
	c.start()
	t.Cleanup(func() {
		_ = c.Stop(context.Background())
		_ = os.RemoveAll(dir)
		_ = os.RemoveAll(c.Dir())
	})
	return c
}

func (c *cluster) start() {
	c.t.Helper()
	var err error
	c.Cluster, err = devdb.Start(c.t.Context(), devdb.Options{Dir: c.dir, Settings: map[string]string{"fsync": "off", "shared_buffers": "16MB"}})
	if err != nil {
		c.t.Fatal(err)
	}
}

func TestDatabaseRestarts(t *testing.T) {
	c := newCluster(t)
	pgtest.Exec(t, c.DSN("postgres"), `create role anon; create role login login noinherit; grant anon to login; create schema api;
		grant usage on schema api to anon; create table api.item (id int); insert into api.item values (1); grant select on api.item to anon`)
	s := &site{t: t, dsn: c.DSN("postgres"), config: slipstream.Config{
		DBURI: c.DSNAs("login", "postgres"), DBSchemas: []string{"api"}, DBAnonRole: "anon",
		ServerPort: slipstream.AnyPort, AdminServerPort: slipstream.AnyPort, AccessLog: "off",
	}}
	messages := new(logged)
	s.config.Logger = messages.logger()
	s.run()
	s.ready()
	s.get("/item").check(t, 200, `[{"id":1}]`)

	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		a := s.get("/item")
		if code := a.Header.Get("Proxy-Status"); a.StatusCode != 503 || a.Header.Get("Retry-After") != "1" || !strings.HasPrefix(code, "PostgREST; error=PGRST00") {
			t.Errorf("while the database is down: %d %v %s", a.StatusCode, a.Header, a.body)
		}
		if strings.Contains(a.body, c.Dir()) {
			t.Errorf("the answer tells where the database is: %s", a.body)
		}
	}
	if status, body := s.admin("/ready"); status != 503 || body != "the database does not answer\n" {
		t.Errorf("/ready: %d %s", status, body)
	}
	if err := s.ReloadSchema(t.Context()); err == nil {
		t.Error("a reload without a database succeeds")
	}

	c.start()
	eventually(t, "requests are served again", func() bool { return s.get("/item").StatusCode == 200 })
	if status, _ := s.admin("/ready"); status != 200 {
		t.Errorf("/ready: %d", status)
	}
	// With nobody's help the schema is read again: what changed meanwhile could not be notified.
	pgtest.Exec(t, c.DSN("postgres"), `create table api.late (id int); grant select on api.late to anon`)
	eventually(t, "the listener is back", func() bool {
		pgtest.Exec(t, c.DSN("postgres"), `notify pgrst, 'reload schema'`)
		return s.get("/late").StatusCode == 200
	})
	if !messages.contain("not listening for notifications") {
		t.Error("the log does not tell of the lost listener")
	}
}

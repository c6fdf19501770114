package slipstream_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// journal is a log that tests can look at while it is written.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) has(text string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Contains(j.text.String(), text)
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

// database is the name of the site's database.
func (s *site) database() string {
	u, err := url.Parse(s.dsn)
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimPrefix(u.Path, "/")
}

const items = `create table item (id int primary key); insert into item select generate_series(1, 9);
	create schema other; create table other.thing (id int); grant usage on schema other to ANON; grant select on other.thing to ANON;`

func TestConfigurationInTheDatabase(t *testing.T) {
	s := serve(t, items+`alter role LOGIN set pgrst.db_max_rows = '2'; alter role LOGIN set pgrst.db_schemas = 'api, other'`,
		func(c *slipstream.Config) { c.DBMaxRows = 5 })
	s.get("/item?select=id").check(t, 200, "[{\"id\":1}, \n {\"id\":2}]")
	s.get("/thing", "Accept-Profile: other").check(t, 200, `[]`)

	// A reload of the schema reads it again, and so does one of the configuration.
	s.exec(`alter role LOGIN reset pgrst.db_max_rows; alter role LOGIN in database ` + s.database() + ` set pgrst.db_schemas = 'other'`)
	if err := s.ReloadSchema(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.get("/thing").check(t, 200, `[]`)
	s.get("/item").check(t, 404, "*")
	s.exec(`alter role LOGIN in database ` + s.database() + ` reset all`)
	if err := s.ReloadConfig(t.Context(), s.config); err != nil {
		t.Fatal(err)
	}
	s.get("/item?id=eq.1").check(t, 200, `[{"id":1}]`)

	off := s.config
	off.DisableDBConfig = true
	if err := s.ReloadConfig(t.Context(), off); err != nil {
		t.Fatal(err)
	}
	s.get("/thing", "Accept-Profile: other").check(t, 406, "*")
}

func TestConfigurationByFunction(t *testing.T) {
	s := serve(t, items+`create function configure() returns void language sql as $$
			select set_config('pgrst.db_schemas', 'other', true), set_config('pgrst.db_anon_role', 'ANON', true) $$;
		grant usage on schema api to LOGIN`,
		func(c *slipstream.Config) { c.DBPreConfig, c.DBAnonRole = "api.configure", "nobody" })
	s.get("/thing").check(t, 200, `[]`)
}

// What is wrong changes nothing while the server runs, and says so.
func TestWrongConfigurationInTheDatabase(t *testing.T) {
	var log journal
	s := serve(t, items, func(c *slipstream.Config) { c.Logger = log.logger() })
	s.exec("alter role LOGIN set pgrst.db_max_rows = 'many'; create table api.later (id int); grant select on api.later to ANON")
	if err := s.ReloadConfig(t.Context(), s.config); err == nil || !strings.HasPrefix(err.Error(), "pgrst.db_max_rows in the database: ") {
		t.Error(err)
	}
	s.get("/item?id=eq.1").check(t, 200, `[{"id":1}]`)
	// The schema does not suffer from it.
	if err := s.ReloadSchema(t.Context()); err != nil {
		t.Error(err)
	}
	if !log.has(`"the old configuration stays in use" error="pgrst.db_max_rows in the database: `) {
		t.Error("not logged")
	}
	s.get("/later").check(t, 200, `[]`)
}

func TestWrongConfigurationInTheDatabaseAtStart(t *testing.T) {
	s := newSite(t, "alter role LOGIN set pgrst.jwt_role_claim_key = 'no path'")
	server, err := slipstream.New(t.Context(), s.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "role-claim-key") {
		t.Error(err)
	}
}

// A pre-config function that is not there yet is waited for: what it would say could matter for what may be served.
func TestConfigurationIsWaitedFor(t *testing.T) {
	var log journal
	s := newSite(t, items)
	s.config.DBPreConfig, s.config.Logger = "api.configure", log.logger()
	s.run()
	eventually(t, "the missing function is logged", func() bool { return log.has("call the pre-config function api.configure") })
	s.get("/item").check(t, 503, "*")
	s.exec("create function api.configure() returns void language sql as ''; grant usage on schema api to LOGIN")
	s.ready()
	s.get("/item?id=eq.1").check(t, 200, `[{"id":1}]`)
}

// NOTIFY is all it takes for a program that does nothing of its own about it.
func TestNotifiedConfiguration(t *testing.T) {
	s := serve(t, items, func(c *slipstream.Config) { c.DisableChannel = false })
	s.exec("alter role LOGIN set pgrst.db_max_rows = '1'; notify pgrst, 'reload config'")
	eventually(t, "the setting is in force", func() bool { return s.get("/item?select=id").body == `[{"id":1}]` })
}

// The database's own settings for functions arrive without new connections.
func TestAppSettingsInTheDatabase(t *testing.T) {
	s := serve(t, `create function setting(name text) returns text stable language sql as $$ select current_setting('app.settings.' || name, true) $$`,
		func(c *slipstream.Config) { c.AppSettings, c.DBPool = map[string]string{"a": "file"}, 1 })
	s.get("/rpc/setting?name=b").check(t, 200, `null`)
	s.exec("alter role LOGIN set app.settings.a = 'database'; alter role LOGIN set app.settings.b = 'database'")
	if err := s.ReloadSchema(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.get("/rpc/setting?name=a").check(t, 200, `"file"`)
	s.get("/rpc/setting?name=b").check(t, 200, `"database"`)
}

func TestFromDatabase(t *testing.T) {
	s := newSite(t, "alter role LOGIN set pgrst.db_max_rows = '4'; alter role LOGIN set pgrst.odd = ''")
	c, warnings, err := s.config.FromDatabase(t.Context())
	if err != nil || len(warnings) != 1 || c.DBMaxRows != 4 {
		t.Error(c.DBMaxRows, warnings, err)
	}
	off := slipstream.Config{DisableDBConfig: true, DBURI: "postgres://127.0.0.1:1/none"}
	if _, _, err := off.FromDatabase(t.Context()); err != nil {
		t.Error(err)
	}
	off.DisableDBConfig = false
	if _, _, err := off.FromDatabase(t.Context()); !errors.Is(err, slipstream.ErrDatabaseSettings) {
		t.Error(err)
	}
}

// Without recovery the end of the database is the end of the server: noticed by the listener, else by a request.
func TestNoPoolRecovery(t *testing.T) {
	for _, listening := range []bool{true, false} {
		t.Run(fmt.Sprintf("listening %t", listening), func(t *testing.T) {
			s := newSite(t, items)
			s.config.DisablePoolRecovery, s.config.DisableChannel = true, !listening
			server, err := slipstream.New(t.Context(), s.config)
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- server.Run(t.Context()) }()
			eventually(t, "the server is ready", func() bool { return server.Ready(t.Context()) == nil })
			pgtest.Exec(t, pgtest.ServerDSN(t), "alter database "+s.database()+" with allow_connections false",
				"select pg_terminate_backend(pid) from pg_stat_activity where datname = '"+s.database()+"'")
			for {
				select {
				case err := <-ended:
					if err == nil || !strings.HasPrefix(err.Error(), "the database is lost, and db-pool-automatic-recovery is off: ") {
						t.Error(err)
					}
					return
				default:
				}
				if !listening {
					server.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/item", nil))
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
}

// A server that starts with the wrong password ends; what may pass, such as a role that cannot log in yet, it waits for.
func TestWrongPassword(t *testing.T) {
	for code, ends := range map[string]bool{"28P01": true, "28000": false} {
		refusing, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = refusing.Close() })
		var asked atomic.Int32
		go func() {
			for {
				conn, err := refusing.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Read(make([]byte, 1024))
				fields := "SFATAL\x00VFATAL\x00C" + code + "\x00Mrefused\x00\x00"
				_, _ = conn.Write(append([]byte{'E', 0, 0, 0, byte(len(fields) + 4)}, fields...))
				_ = conn.Close()
				asked.Add(1)
			}
		}()
		s := newSite(t, items)
		s.config.DBURI = "postgres://a:b@" + refusing.Addr().String() + "/c?sslmode=disable"
		server, err := slipstream.New(t.Context(), s.config)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- server.Run(ctx) }()
		if !ends {
			eventually(t, "it tries again", func() bool { return asked.Load() > 1 })
			stop()
		}
		if err := <-ended; (err != nil) != ends || ends && !strings.Contains(err.Error(), code) {
			t.Errorf("%s: %v", code, err)
		}
		stop()
	}
}

// log-query adds the SQL to the lines of the requests that are logged.
func TestLogQuery(t *testing.T) {
	path := t.TempDir() + "/access.log"
	s := serve(t, items, func(c *slipstream.Config) { c.AccessLog, c.LogLevel, c.LogQuery = path, "warn", true })
	s.get("/item?id=eq.1").check(t, http.StatusOK, "*")
	s.get("/item?id=eq.x").check(t, http.StatusBadRequest, "*")
	s.config.LogQuery = false
	if err := s.ReloadConfig(t.Context(), s.config); err != nil {
		t.Fatal(err)
	}
	s.get("/item?id=eq.y").check(t, http.StatusBadRequest, "*")
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(readFile(t, path)), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], `"sql":"`) || !strings.Contains(lines[0], `\"item\"`) || strings.Contains(lines[1], `"sql"`) {
		t.Errorf("%q", lines)
	}
}

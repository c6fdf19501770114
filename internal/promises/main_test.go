package promises_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/slipstream-go/slipstream"
	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// The server is the tests' own: they change its settings and end its processes.
func TestMain(m *testing.M) {
	_ = os.Unsetenv("DATABASE_URL")
	pgtest.Main(m)
}

// full says that the long forms run.
func full() bool { return os.Getenv("PROMISES") == "full" }

// scale is how much of something a test does.
func scale(short, long int) int {
	if full() {
		return long
	}
	return short
}

const (
	jwtSecret = "a secret that is long enough for HS256"
	staleness = time.Second // cache-staleness
)

// site is a server with its cache on, on a database of the test's own.
type site struct {
	*slipstream.Server
	t      testing.TB
	dsn    string // the superuser's
	login  string
	anon   string
	member string
	config slipstream.Config
	client *http.Client
	beside int // servers on the same database that end later
}

// prepare makes the database and its roles. In sql, ANON, MEMBER and LOGIN stand for the roles, as everywhere.
func prepare(t testing.TB, sql string) *site {
	t.Helper()
	pgtest.Server(t)
	s := &site{t: t, login: pgtest.Role(t, "login noinherit"), anon: pgtest.Role(t, "nologin"), member: pgtest.Role(t, "nologin")}
	s.dsn = pgtest.Database(t)
	s.exec("grant ANON, MEMBER to LOGIN; create schema api; grant usage on schema api to ANON, MEMBER;" +
		"alter default privileges in schema api grant select on tables to ANON, MEMBER; set search_path to api, public;" + sql)
	if err := feed.Install(t.Context(), s.dsn, s.login, nil); err != nil {
		t.Fatal(err)
	}
	s.config = slipstream.Config{
		DBURI: s.as(s.login), DBSchemas: []string{"api"}, DBAnonRole: s.anon, DBPool: 6, DBAggregatesEnabled: true,
		JWTSecret: jwtSecret, DisableChannel: true, CacheMode: "wal", CacheMemory: 64 << 20, CacheStaleness: staleness,
		ServerPort: slipstream.AnyPort, AdminServerPort: slipstream.NoPort,
		AccessLog: "off", Logger: slog.New(slog.DiscardHandler),
	}
	return s
}

// serve is prepare with a server that runs until the end of the test, and whose cache is open.
func serve(t testing.TB, sql string, change ...func(*site)) *site {
	t.Helper()
	s := prepare(t, sql)
	for _, f := range change {
		f(s)
	}
	s.run()
	s.open()
	return s
}

func (s *site) run() {
	s.t.Helper()
	var err error
	if s.Server, err = slipstream.New(s.t.Context(), s.config); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 1100}
	s.client = &http.Client{Transport: transport, Timeout: time.Minute}
	s.t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("Run: %v", err)
		}
		eventually(s.t, "the replication slot is gone", func() bool { // till then the database cannot be dropped
			return s.value("select count(*) from pg_replication_slots where database = current_database()") == strconv.Itoa(s.beside)
		})
	})
	eventually(s.t, "the server is ready", func() bool { return s.Addr() != "" && s.Ready(s.t.Context()) == nil })
}

// open waits until answers are kept again.
func (s *site) open() {
	s.t.Helper()
	eventually(s.t, "the cache is open", func() bool { return s.CacheStatus().Mode == "wal" })
}

// quiesce waits until a heartbeat that was sent after the call has come back, and the cache is open: all that was committed
// before has reached it then.
func (s *site) quiesce() {
	s.t.Helper()
	since := time.Now()
	eventually(s.t, "the cache has heard of everything", func() bool { return s.heardSince(since) })
}

// heardSince reports whether a heartbeat that was sent since then has come back, and the cache is open.
func (s *site) heardSince(since time.Time) bool {
	s.t.Helper()
	s.get("/registers?limit=0") // heartbeats rest while nobody asks
	status := s.CacheStatus()
	lag := time.Duration(status.LagMilliseconds+1) * time.Millisecond
	return status.Mode == "wal" && status.LagMilliseconds >= 0 && lag < time.Since(since)
}

// eventually polls for what another process or goroutine does in its own time.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

// exec runs SQL as the superuser.
func (s *site) exec(sql string) {
	s.t.Helper()
	pgtest.Exec(s.t, s.dsn, s.named(sql))
}

func (s *site) value(sql string) string {
	s.t.Helper()
	return pgtest.Value(s.t, s.dsn, s.named(sql))
}

func (s *site) named(sql string) string {
	return strings.NewReplacer("ANON", s.anon, "MEMBER", s.member, "LOGIN", s.login).Replace(sql)
}

// connect is a program of somebody else's, that writes past the server. Its commits are in the log when they are
// acknowledged, as they are by default.
func (s *site) connect() *pgx.Conn {
	s.t.Helper()
	return s.connectWith("on")
}

// connectWith sets synchronous_commit. With off, commits are visible up to 0.6 s before they are in the log.
func (s *site) connectWith(synchronousCommit string) *pgx.Conn {
	s.t.Helper()
	conn, err := pgx.Connect(context.Background(), s.dsn)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	if _, err := conn.Exec(context.Background(), "set synchronous_commit = "+synchronousCommit); err != nil {
		s.t.Fatal(err)
	}
	return conn
}

// as is the database for another user.
func (s *site) as(user string) string {
	u, err := url.Parse(s.dsn)
	if err != nil {
		s.t.Fatal(err)
	}
	u.User = url.User(user)
	return u.String()
}

// answer is a response that was read to its end.
type answer struct {
	*http.Response
	body string
}

// hit reports whether it came out of the cache.
func (a answer) hit() bool { return strings.Contains(a.Header.Get("Cache-Status"), "hit") }

// get asks for a path with headers such as "Accept: text/csv".
func (s *site) get(path string, headers ...string) answer {
	s.t.Helper()
	a, err := s.try(path, headers...)
	if err != nil {
		s.t.Fatalf("%s: %v", path, err)
	}
	return a
}

// direct is get past the cache.
func (s *site) direct(path string, headers ...string) answer {
	s.t.Helper()
	return s.get(path, append([]string{"Cache-Control: no-cache"}, headers...)...)
}

func (s *site) try(path string, headers ...string) (answer, error) {
	r, err := http.NewRequest(http.MethodGet, "http://"+s.Addr()+path, nil)
	if err != nil {
		return answer{}, err
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	response, err := s.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response, string(body)}, err
}

// bearer is the header of a token for the member role, with further claims such as `"sub": "7"`.
func (s *site) bearer(claims ...string) string {
	payload := "{" + strings.Join(append([]string{fmt.Sprintf("%q: %q", "role", s.member)}, claims...), ", ") + "}"
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode([]byte(payload))
	mac := hmac.New(sha256.New, []byte(jwtSecret))
	mac.Write([]byte(signed))
	return "Authorization: Bearer " + signed + "." + encode(mac.Sum(nil))
}

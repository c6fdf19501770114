package slipstream_test

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
	"strings"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const jwtSecret = "a secret that is long enough for HS256"

// site is a server as users run it, on a database of the test's own, with the roles of a small application.
type site struct {
	*slipstream.Server
	t      testing.TB
	dsn    string // the superuser's
	anon   string // the anonymous role
	member string // the role of tokens
	login  string // the role that the server connects as
	config slipstream.Config
	client *http.Client
	add    func(*slipstream.Server) // what the program adds before Run
	stop   func() error             // ends Run and gives its error; harmless when repeated
}

// newSite makes the database: a schema api that both roles may use, and what sql adds to it. ANON, MEMBER and LOGIN in
// sql stand for the roles.
func newSite(t testing.TB, sql string) *site {
	t.Helper()
	s := &site{t: t, login: pgtest.Role(t, "login noinherit"), anon: pgtest.Role(t, "nologin"), member: pgtest.Role(t, "nologin")}
	s.dsn = pgtest.Database(t)
	s.exec("grant ANON, MEMBER to LOGIN; create schema api; grant usage on schema api to ANON, MEMBER;" +
		"alter default privileges in schema api grant select on tables to ANON, MEMBER; set search_path to api, public;" + sql)
	s.config = slipstream.Config{
		DBURI: s.dsnAs(s.login), DBSchemas: []string{"api"}, DBAnonRole: s.anon, DBPool: 4,
		JWTSecret: jwtSecret, DisableChannel: true,
		ServerPort: slipstream.AnyPort, AdminServerPort: slipstream.NoPort,
		AccessLog: "off", Logger: slog.New(slog.DiscardHandler),
	}
	return s
}

// serve is newSite with a server that runs until the end of the test.
func serve(t testing.TB, sql string, change ...func(*slipstream.Config)) *site {
	t.Helper()
	s := newSite(t, sql)
	for _, f := range change {
		f(&s.config)
	}
	s.run()
	s.ready()
	return s
}

// run starts a server and returns when it listens.
func (s *site) run() {
	s.t.Helper()
	var err error
	if s.Server, err = slipstream.New(s.t.Context(), s.config); err != nil {
		s.t.Fatal(err)
	}
	if s.add != nil {
		s.add(s.Server)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}
	s.client = &http.Client{Transport: transport, Timeout: time.Minute}
	s.stop = func() error {
		transport.CloseIdleConnections()
		cancel()
		err := <-ended
		ended <- err
		transport.CloseIdleConnections()
		return err
	}
	s.t.Cleanup(func() {
		if err := s.stop(); err != nil {
			s.t.Errorf("Run: %v", err)
		}
	})
	eventually(s.t, "the server listens", func() bool { return s.Addr() != "" })
}

// ready waits until the server answers requests.
func (s *site) ready() {
	s.t.Helper()
	eventually(s.t, "the server is ready", func() bool { return s.Ready(s.t.Context()) == nil })
}

// eventually polls for what another process or goroutine does in its own time.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(2 * time.Millisecond) {
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

// value is the result of a query as the superuser.
func (s *site) value(sql string) string {
	s.t.Helper()
	return pgtest.Value(s.t, s.dsn, s.named(sql))
}

func (s *site) named(sql string) string {
	return strings.NewReplacer("ANON", s.anon, "MEMBER", s.member, "LOGIN", s.login).Replace(sql)
}

// dsnAs is the database for another user. Test servers ask for no password.
func (s *site) dsnAs(user string) string {
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

// get asks for a path with headers such as "Accept: text/csv".
func (s *site) get(path string, headers ...string) answer {
	s.t.Helper()
	return s.send(http.MethodGet, path, headers...)
}

func (s *site) send(method, path string, headers ...string) answer {
	s.t.Helper()
	a, err := s.try(method, path, headers...)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// try is send where an error may be the answer.
func (s *site) try(method, path string, headers ...string) (answer, error) {
	r, err := http.NewRequest(method, "http://"+s.Addr()+path, nil)
	if err != nil {
		return answer{}, err
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return s.roundTrip(r)
}

// do is send for a request that is special.
func (s *site) do(r *http.Request) answer {
	s.t.Helper()
	a, err := s.roundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func (s *site) roundTrip(r *http.Request) (answer, error) {
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
	return "Authorization: Bearer " + s.token(s.member, claims...)
}

// token is a signed token for a role.
func (s *site) token(role string, claims ...string) string {
	payload := "{" + strings.Join(append([]string{fmt.Sprintf("%q: %q", "role", role)}, claims...), ", ") + "}"
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode([]byte(payload))
	mac := hmac.New(sha256.New, []byte(jwtSecret))
	mac.Write([]byte(signed))
	return signed + "." + encode(mac.Sum(nil))
}

// check compares status, headers and body. A header is "Name: value", or "Name:" for one that must be absent. The body
// "*" is any.
func (a answer) check(t *testing.T, status int, body string, headers ...string) {
	t.Helper()
	if a.StatusCode != status {
		t.Errorf("status %d, want %d", a.StatusCode, status)
	}
	if body != "*" && a.body != body {
		t.Errorf("body\n%s\nwant\n%s", a.body, body)
	}
	for _, h := range headers {
		name, want, _ := strings.Cut(h, ":")
		if got := strings.Join(a.Header.Values(name), " | "); got != strings.TrimPrefix(want, " ") {
			t.Errorf("%s: %q, want %q", name, got, strings.TrimPrefix(want, " "))
		}
	}
}

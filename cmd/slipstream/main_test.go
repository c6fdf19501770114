package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// TestMain lets the test binary stand for the program, under the program's name.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "slipstream" {
		main()
	}
	pgtest.Main(m)
}

// TestScripts runs testdata/script/*.txtar: what users type, and what they see.
func TestScripts(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, "slipstream")); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Values[key{}] = env.T()
			env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"database": database,
			"sql":      sql,
			"get":      get,
			"hit":      hit,
			"await":    await,
			"ask":      ask,
			"busy":     busy,
			"signal":   signalServer,
			"upstream": upstream,
			"fetch":    fetchURL,
		},
	})
}

// database makes a database and roles of the script's own: $DSN for the superuser, $URI for $LOGIN, the authenticator,
// and $ANON. Its schema api has the table item.
func database(ts *testscript.TestScript, _ bool, _ []string) {
	t := tb(ts)
	login, anon := pgtest.Role(t, "login noinherit"), pgtest.Role(t, "nologin")
	dsn := pgtest.Database(t)
	pgtest.Exec(t, dsn, "grant "+anon+" to "+login+"; create schema api; grant usage on schema api to "+anon+`;
		create table api.item (id int primary key); insert into api.item values (1); grant select on api.item to `+anon)
	ts.Setenv("DSN", dsn)
	ts.Setenv("URI", asUser(ts, dsn, login))
	ts.Setenv("LOGIN", login)
	ts.Setenv("ANON", anon)
}

// key finds the script's own testing.TB.
type key struct{}

// tb is the test of the script.
func tb(ts *testscript.TestScript) testing.TB { return ts.Value(key{}).(testing.TB) }

func sql(ts *testscript.TestScript, _ bool, args []string) {
	pgtest.Exec(tb(ts), ts.Getenv("DSN"), strings.Join(args, " "))
}

// await FILE TEXT waits until the file holds the text.
func await(ts *testscript.TestScript, _ bool, args []string) {
	poll(ts, strings.Join(args, " "), func() (string, bool) {
		b, err := os.ReadFile(ts.MkAbs(args[0]))
		return string(b), err == nil && strings.Contains(string(b), args[1])
	})
}

// poll tries until it succeeds; want and the last try's result are for the message if it never does. Servers start and
// reload in their own time, and in a process of their own.
func poll(ts *testscript.TestScript, want string, try func() (string, bool)) {
	var got string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var ok bool
		if got, ok = try(); ok {
			return
		}
	}
	ts.Fatalf("want %s, got %s", want, got)
}

// get URL-PATH STATUS [TEXT] asks the API on the socket api.sock of the script's directory until it answers with the
// status and the text. "get ready 200" asks the admin server.
func get(ts *testscript.TestScript, _ bool, args []string) {
	socket, path := "api.sock", args[0]
	if !strings.HasPrefix(path, "/") {
		socket, path = "admin.sock", "/"+path
	}
	client := clientOf(ts.MkAbs(socket))
	poll(ts, strings.Join(args, " "), func() (string, bool) {
		status, body := fetch(client, "http://localhost"+path)
		return status + " " + body, status == args[1] && (len(args) < 3 || strings.Contains(body, args[2]))
	})
}

// hit PATH asks the API as get does, until the answer comes out of the cache.
func hit(ts *testscript.TestScript, _ bool, args []string) {
	client := clientOf(ts.MkAbs("api.sock"))
	poll(ts, "a hit", func() (string, bool) {
		response, err := client.Get("http://localhost" + args[0])
		if err != nil {
			return err.Error(), false
		}
		defer response.Body.Close()
		status := response.Header.Get("Cache-Status")
		return status, status == "Slipstream; hit"
	})
}

// ask sends a request and does not wait for the answer.
func ask(ts *testscript.TestScript, _ bool, args []string) {
	client := clientOf(ts.MkAbs("api.sock"))
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		fetch(client, "http://localhost"+args[0])
	}()
	ts.Defer(func() { <-answered })
}

// busy waits until a statement with the text runs in the script's database.
func busy(ts *testscript.TestScript, _ bool, args []string) {
	poll(ts, args[0]+" to run", func() (string, bool) {
		n := pgtest.Value(tb(ts), ts.Getenv("DSN"), `select count(*) from pg_stat_activity
			where datname = current_database() and pid <> pg_backend_pid() and state = 'active' and position($1 in query) > 0`, args[0])
		return n, n != "0"
	})
}

func clientOf(socket string) http.Client {
	return http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
}

func fetch(client http.Client, url string) (status, body string) {
	response, err := client.Get(url)
	if err != nil {
		return "", err.Error()
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err.Error()
	}
	return strconv.Itoa(response.StatusCode), string(b)
}

// signalServer sends a signal to the command in the background.
func signalServer(ts *testscript.TestScript, _ bool, args []string) {
	signals := map[string]os.Signal{"TERM": syscall.SIGTERM, "INT": os.Interrupt, "USR1": reloadSchema, "USR2": reloadConfig}
	for _, command := range ts.BackgroundCmds() {
		ts.Check(command.Process.Signal(signals[args[0]]))
	}
}

// upstream starts a service at $UPSTREAM. $FREE1 and $FREE2 are addresses that nobody listens at.
func upstream(ts *testscript.TestScript, _ bool, _ []string) {
	server := httptest.NewServer(service())
	ts.Defer(server.Close)
	ts.Setenv("UPSTREAM", server.Listener.Addr().String())
	for _, name := range []string{"FREE1", "FREE2"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		ts.Setenv(name, l.Addr().String())
		ts.Check(l.Close())
	}
}

// fetchURL URL STATUS TEXT asks until the answer has the status and the text.
func fetchURL(ts *testscript.TestScript, _ bool, args []string) {
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	poll(ts, strings.Join(args, " "), func() (string, bool) {
		status, body := fetch(client, args[0])
		return status + " " + body, status == args[1] && strings.Contains(body, args[2])
	})
}

// asUser is the same database for another user. Test servers ask for no password.
func asUser(ts *testscript.TestScript, dsn, user string) string {
	u, err := url.Parse(dsn)
	ts.Check(err)
	u.User = url.User(user)
	return u.String()
}

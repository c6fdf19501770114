package slipstream_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/slipstream-go/slipstream"
)

// gateSQL has functions and a constraint that wait, at the statement or at COMMIT, until there is a row in gate.
const gateSQL = `
	create table gate (id int);
	create table item (id int primary key, wait boolean default false);
	create function wait() returns void language plpgsql volatile as $$ begin
		while not exists (select from api.gate) loop perform pg_sleep(0.005); end loop;
	end $$;
	create function slowly(id int) returns int language plpgsql volatile as $$ begin
		insert into api.item values (slowly.id); perform api.wait(); return slowly.id;
	end $$;
	create function waited() returns trigger language plpgsql as $$ begin
		if new.wait then perform api.wait(); end if; return new;
	end $$;
	create constraint trigger waited after insert on item deferrable initially deferred for each row execute function waited();
` + grantSQL

func onePlace(c *slipstream.Config) { c.DBPool = 1 }

// leave sends a request that waits in the database, and goes away when that runs.
func (s *site) leave(t *testing.T, path, body, running string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "POST", "http://"+s.Addr()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if response, err := s.client.Do(r); err == nil {
			response.Body.Close()
			t.Errorf("answered with %d", response.StatusCode)
		}
	}()
	eventually(t, "the statement runs", func() bool { return s.active(running) })
	cancel()
	<-gone
}

// active reports whether a statement like this runs for the server.
func (s *site) active(like string) bool {
	return s.value(`select count(*) from pg_stat_activity where usename = 'LOGIN' and state = 'active' and query ilike '`+like+`'`) != "0"
}

func TestAClientThatLeavesDuringTheStatement(t *testing.T) {
	s := serve(t, gateSQL, onePlace)
	s.leave(t, "/rpc/slowly", `{"id": 1}`, "%slowly%")
	eventually(t, "the statement is over", func() bool { return !s.active("%slowly%") })
	s.write("POST", "/item", `{"id": 2}`).check(t, 201, "") // on the only connection
	if got := s.value("select string_agg(id::text, ' ') from api.item"); got != "2" {
		t.Errorf("it left %s", got)
	}
}

func TestAClientThatLeavesDuringTheCommit(t *testing.T) {
	s := serve(t, gateSQL, onePlace)
	s.leave(t, "/item", `{"id": 1, "wait": true}`, "commit")
	if got := s.value("select count(*) from api.item"); got != "0" {
		t.Fatal("committed already")
	}
	s.exec("insert into api.gate values (1)")
	eventually(t, "the write is there", func() bool { return s.value("select count(*) from api.item") == "1" })
	s.write("POST", "/item", `{"id": 2}`).check(t, 201, "")
}

// breaker passes connections on to the database, and breaks them off when the server asks for what it is told.
type breaker struct {
	net.Listener
	network, address string
	at               atomic.Pointer[string] // the bytes to break at, or nil
	first            atomic.Bool            // break before the database gets them
}

// through makes a site's server connect through a breaker.
func (b *breaker) through(t *testing.T, c *slipstream.Config) {
	config, err := pgconn.ParseConfig(c.DBURI)
	if err != nil {
		t.Fatal(err)
	}
	b.network, b.address = pgconn.NetworkAddress(config.Host, config.Port)
	if b.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	// Without TLS, so that the bytes can be read.
	c.DBURI = fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", config.User, b.Addr(), config.Database)
	go func() {
		for {
			client, err := b.Accept()
			if err != nil {
				return
			}
			go b.pass(client)
		}
	}()
}

func (b *breaker) pass(client net.Conn) {
	defer client.Close()
	server, err := net.Dial(b.network, b.address)
	if err != nil {
		return
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		_, _ = io.Copy(client, server)
		_ = client.Close()
	}()
	if b.forward(client, server) {
		<-answered // the database has done it, and the answer finds nobody
	}
	_ = server.Close()
	<-answered
}

// forward reports whether the connection was broken off after the database got what it was to be broken off at.
func (b *breaker) forward(client, server net.Conn) bool {
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return false
		}
		at := b.at.Load()
		broken := at != nil && bytes.Contains(buf[:n], []byte(*at))
		if broken {
			_ = client.Close()
		}
		if broken && b.first.Load() {
			return false
		}
		if _, err := server.Write(buf[:n]); err != nil || broken {
			return broken
		}
	}
}

// A connection that breaks while COMMIT is under way leaves it open whether the write took effect, and the client is
// told so: with neither a promise nor an invitation to send it again.
func TestAConnectionThatBreaksAtCommit(t *testing.T) {
	for name, first := range map[string]bool{"before it": true, "after it": false} {
		t.Run(name, func(t *testing.T) {
			var b breaker
			s := serve(t, "create table item (id int primary key);"+grantSQL, func(c *slipstream.Config) { b.through(t, c) })
			b.first.Store(first)
			commit := "commit\x00"
			b.at.Store(&commit)
			s.write("POST", "/item", `{"id": 1}`, representation).check(t, 503,
				`{"code":"SLIP105","details":"It is not known whether the write took effect.","hint":"Look whether it did before sending it again.",`+
					`"message":"The database connection was lost while the write was being committed"}`,
				"Retry-After:", "Proxy-Status: PostgREST; error=SLIP105", "Preference-Applied:")
			b.at.Store(nil)
			want := "1"
			if first {
				want = "0"
			}
			eventually(t, "the end of it", func() bool { return s.value("select count(*) from api.item") == want })
			s.write("POST", "/item", `{"id": 2}`).check(t, 201, "")
		})
	}
}

// What is lost before COMMIT has left nothing, and may be sent again.
func TestAConnectionThatBreaksBeforeCommit(t *testing.T) {
	var b breaker
	s := serve(t, "create table item (id int primary key);"+grantSQL, func(c *slipstream.Config) { b.through(t, c) })
	insert := "INSERT INTO"
	b.at.Store(&insert)
	s.write("POST", "/item", `{"id": 1}`).check(t, 503, "*", "Proxy-Status: PostgREST; error=PGRST001", "Retry-After: 1")
	b.at.Store(nil)
	if got := s.value("select count(*) from api.item"); got != "0" {
		t.Errorf("%s rows", got)
	}
	s.write("POST", "/item", `{"id": 1}`).check(t, 201, "")
}

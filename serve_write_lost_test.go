package slipstream_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/slipstream-go/slipstream"
	"github.com/slipstream-go/slipstream/chaos"
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

// breakable makes a site's server connect through a proxy, without TLS, so that messages can be read.
func breakable(t *testing.T, c *slipstream.Config) *chaos.Proxy {
	t.Helper()
	config, err := pgconn.ParseConfig(c.DBURI)
	if err != nil {
		t.Fatal(err)
	}
	_, address := pgconn.NetworkAddress(config.Host, config.Port)
	p, err := chaos.ProxyConfig{Upstream: address, Protocol: chaos.PostgreSQL}.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	c.DBURI = fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", config.User, p.Addr(), config.Database)
	return p
}

// breakAtCommit has connections break before the database gets a COMMIT, or when it has done it and says so.
func breakAtCommit(t *testing.T, p *chaos.Proxy, first bool) {
	t.Helper()
	at := chaos.Point{Before: "CommandComplete", Tag: "COMMIT"}
	if first {
		at = chaos.Point{Before: "Execute", SQL: "commit"}
	}
	breakAt(t, p, at)
}

// halfOpenAtCommit loses connections before COMMIT, of which the database is not told: the transaction stays in progress.
func halfOpenAtCommit(t *testing.T, p *chaos.Proxy) {
	t.Helper()
	at := chaos.Point{Before: "Execute", SQL: "commit"}
	if err := p.Set(chaos.Fault{HalfOpen: &at, Direction: chaos.ToClient}); err != nil {
		t.Fatal(err)
	}
}

// breakAt has connections break at a point; at none, they are whole again.
func breakAt(t *testing.T, p *chaos.Proxy, points ...chaos.Point) {
	t.Helper()
	var faults []chaos.Fault
	for i := range points {
		faults = append(faults, chaos.Fault{Cut: &points[i]})
	}
	if err := p.Set(faults...); err != nil {
		t.Fatal(err)
	}
}

// A connection that breaks while COMMIT is under way: the server finds out whether the write took effect. If it did, it is
// answered as if nothing had happened, and if not, it is done again.
func TestAConnectionThatBreaksAtCommit(t *testing.T) {
	for name, first := range map[string]bool{"before it": true, "after it": false} {
		t.Run(name, func(t *testing.T) {
			var b *chaos.Proxy
			s := serve(t, "create table item (id int primary key);"+grantSQL, func(c *slipstream.Config) { b = breakable(t, c) })
			breakAtCommit(t, b, first)
			want := "1"
			if first { // each time
				want = "0"
				s.write("POST", "/item", `{"id": 1}`, representation).check(t, 503, "*", "Proxy-Status: PostgREST; error=PGRST001", "Retry-After: 1")
			} else {
				s.write("POST", "/item", `{"id": 1}`, representation).check(t, 201, `[{"id":1}]`)
			}
			breakAt(t, b)
			if got := s.value("select count(*) from api.item"); got != want {
				t.Errorf("%s rows", got)
			}
			s.write("POST", "/item", `{"id": 2}`).check(t, 201, "")
		})
	}
}

// Where the outcome of a COMMIT cannot be found out, the client is told so: with neither a promise nor an invitation to send
// it again.
func TestACommitWhoseOutcomeIsNotKnown(t *testing.T) {
	var b *chaos.Proxy
	s := serve(t, "create table item (id int primary key);"+grantSQL, func(c *slipstream.Config) { b = breakable(t, c) })
	halfOpenAtCommit(t, b)
	s.write("POST", "/item", `{"id": 1}`, representation).check(t, 503,
		`{"code":"SLIP105","details":"It is not known whether the write took effect.","hint":"Look whether it did before sending it again.",`+
			`"message":"The database connection was lost while the write was being committed"}`,
		"Retry-After:", "Proxy-Status: PostgREST; error=SLIP105", "Preference-Applied:")
	breakAt(t, b)
	s.write("POST", "/item", `{"id": 2}`).check(t, 201, "")
}

// What is lost before COMMIT has left nothing, and may be sent again.
func TestAConnectionThatBreaksBeforeCommit(t *testing.T) {
	var b *chaos.Proxy
	s := serve(t, "create table item (id int primary key);"+grantSQL, func(c *slipstream.Config) { b = breakable(t, c) })
	breakAt(t, b, chaos.Point{After: "Execute", SQL: "WITH"})
	s.write("POST", "/item", `{"id": 1}`).check(t, 503, "*", "Proxy-Status: PostgREST; error=PGRST001", "Retry-After: 1")
	breakAt(t, b)
	if got := s.value("select count(*) from api.item"); got != "0" {
		t.Errorf("%s rows", got)
	}
	s.write("POST", "/item", `{"id": 1}`).check(t, 201, "")
}

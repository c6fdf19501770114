package slipstream_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/slipstream-go/slipstream"
)

// dial is a connection to the server on which text is sent.
func (s *site) dial(text string) net.Conn {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, text); err != nil {
		s.t.Fatal(err)
	}
	return conn
}

// Who sends slowly holds no connection to the database, and who reads slowly holds one for as long as its answer is read
// from the database, or of a stream, as half of the pool at most.
func TestSlowClientsHoldNoConnection(t *testing.T) {
	s := serve(t, `create table notes (t text); grant insert on notes to ANON;
		create view large as select repeat('x', 1000) as t from generate_series(1, 12000);`,
		func(c *slipstream.Config) {
			c.DBPool, c.CacheMode = 2, "off"
			c.DisableOverloadProtection = true // streams that wait for a place would be reason to refuse others
		})
	free := func(t *testing.T) {
		t.Helper()
		for range 20 {
			s.get("/notes?select=t&limit=0").check(t, 200, "[]")
		}
		eventually(t, "no connection is held", func() bool { return s.value(busySQL) == "0" })
	}
	for range 100 {
		s.dial("POST /notes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
	}
	free(t)
	for range 15 {
		c := s.dial("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
		if line, err := bufio.NewReaderSize(c, 16).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
			t.Fatalf("%q %v", line, err)
		}
	}
	free(t)
	for range 25 {
		s.dial("GET /large HTTP/1.1\r\nHost: x\r\nAccept: text/csv\r\n\r\n")
	}
	for range 20 { // one of the two connections is left
		s.get("/notes?select=t&limit=0").check(t, 200, "[]")
	}
}

func TestLargeAnswersShareTheirMemory(t *testing.T) {
	s := serve(t, `create view large as select repeat('x', 1000000) as t from generate_series(1, 20);
		create view small as select 1 as n;
		create function upload(json) returns int language sql as 'select 1';`,
		func(c *slipstream.Config) { c.DBPool, c.CacheMode, c.BufferMemory = 4, "off", 64<<20 })
	s.get("/large").check(t, 200, "*")
	s.get("/large?limit=20&select=t,u:t,v:t").check(t, 400, "*", "Proxy-Status: PostgREST; error=SLIP231")
	s.get("/small").check(t, 200, `[{"n":1}]`)
	if got := s.value("select count(*) from pg_stat_activity where usename = 'LOGIN' and state like '%aborted%'"); got != "0" {
		t.Errorf("%s transactions were left", got)
	}

	// Held by two readers that do not read, the room for large ones is used up; small ones still have theirs. What was answered
	// before gives its room back when its client may have it all already.
	var held []net.Conn
	eventually(t, "two answers are held", func() bool {
		c := s.dial("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
		line, err := bufio.NewReader(c).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(line, "200") {
			held = append(held, c)
		}
		return len(held) == 2
	})
	s.get("/large").check(t, 503, "*", "Proxy-Status: PostgREST; error=SLIP230", "Retry-After: 1")
	s.get("/small").check(t, 200, `[{"n":1}]`)
	post := func(size int) answer {
		r, err := http.NewRequest(http.MethodPost, "http://"+s.Addr()+"/rpc/upload", strings.NewReader(fmt.Sprintf("%q", strings.Repeat("x", size))))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		return s.do(r)
	}
	post(1000).check(t, 200, "*")
	post(30<<20).check(t, 503, "*", "Proxy-Status: PostgREST; error=SLIP230")
	for _, c := range held {
		_ = c.Close()
	}
	eventually(t, "there is room again", func() bool { return s.get("/large").StatusCode == 200 })
	eventually(t, "there is room for a request, too", func() bool { return post(30<<20).StatusCode == 200 })
}

func TestHTTP2IsServed(t *testing.T) {
	s := serve(t, `create table notes (id int primary key, t text); grant insert on notes to ANON;`,
		func(c *slipstream.Config) { c.DisableOverloadProtection = true }) // fifty at once are much for a slow machine
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: protocols}}
	defer client.CloseIdleConnections()
	var wg sync.WaitGroup
	for n := range 50 {
		wg.Go(func() {
			r, _ := http.NewRequest(http.MethodPost, "http://"+s.Addr()+"/notes", strings.NewReader(fmt.Sprintf(`{"id": %d, "t": "x"}`, n)))
			r.Header.Set("Content-Type", "application/json")
			res, err := client.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			_ = res.Body.Close()
			if res.StatusCode != 201 || res.ProtoMajor != 2 {
				t.Errorf("%s %d", res.Proto, res.StatusCode)
			}
		})
	}
	wg.Wait()
	if got := s.value("select count(*) from api.notes"); got != "50" {
		t.Errorf("%s rows", got)
	}
}

package slipstream_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/slipstream-go/slipstream"
)

// logged keeps what a server says.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) contain(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text)
}

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

const sleepSQL = `create function sleep(s float8) returns text language plpgsql stable as $$ begin perform pg_sleep(s); return 'slept'; end $$;
	create table item (id int); insert into item values (1);`

func TestClientThatLeavesCancelsItsStatement(t *testing.T) {
	s := serve(t, sleepSQL, func(c *slipstream.Config) { c.DBPool = 1 })
	ctx, leave := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Addr()+"/rpc/sleep?s=600", nil)
	if err != nil {
		t.Fatal(err)
	}
	left := make(chan error)
	go func() {
		_, err := s.roundTrip(r)
		left <- err
	}()
	eventually(t, "the statement runs", func() bool { return s.value(busySQL) == "1" })
	before := s.value("select min(pid) from pg_stat_activity where usename = 'LOGIN'")
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the client: %v", err)
	}
	eventually(t, "the statement is cancelled", func() bool { return s.value(busySQL) == "0" })
	s.get("/item").check(t, 200, `[{"id":1}]`)
	if after := s.value("select min(pid) from pg_stat_activity where usename = 'LOGIN'"); after != before {
		t.Error("the connection did not outlive the cancellation")
	}
}

func TestPoolIsBounded(t *testing.T) {
	s := serve(t, sleepSQL, func(c *slipstream.Config) { c.DBPool, c.DBPoolAcquisitionTimeout = 1, 50_000_000 })
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Addr()+"/rpc/sleep?s=600", nil)
	if err != nil {
		t.Fatal(err)
	}
	var busy sync.WaitGroup
	busy.Go(func() { _, _ = s.roundTrip(r) })
	eventually(t, "the connection is in use", func() bool { return s.value(busySQL) == "1" })
	s.get("/item").check(t, 504, `{"code":"PGRST003","details":null,"hint":null,"message":"Timed out acquiring connection from connection pool."}`)
	leave()
	busy.Wait()
}

func TestDrainLosesNoRequest(t *testing.T) {
	s := serve(t, sleepSQL)
	const slow = 4
	answers := make(chan answer, slow)
	for range slow {
		go func() {
			a, err := s.try("GET", "/rpc/sleep?s=0.5")
			if err != nil {
				t.Errorf("a request in flight is lost: %v", err)
			}
			answers <- a
		}()
	}
	eventually(t, "all of them run", func() bool { return s.value(busySQL) == "4" })
	ended := make(chan error)
	go func() { ended <- s.stop() }()
	for range slow {
		if a := <-answers; a.Response != nil {
			a.check(t, 200, `"slept"`)
		}
	}
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if _, err := s.try("GET", "/item"); err == nil {
		t.Error("the server still answers")
	}
	if a := record(s.Handler(), "GET", "/item"); a.Code != 503 {
		t.Errorf("the handler after the end: %d", a.Code)
	}
	if err := s.Run(t.Context()); !errors.Is(err, slipstream.ErrRunning) {
		t.Errorf("a second Run: %v", err)
	}
}

func TestTwoServersInOneProcess(t *testing.T) {
	one, two := serve(t, `create table item (id int); insert into item values (1);`), serve(t, `create table item (id int); insert into item values (2);`)
	one.get("/item").check(t, 200, `[{"id":1}]`)
	two.get("/item").check(t, 200, `[{"id":2}]`)
	if err := one.stop(); err != nil {
		t.Error(err)
	}
	two.get("/item").check(t, 200, `[{"id":2}]`)
}

func TestNothingIsLeftBehind(t *testing.T) {
	s := newSite(t, sleepSQL)
	s.config.DisableChannel = false
	s.config.AdminServerPort = slipstream.AnyPort
	s.config.AccessLog = t.TempDir() + "/access.log"
	s.config.LogLevel = "info"
	before := goleak.IgnoreCurrent()
	for range 3 {
		if _, err := slipstream.New(t.Context(), s.config); err != nil {
			t.Fatal(err)
		}
	}
	goleak.VerifyNone(t, before)
	s.run()
	s.ready()
	s.get("/item").check(t, 200, "*")
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	goleak.VerifyNone(t, before)
}

func TestAddressInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s := newSite(t, "")
	before := goleak.IgnoreCurrent()
	for _, occupy := range []func(*slipstream.Config, int){
		func(c *slipstream.Config, port int) { c.ServerPort = port },
		func(c *slipstream.Config, port int) { c.AdminServerPort = port },
	} {
		c := s.config
		occupy(&c, taken.Addr().(*net.TCPAddr).Port)
		server, err := slipstream.New(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if err := server.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "address already in use") {
			t.Errorf("error %v", err)
		}
		if addr := server.Addr(); addr != "" {
			if conn, err := net.Dial("tcp", addr); err == nil {
				conn.Close()
				t.Errorf("%s is still listened on", addr)
			}
		}
	}
	goleak.VerifyNone(t, before)
}

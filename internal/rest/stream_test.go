package rest_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/internal/rest"
)

func TestStalledReaderLosesItsConnection(t *testing.T) {
	a := newAPI(t, `create view endless as select n, repeat('x', 1000) as t from (select generate_series(1, 1000000000) as n) rows;`,
		func(o *rest.Options) { o.StreamStall = 50 * time.Millisecond })
	conn := a.dial(t, "GET /endless HTTP/1.1\r\nHost: x\r\nAccept: text/csv\r\n\r\n")
	if _, err := io.ReadFull(conn, make([]byte, 64<<10)); err != nil {
		t.Fatal(err)
	}
	// From here on nobody reads, and nobody closes.
	for deadline := time.Now().Add(time.Minute); a.db.Stats().InUse > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the stream still holds its database connection")
		}
	}
}

// dial sends a request over a connection of its own to a server of its own.
func (a *api) dial(t *testing.T, request string) net.Conn {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.ServeHTTP(w, r.WithContext(auth.WithCaller(r.Context(), a.caller)))
	}))
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	return conn
}

// Streams may take half of the pool's connections, here one of two.
func TestStreamsLeaveConnectionsToOthers(t *testing.T) {
	a := newAPI(t, `create table one (n int); insert into one values (1);
		create view long as select n, repeat('x', 1000) as t from (select generate_series(1, 2000) as n) rows;
		create view endless as select n, repeat('x', 1000) as t from (select generate_series(1, 1000000000) as n) rows;`)
	ask := func(target, accept string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		a.ServeHTTP(w, a.request(t, "GET", target, "Accept: "+accept))
		return w
	}
	slow := a.dial(t, "GET /endless HTTP/1.1\r\nHost: x\r\nAccept: text/csv\r\n\r\n")
	if _, err := io.ReadFull(slow, make([]byte, 64<<10)); err != nil {
		t.Fatal(err)
	}
	if w := ask("/long", "application/x-ndjson"); w.Code != 503 || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), "SLIP107") {
		t.Errorf("a second stream: %d %.200s", w.Code, w.Body)
	}
	if w := ask("/one", "application/x-ndjson"); w.Code != 200 {
		t.Errorf("an answer that needs no streaming: %d %s", w.Code, w.Body)
	}
	_ = slow.Close()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		w := ask("/long", "text/csv")
		if w.Code == 200 && w.Body.Len() > 2000*1000 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after the stream: %d %.200s", w.Code, w.Body)
		}
	}
}

// A body that nobody takes must not stay in memory for ever.
func TestUnreadAnswerIsGivenUp(t *testing.T) {
	a := newAPI(t, `create view large as select repeat('x', 1000) as t from generate_series(1, 20000);`,
		func(o *rest.Options) { o.StreamStall = time.Millisecond })
	ended := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		a.ServeHTTP(w, r.WithContext(auth.WithCaller(r.Context(), a.caller)))
	}))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	select { // nobody reads, and nobody closes
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("the answer is still waiting for its reader")
	}
}

package rest_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/internal/rest"
)

func TestStalledReaderLosesItsConnection(t *testing.T) {
	a := newAPI(t, `create view endless as select n, repeat('x', 1000) as t from (select generate_series(1, 1000000000) as n) rows;`,
		func(o *rest.Options) { o.StreamStall = 50 * time.Millisecond })
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.ServeHTTP(w, r.WithContext(auth.WithCaller(r.Context(), a.caller)))
	}))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /endless HTTP/1.1\r\nHost: x\r\nAccept: text/csv\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
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

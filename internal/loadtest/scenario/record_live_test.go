package scenario_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream"
	"github.com/slipstream-go/slipstream/internal/loadtest"
	"github.com/slipstream-go/slipstream/internal/loadtest/scenario"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// What a real Slipstream has logged is replayed against another server, which sees the same requests in the same proportions.
func TestRecordOfRealLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	sent := map[string]float64{}
	serveShop(t, path, func(base string) {
		for i := range 60 {
			target := fmt.Sprintf("/product?id=eq.%d&select=id,name", 1+i%3)
			if i%6 == 0 {
				target = "/product?name=like.*e%20%26*&order=id.desc&limit=2"
			}
			send(t, http.MethodGet, base+target)
			sent[meaning(t, target)]++
		}
		send(t, http.MethodDelete, base+"/product?id=eq.1")
		send(t, http.MethodGet, base+"/product?id=eq.3&apikey=s3cret")
	})
	log, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s, summary, err := scenario.FromAccessLog(log)
	if err != nil {
		t.Fatal(err)
	}
	if summary.Kept != 61 || len(summary.LeftOut) != 1 {
		t.Errorf("summary: %+v", summary)
	}
	load, err := s.Load("", func(string) (string, bool) { return "mine", true })
	if err != nil {
		t.Fatal(err)
	}
	sent[meaning(t, "/product?id=eq.3&apikey=mine")] = 1
	compareMix(t, load, sent)
	for target := range replay(t, load.Source, 200) {
		if sent[target] == 0 {
			t.Errorf("%s was never sent", target)
		}
	}
}

// serveShop serves a database with products while during runs, and logs to a file.
func serveShop(t *testing.T, log string, during func(base string)) {
	t.Helper()
	role := pgtest.Role(t, "nologin")
	dsn := pgtest.Database(t)
	pgtest.Exec(t, dsn, "create schema shop", "grant usage on schema shop to "+role,
		"create table shop.product (id int primary key, name text)", "insert into shop.product values (1, 'Teapot'), (2, 'Kettle')",
		"grant select on shop.product to "+role)
	ctx, cancel := context.WithCancel(t.Context())
	server, err := slipstream.New(ctx, slipstream.Config{
		DBURI: dsn, DBSchemas: []string{"shop"}, DBAnonRole: role, DisableChannel: true, AccessLog: log, LogLevel: "info",
		ServerPort: slipstream.AnyPort, AdminServerPort: slipstream.NoPort, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	for server.Ready(ctx) != nil {
		time.Sleep(10 * time.Millisecond)
	}
	during("http://" + server.Addr())
	cancel() // writes the log to its end
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

func send(t *testing.T, method, url string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Fatal(err)
	}
}

// replay sends requests of a source to a server and counts what it saw.
func replay(t *testing.T, source loadtest.Source, n uint64) map[string]int {
	t.Helper()
	var mu sync.Mutex
	seen := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen[meaning(t, r.RequestURI)]++
	}))
	defer server.Close()
	var r loadtest.Request
	for i := range n {
		source.Request(i, &r)
		send(t, r.Method, server.URL+string(r.Path))
	}
	return seen
}

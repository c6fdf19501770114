package promises_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipstream-go/slipstream"
)

// http2Client speaks HTTP/2 without TLS.
func http2Client() *http.Client {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: &http.Transport{Protocols: protocols}, Timeout: time.Minute}
}

const runningSQL = `select count(*) from pg_stat_activity where usename = 'LOGIN' and state <> 'idle'`

// TestClientsLeave has clients leave at all stages of a request. Their SQL must be cancelled: what still runs seconds later
// is a violation. It would run for ten minutes.
func TestClientsLeave(t *testing.T) {
	s := bare(t, `create view sleeps as select pg_sleep(600)::text as t;
		create view endless as select n, repeat('x', 1000) as t from (select generate_series(1, 1000000000) as n) rows;
		create table notes (t text); grant insert on notes to ANON;
		create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(600); return new; end $$;
		create trigger slow before insert on notes for each row execute function slow();`)
	s.config.CacheMode, s.config.DBPool = "off", 2
	s.run()
	violations, left := 0, 0
	gone := func(what, sql, want string) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); s.value(sql) != want; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Logf("%s: still there: %s", what, s.value("select string_agg(concat_ws(' ', pid, state, wait_event, left(query, 60), now() - query_start), '; ') from pg_stat_activity where usename = 'LOGIN' and state <> 'idle'"))
				violations++
				return
			}
		}
	}
	for _, client := range []*http.Client{s.client, http2Client()} {
		for _, c := range []struct{ what, method, path, accept string }{
			{"read", "GET", "/sleeps", "application/json"},
			{"stream", "GET", "/endless", "text/csv"},
			{"write", "POST", "/notes", "application/json"},
			{"reads in the queue", "GET", "/sleeps", "application/json"},
		} {
			for range scale(2, 50) {
				requests := 2
				if strings.Contains(c.what, "queue") {
					requests = 6 // of which two have a connection
				}
				ctx, leave := context.WithCancel(t.Context())
				var under sync.WaitGroup
				for range requests {
					under.Go(func() { s.abandon(ctx, client, c.method, c.path, c.accept) })
				}
				eventually(t, c.what+" is under way", func() bool { return s.value(runningSQL) != "0" })
				leave()
				under.Wait()
				left += requests
				gone(c.what, runningSQL, "0")
			}
		}
		client.CloseIdleConnections()
	}
	if s.value("select count(*) from api.notes") != "0" {
		violations++
	}
	record(t, "A6", fmt.Sprintf("%d clients left: reads, streams, writes before COMMIT and reads in the queue, over HTTP/1.1 and HTTP/2", left), violations)
}

// abandon sends a request and reads its answer for as long as ctx lasts.
func (s *site) abandon(ctx context.Context, client *http.Client, method, path, accept string) {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+s.Addr()+path, strings.NewReader(`{"t": "x"}`))
	if err != nil {
		return
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", accept)
	res, err := client.Do(r)
	if err != nil {
		return
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
}

// TestSlowAndLarge has clients that send and read slowly, and answers of hundreds of megabytes, at the same time as others
// who ask for little. None of those may fail, and memory stays bounded.
func TestSlowAndLarge(t *testing.T) {
	const buffers = 1 << 30
	s := bare(t, `create table little (n int); insert into little values (1);
		create view huge as select repeat('x', 1000000) as t from generate_series(1, 200);
		create view large as select repeat('x', 1000000) as t from generate_series(1, 16);`)
	connections := scale(2000, min(100_000, mostPairs(t)))
	s.config.CacheMode, s.config.BufferMemory = "off", buffers
	s.config.Priorities = map[string]string{"little": "critical"} // with all connections busy for seconds, some of the others would be refused
	s.config.ServerMaxConnections = connections + 1000
	s.run()
	heap := watchHeap(t)
	var failed, asked atomic.Int64
	ctx, end := context.WithCancel(t.Context())
	defer end()
	var others sync.WaitGroup
	for range 4 {
		others.Go(func() {
			for ; ctx.Err() == nil; asked.Add(1) {
				if a, err := s.try("/little"); err != nil || a.body != `[{"n":1}]` {
					t.Logf("another request: %v %v", err, a.body)
					failed.Add(1)
				}
			}
		})
	}
	opened := 0
	for i := range connections {
		text := "" // half say nothing, half begin to say something
		if i%2 == 0 {
			text = "POST /little HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n[{"
		}
		if s.linger(i, text) {
			opened++
		}
	}
	for i := range scale(10, 20) {
		s.linger(i, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n") // and never reads
	}
	var large sync.WaitGroup
	var whole, refused atomic.Int64
	for range scale(5, 20) {
		large.Go(func() {
			for range 60 { // as a client does that comes back
				a, err := s.try("/huge")
				switch {
				case err == nil && a.StatusCode == 200 && len(a.body) > 200e6:
					whole.Add(1)
					return
				case err == nil && a.StatusCode == 503 && a.Header.Get("Retry-After") != "":
					refused.Add(1)
				default:
					t.Logf("a large answer: %v", err)
					failed.Add(1)
					return
				}
				time.Sleep(500 * time.Millisecond)
			}
		})
	}
	large.Wait()
	end()
	others.Wait()
	violations := int(failed.Load())
	most := heap()
	// The bodies that the clients of this test hold count, too: each of the large answers is in the same process once more, as
	// bytes that grow and as a string.
	// And the collector lets the heap grow to twice of what is alive.
	if bound := 2 * (uint64(buffers+opened*64<<10) + uint64(whole.Load()*4*200e6)); most > bound {
		t.Logf("%d bytes of heap, more than %d", most, bound)
		violations++
	}
	if whole.Load() == 0 {
		t.Error("no large answer was given: nothing was tried")
	}
	record(t, "A10", fmt.Sprintf("%d connections idle or with a body that does not come, %d readers that do not read, %d answers of 200 MB, of which %d were given in the end, and %d refused before; "+
		"%d other requests; at most %d MiB of heap in use", opened, scale(10, 20), scale(5, 20), whole.Load(), refused.Load(), asked.Load(), most>>20), violations)
}

// mostPairs is how many connections the process may have both ends of, beside what else it needs.
func mostPairs(t *testing.T) int {
	t.Helper()
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	const others = 2000
	return (int(min(files.Cur, 1<<30)) - others) / 2
}

// linger opens a connection that does no more than to send text, from one of several addresses, as one may have only a part of all connections.
func (s *site) linger(i int, text string) bool {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+i/1000))}, Timeout: 10 * time.Second}
	conn, err := d.Dial("tcp", s.Addr())
	if err != nil {
		return false
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, text)
	return err == nil
}

// watchHeap notes how much of the heap is in use, until the function is called that tells how much it was at most.
func watchHeap(t *testing.T) func() uint64 {
	t.Helper()
	var most atomic.Uint64
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most.Store(max(most.Load(), m.HeapInuse))
			select {
			case <-done:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return func() uint64 {
		close(done)
		<-ended
		return most.Load()
	}
}

// TestRestarts replaces a server by another one again and again while clients go on asking, over kept connections of both
// protocols. New connections go where /ready says yes, as a balancer has it. No request may fail.
func TestRestarts(t *testing.T) {
	s := bare(t, `create table little (n int); insert into little values (1);`)
	s.config.CacheMode, s.config.ServerDrainDelay = "off", 200*time.Millisecond
	var current atomic.Pointer[slipstream.Server]
	var asked, failed atomic.Int64
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, current.Load().Addr())
	}
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	clients := []*http.Client{
		{Transport: &http.Transport{DialContext: dial}, Timeout: time.Minute},
		{Transport: &http.Transport{DialContext: dial, Protocols: protocols}, Timeout: time.Minute},
	}
	stop := s.successor(&current)
	ctx, end := context.WithCancel(t.Context())
	defer end()
	var asking sync.WaitGroup
	for i := range 6 {
		asking.Go(func() {
			for ; ctx.Err() == nil; asked.Add(1) {
				res, err := clients[i%2].Post("http://slipstream/rpc/nothing", "application/json", strings.NewReader("{}")) // is not sent twice by the client
				if err != nil {
					t.Logf("a request: %v", err)
					failed.Add(1)
					continue
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				if res.StatusCode != 404 { // there is no such function
					failed.Add(1)
				}
			}
		})
	}
	restarts := scale(4, 20)
	for range restarts {
		next := s.successor(&current)
		if err := stop(); err != nil {
			t.Error(err)
		}
		stop = next
	}
	end()
	asking.Wait()
	for _, c := range clients {
		c.CloseIdleConnections()
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	record(t, "Drain", fmt.Sprintf("%d restarts under load; %d requests over HTTP/1.1 and HTTP/2", restarts, asked.Load()), int(failed.Load()))
}

// successor starts one more server, makes it the current one, and returns what drains it.
func (s *site) successor(current *atomic.Pointer[slipstream.Server]) (stop func() error) {
	s.t.Helper()
	server, err := slipstream.New(s.t.Context(), s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	s.t.Cleanup(cancel)
	eventually(s.t, "the server is ready", func() bool { return server.Addr() != "" && server.Ready(s.t.Context()) == nil })
	current.Store(server)
	return func() error {
		cancel()
		return <-ended
	}
}

package edge_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/edge"
)

// h2 is a client that says what it likes, frame by frame.
type h2 struct {
	net.Conn
	*http2.Framer
	head    bytes.Buffer
	encoder *hpack.Encoder
	stream  uint32 // of the last request
}

func (r *running) h2(t *testing.T, settings ...http2.Setting) *h2 {
	t.Helper()
	c := &h2{Conn: r.dial(t)}
	c.encoder = hpack.NewEncoder(&c.head)
	c.Framer = http2.NewFramer(c.Conn, c.Conn)
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := c.WriteSettings(settings...); err != nil {
		t.Fatal(err)
	}
	return c
}

// get sends a request, further header fields being names and values, and returns its stream.
func (c *h2) get(path string, fields ...string) (uint32, error) {
	c.stream = max(c.stream+2, 1) | 1
	c.head.Reset()
	for i, all := 0, append([]string{":method", "GET", ":scheme", "http", ":authority", "x", ":path", path}, fields...); i < len(all); i += 2 {
		_ = c.encoder.WriteField(hpack.HeaderField{Name: all[i], Value: all[i+1]})
	}
	block, first := c.head.Bytes(), true
	for {
		piece := block[:min(len(block), 16<<10)]
		block = block[len(piece):]
		var err error
		if first {
			err = c.WriteHeaders(http2.HeadersFrameParam{StreamID: c.stream, BlockFragment: piece, EndStream: true, EndHeaders: len(block) == 0})
		} else {
			err = c.WriteContinuation(c.stream, len(block) == 0, piece)
		}
		if err != nil || len(block) == 0 {
			return c.stream, err
		}
		first = false
	}
}

// answer reads up to the end of a stream and returns its status and body.
func (c *h2) answer(t *testing.T, stream uint32) (status string, body string) {
	t.Helper()
	decoder := hpack.NewDecoder(4096, nil)
	for {
		frame, err := c.ReadFrame()
		if err != nil {
			t.Fatalf("stream %d: %v", stream, err)
		}
		if h, ok := frame.(*http2.HeadersFrame); ok { // all of them, for the state of the compression
			fields, _ := decoder.DecodeFull(h.HeaderBlockFragment())
			if h.StreamID == stream {
				status = fields[0].Value
			}
		}
		if d, ok := frame.(*http2.DataFrame); ok && d.StreamID == stream {
			body += string(d.Data())
		}
		if frame.Header().StreamID == stream && frame.Header().Flags.Has(http2.FlagDataEndStream) {
			return status, body
		}
	}
}

// drained reads until the server ends the connection, and returns the last code of GOAWAY.
func (c *h2) drained() http2.ErrCode {
	var code http2.ErrCode
	for {
		frame, err := c.ReadFrame()
		if err != nil {
			return code
		}
		if g, ok := frame.(*http2.GoAwayFrame); ok {
			code = g.ErrCode
		}
	}
}

// overH2 is an ordinary client.
func (r *running) overH2(t *testing.T) *http.Client {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

func TestHTTP2(t *testing.T) {
	srv := serve(t, edge.ServerOptions{HTTP2: true}, func(*edge.Server) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			_, _ = io.WriteString(w, r.Proto+" "+string(body))
		})
	})
	client := srv.overH2(t)
	for range 3 {
		res, err := client.Post(srv.url, "text/plain", strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if string(body) != "HTTP/2.0 hello" {
			t.Errorf("%q", body)
		}
	}
	if res, body := srv.do(t, "GET", "/"); body != "HTTP/1.1 " || res.StatusCode != 200 {
		t.Errorf("HTTP/1.1 beside it: %q", body)
	}
	if n := srv.Connections().Open; n != 2 {
		t.Errorf("%d connections", n)
	}
	off := serve(t, edge.ServerOptions{}, func(*edge.Server) http.Handler { return http.NotFoundHandler() })
	if _, err := off.overH2(t).Get(off.url); err == nil {
		t.Error("HTTP/2 although it is off")
	}
}

func TestHTTP2HeadersOverTheLimit(t *testing.T) {
	srv := serve(t, edge.ServerOptions{HTTP2: true}, func(*edge.Server) http.Handler {
		return edge.Chain(http.NotFoundHandler(), edge.Limit(edge.Limits{}, apierr.Verbose))
	})
	c := srv.h2(t)
	stream, err := c.get("/", "x-large", strings.Repeat("x", 100<<10))
	if err != nil {
		t.Fatal(err)
	}
	if status, body := c.answer(t, stream); status != "431" || !strings.Contains(body, "SLIP101") {
		t.Errorf("over the limit: %s %s", status, body)
	}
	// Far over the limit it may also be the end of the connection: there is no end in sight then.
	if _, err = c.get("/", "x-larger", strings.Repeat("x", 2<<20)); err == nil {
		if code := c.drained(); code == http2.ErrCodeNo {
			t.Errorf("far over the limit: %v", code)
		}
	}
}

// counted is a handler that waits for the end of its request, and knows how many there are.
type counted struct{ started, running, most atomic.Int64 }

func (h *counted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/wait" {
		_, _ = io.WriteString(w, "ok")
		return
	}
	h.started.Add(1)
	now := h.running.Add(1)
	defer h.running.Add(-1)
	for most := h.most.Load(); now > most && !h.most.CompareAndSwap(most, now); most = h.most.Load() {
	}
	<-r.Context().Done()
}

// Each attack of these is by several connections at a time. They end, nothing is left, and whoever else asks
// meanwhile gets an answer.
func TestHTTP2Attacks(t *testing.T) {
	attacks := map[string]func(t *testing.T, c *h2){
		// CVE-2023-44487: requests that are taken back at once.
		"rapid reset": func(t *testing.T, c *h2) {
			for {
				stream, err := c.get("/wait")
				if err == nil {
					err = c.WriteRSTStream(stream, http2.ErrCodeCancel)
				}
				if err != nil {
					return
				}
			}
		},
		// CVE-2023-45288: header fields without end.
		"continuation": func(t *testing.T, c *h2) {
			block := func() []byte {
				c.head.Reset()
				_ = c.encoder.WriteField(hpack.HeaderField{Name: "x", Value: strings.Repeat("y", 4000), Sensitive: true})
				return c.head.Bytes()
			}
			err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block()})
			for err == nil {
				err = c.WriteContinuation(1, false, block())
			}
		},
		"ping": func(t *testing.T, c *h2) {
			for c.WritePing(false, [8]byte{}) == nil {
			}
		},
		// Acknowledgements that cannot be sent become one: the server goes on reading, and must hold no more for it.
		"settings": func(t *testing.T, c *h2) {
			for range 20_000 {
				if c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1}) != nil {
					break
				}
			}
			_ = c.Close()
		},
	}
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			const attackers = 4
			h := new(counted)
			srv := serve(t, edge.ServerOptions{HTTP2: true, WriteStall: 500 * time.Millisecond}, func(*edge.Server) http.Handler { return h })
			if err := srv.SetSendBuffer(16 << 10); err != nil {
				t.Fatal(err)
			}
			before := memory()
			var wg sync.WaitGroup
			var clients []*h2
			for range attackers {
				c := srv.h2(t)
				clients = append(clients, c)
				_ = c.Conn.(*client).Conn.(*net.TCPConn).SetReadBuffer(4 << 10)
				if name == "rapid reset" || name == "continuation" {
					wg.Go(func() { c.drained() }) // the others read nothing of what they provoke
				}
				wg.Go(func() { attack(t, c) })
			}
			over := make(chan struct{})
			go func() { defer close(over); wg.Wait() }()
			other := srv.overH2(t)
			var most uint64
			for done := false; !done; {
				select {
				case <-over:
					done = true
				case <-time.After(100 * time.Millisecond):
				}
				res, err := other.Get(srv.url)
				if err != nil {
					t.Fatalf("another client: %v", err)
				}
				_ = res.Body.Close()
				most = max(most, memory())
				if srv.Connections().Open <= 1 { // a client whose buffers are full may not hear that it was cut
					for _, c := range clients {
						_ = c.Close()
					}
				}
			}
			waitUntil(func() bool { return h.running.Load() == 0 && srv.Connections().Open <= 1 })
			if n := h.most.Load(); n > attackers*250 {
				t.Errorf("%d requests at a time", n)
			}
			if name == "rapid reset" && h.started.Load() > attackers*1000 {
				t.Errorf("%d requests were begun", h.started.Load())
			}
			if n := srv.Connections().Reset; name == "rapid reset" && n != attackers {
				t.Errorf("%d connections are said to be cut for their resets", n)
			}
			if most > before+64<<20 {
				t.Errorf("the heap grew from %d to %d bytes", before, most)
			}
		})
	}
}

// memory is what the heap holds after a collection, in bytes.
func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A client that opens no window for its answers is given up, and so is one whose body trickles in; other streams of the same
// connection go on.
func TestHTTP2SlowStreams(t *testing.T) {
	var waiting atomic.Int64
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		waiting.Add(1)
		defer waiting.Add(-1)
		if r.Method == http.MethodPost {
			reading(nil).ServeHTTP(w, r)
			return
		}
		_, _ = w.Write(make([]byte, 100<<10))
	})
	srv := serve(t, edge.ServerOptions{HTTP2: true, WriteStall: 300 * time.Millisecond, BodyWindow: 300 * time.Millisecond},
		func(*edge.Server) http.Handler { return h })
	c := srv.h2(t, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	for range 50 {
		if _, err := c.get("/"); err != nil {
			t.Fatal(err)
		}
	}
	for reset := 0; reset < 50; {
		frame, err := c.ReadFrame()
		if err != nil {
			t.Fatalf("after %d resets: %v", reset, err)
		}
		if _, ok := frame.(*http2.RSTStreamFrame); ok {
			reset++
		}
	}
	waitUntil(func() bool { return waiting.Load() == 0 })
	if err := c.WritePing(false, [8]byte{1}); err != nil {
		t.Fatal(err)
	}
	for {
		frame, err := c.ReadFrame()
		if err != nil {
			t.Fatalf("the connection did not survive: %v", err)
		}
		if _, ok := frame.(*http2.PingFrame); ok {
			break
		}
	}

	body, feed := io.Pipe()
	defer feed.Close()
	res, err := srv.overH2(t).Post(srv.url, "text/plain", body)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 408 {
		t.Errorf("a body that never comes: %d", res.StatusCode)
	}
}

// A handler may take longer than a stall between two pieces of its answer.
func TestHTTP2AnswerMayPause(t *testing.T) {
	const stall = 100 * time.Millisecond
	srv := serve(t, edge.ServerOptions{HTTP2: true, WriteStall: stall}, func(*edge.Server) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for range 3 {
				_, _ = w.Write(make([]byte, 5000))
				w.(http.Flusher).Flush()
				time.Sleep(3 * stall)
			}
		})
	})
	res, err := srv.overH2(t).Get(srv.url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || len(body) != 15000 {
		t.Errorf("%d bytes, %v", len(body), err)
	}
}

func TestHTTP2Drain(t *testing.T) {
	release, entered := make(chan struct{}), make(chan struct{}, 2)
	srv := serve(t, edge.ServerOptions{HTTP2: true, LastCall: time.Millisecond}, draining(func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-release
		_, _ = io.WriteString(w, "done")
	}))
	c := srv.h2(t)
	first, err := c.get("/")
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.get("/")
	if err != nil {
		t.Fatal(err)
	}
	<-entered
	<-entered
	srv.stop()
	waitUntil(srv.Draining)
	for { // said before the streams have ended
		frame, err := c.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if g, ok := frame.(*http2.GoAwayFrame); ok {
			if g.ErrCode != http2.ErrCodeNo {
				t.Errorf("GOAWAY with %v", g.ErrCode)
			}
			break
		}
	}
	close(release)
	bodies := map[uint32]string{}
	for {
		frame, err := c.ReadFrame()
		if err != nil {
			break
		}
		if d, ok := frame.(*http2.DataFrame); ok {
			bodies[d.StreamID] += string(d.Data())
		}
	}
	if bodies[first] != "done" || bodies[second] != "done" {
		t.Errorf("%v", bodies)
	}
	if err := <-srv.done; err != nil {
		t.Errorf("drain: %v", err)
	}
}

// The end of a client ends its requests, over both protocols.
func TestClientGone(t *testing.T) {
	h := new(counted)
	srv := serve(t, edge.ServerOptions{HTTP2: true}, func(*edge.Server) http.Handler { return h })
	for _, client := range []*http.Client{srv.client, srv.overH2(t)} {
		ctx, leave := context.WithCancel(t.Context())
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, srv.url+"/wait", nil)
		started := h.started.Load()
		go func() {
			waitUntil(func() bool { return h.started.Load() > started })
			leave()
		}()
		if _, err := client.Do(r); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		waitUntil(func() bool { return h.running.Load() == 0 })
	}
}

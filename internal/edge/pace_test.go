package edge_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/edge"
)

// reading answers with the length of the body, or with what went wrong.
func reading(*edge.Server) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if e := apierr.From(err); e != nil {
			edge.WriteError(w, r, e, apierr.Verbose)
			return
		}
		_, _ = io.WriteString(w, strings.Repeat("x", len(body)%1000))
	})
}

func TestBodyThatTricklesIsCut(t *testing.T) {
	srv := serve(t, edge.ServerOptions{BodyWindow: 200 * time.Millisecond}, reading)
	c := srv.dial(t)
	c.send(t, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
	done := make(chan struct{})
	go func() { // a byte now and then, which is no stall
		defer close(done)
		for {
			if _, err := io.WriteString(c, "x"); err != nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	res, body := c.receive()
	if res == nil || res.StatusCode != 408 || !res.Close || !strings.Contains(body, "SLIP233") {
		t.Errorf("%v %s", res, body)
	}
	<-done // the connection has ended
	if n := srv.Connections().SlowBodies; n != 1 {
		t.Errorf("%d slow bodies counted", n)
	}
}

// A body may take as long as it likes if it comes at the pace, and the handler as long as it likes between two reads.
func TestBodyAtThePace(t *testing.T) {
	const window = 300 * time.Millisecond
	srv := serve(t, edge.ServerOptions{BodyWindow: window}, func(*edge.Server) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			piece := make([]byte, 10<<10)
			for {
				if _, err := io.ReadFull(r.Body, piece); err != nil {
					if err != io.EOF {
						t.Errorf("read: %v", err)
					}
					return
				}
				time.Sleep(2 * window)
				if r.Context().Err() != nil {
					t.Error("the client is thought to be gone")
				}
			}
		})
	})
	c := srv.dial(t)
	c.send(t, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 30720\r\n\r\n"+strings.Repeat("x", 30720))
	if res, body := c.receive(); res == nil || res.StatusCode != 200 {
		t.Errorf("%v %s", res, body)
	}
	if c.get("/") != 200 {
		t.Error("the connection cannot be used again")
	}
}

// The deadline of a body must not outlive it: what waits for the client to leave would take it for that.
func TestRequestMayTakeLongerThanItsBody(t *testing.T) {
	const window = 50 * time.Millisecond
	srv := serve(t, edge.ServerOptions{BodyWindow: window}, func(*edge.Server) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			select {
			case <-r.Context().Done():
				t.Error("cancelled")
			case <-time.After(5 * window):
			}
		})
	})
	c := srv.dial(t)
	c.send(t, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
	if res, body := c.receive(); res == nil || res.StatusCode != 200 {
		t.Errorf("%v %s", res, body)
	}
}

// A body that is announced and not read by the handler holds the connection no longer than one that is read.
func TestBodyThatNeverComes(t *testing.T) {
	srv := serve(t, edge.ServerOptions{BodyWindow: 50 * time.Millisecond}, func(*edge.Server) http.Handler { return http.NotFoundHandler() })
	c := srv.dial(t)
	c.send(t, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
	if res, body := c.receive(); res == nil || res.StatusCode != 404 {
		t.Errorf("%v %s", res, body)
	}
	if _, err := c.answers.ReadByte(); err != io.EOF {
		t.Errorf("the connection: %v", err)
	}
}

// Who is refused before the body was read is told so at once, and not when the body has come or is late.
func TestRefusalDoesNotWaitForTheBody(t *testing.T) {
	srv := serve(t, edge.ServerOptions{BodyWindow: time.Hour}, func(*edge.Server) http.Handler { return http.NotFoundHandler() })
	for _, head := range []string{"Content-Length: 100000000", "Content-Length: 100000000\r\nExpect: 100-continue", "Content-Length: 10\r\nExpect: 100-continue"} {
		c := srv.dial(t)
		c.send(t, "POST / HTTP/1.1\r\nHost: x\r\n"+head+"\r\n\r\n")
		if res, body := c.receive(); res == nil || res.StatusCode != 404 || !res.Close {
			t.Errorf("%s: %v %s", head, res, body)
		}
	}
}

func TestAnswersThatNobodyTakes(t *testing.T) {
	big := make([]byte, 64<<20)
	ended := make(chan error, 1)
	srv := serve(t, edge.ServerOptions{WriteStall: 100 * time.Millisecond}, func(*edge.Server) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/large" {
				_, err := w.Write(big)
				ended <- err
				return
			}
			_, _ = w.Write(big[:4000])
		})
	})
	large := srv.dial(t)
	large.send(t, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
	select {
	case err := <-ended:
		if err == nil {
			t.Error("it was written to nobody")
		}
	case <-time.After(time.Minute):
		t.Error("the handler is still writing")
	}
	// Many small answers on one connection, none of which is read.
	small := srv.dial(t)
	go func() {
		for {
			if _, err := io.WriteString(small, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				return
			}
		}
	}()
	waitUntil(func() bool { return srv.Connections().Stalled == 2 && srv.Connections().Open == 0 })
}

// A reader may be slow if it takes some of the answer in time.
func TestSlowReaderGetsItsAnswer(t *testing.T) {
	big := make([]byte, 16<<20)
	srv := serve(t, edge.ServerOptions{WriteStall: 2 * time.Second}, func(*edge.Server) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(big) })
	})
	c := srv.dial(t)
	c.send(t, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	res, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	read := 0
	for piece := make([]byte, 256<<10); ; time.Sleep(40 * time.Millisecond) {
		n, err := io.ReadFull(res.Body, piece)
		read += n
		if err != nil {
			break
		}
	}
	if read != len(big) {
		t.Errorf("%d of %d bytes", read, len(big))
	}
}

package chaos_test

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipstream-go/slipstream/chaos"
)

// web is a proxy before an HTTP server that answers with what it was asked for.
type web struct {
	*chaos.Proxy
	client *http.Client
}

func newWeb(t *testing.T, faults ...string) *web {
	t.Helper()
	noLeaks(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		switch r.URL.Path {
		case "/empty":
			w.WriteHeader(http.StatusNoContent)
		case "/chunked":
			for range 10 {
				_, _ = io.WriteString(w, strings.Repeat("x", 1000))
				w.(http.Flusher).Flush()
			}
			w.Header().Set(http.TrailerPrefix+"Sum", "10000")
		case "/upgrade":
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "echo")
			w.WriteHeader(http.StatusSwitchingProtocols)
			c, b, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer c.Close()
			_, _ = io.Copy(c, b)
		default:
			_, _ = fmt.Fprintf(w, "%s %s %x", r.Method, r.URL.Path, sha256.Sum256(body))
		}
	}))
	t.Cleanup(server.Close)
	var all []chaos.Fault
	for _, text := range faults {
		f, err := chaos.ParseFault(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	w := &web{through(t, server.Listener.Addr().String(), all...), &http.Client{Timeout: time.Minute, Transport: &http.Transport{}}}
	t.Cleanup(w.client.CloseIdleConnections)
	return w
}

// ask sends a request, and gives the answer's status and body.
func (w *web) ask(t *testing.T, method, path, body string) (int, string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+w.Addr()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := w.client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(b), err
}

func (w *web) want(t *testing.T, method, path, body string, status int) {
	t.Helper()
	got, text, err := w.ask(t, method, path, body)
	want := fmt.Sprintf("%s %s %x", method, path, sha256.Sum256([]byte(body)))
	if status != http.StatusOK || method == http.MethodHead {
		want = text
	}
	if got != status || text != want || err != nil {
		t.Errorf("%s %s: %d %.100q %v", method, path, got, text, err)
	}
}

// Some requests are answered with 503, and the connection is good for the next ones.
func TestStatus(t *testing.T) {
	w := newWeb(t, "http: {status: 503, path: /bad}", "http: {status: 429, method: POST, path: /*/once}")
	large := strings.Repeat("0123456789", 100_000)
	for range 3 {
		w.want(t, "GET", "/good", "", 200)
		w.want(t, "GET", "/bad", "", 503)
		w.want(t, "HEAD", "/bad", "", 503)
		w.want(t, "HEAD", "/good", "", 200)
		w.want(t, "POST", "/bad/all/below", large, 503)
		w.want(t, "POST", "/good", large, 200)
		w.want(t, "GET", "/only/once", "", 200)
		w.want(t, "POST", "/only/once", "x", 429)
		w.want(t, "POST", "/only/once/more", "x", 200)
		w.want(t, "GET", "/empty", "", 204)
	}
	// A slow client does not use a connection again when the answer was there before it has noticed that its body is sent.
	if bodies := uint64(12); w.Connections() > 1+bodies || w.Counts()["http"] != 12 {
		t.Errorf("%d connections, %v", w.Connections(), w.Counts())
	}
}

func TestProbabilityOfRequests(t *testing.T) {
	w := newWeb(t, "http: {status: 500}, probability: 30%")
	failed := 0
	for range 200 {
		if status, _, _ := w.ask(t, "GET", "/", ""); status == 500 {
			failed++
		}
	}
	if failed < 35 || failed > 85 || uint64(failed) != w.Counts()["http"] {
		t.Errorf("%d of 200 failed, %v", failed, w.Counts())
	}
}

func TestChunkedBodies(t *testing.T) {
	w := newWeb(t, "http: {status: 500, path: /bad}")
	for _, path := range []string{"/good", "/bad", "/good"} {
		r, err := http.NewRequestWithContext(t.Context(), "PUT", "http://"+w.Addr()+path, io.MultiReader(strings.NewReader("one"), strings.NewReader("two")))
		if err != nil {
			t.Fatal(err)
		}
		r.Trailer = http.Header{"Sum": {"6"}}
		answer, err := w.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if want := fmt.Sprintf("PUT /good %x", sha256.Sum256([]byte("onetwo"))); path == "/good" && string(body) != want {
			t.Errorf("got %q", body)
		}
	}
	answer, err := w.client.Get("http://" + w.Addr() + "/chunked")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); len(body) != 10_000 || err != nil || answer.Trailer.Get("Sum") != "10000" {
		t.Error(len(body), err, answer.Trailer)
	}
}

// Answers come in the order of the requests, whoever gives them.
func TestPipelining(t *testing.T) {
	w := newWeb(t, "http: {status: 503, path: /bad}")
	c := dial(t, w.Addr())
	paths := []string{"/bad/0", "/1", "/bad/2", "/bad/3", "/4", "/chunked", "/bad/5", "/6"}
	var requests strings.Builder
	for _, path := range paths {
		fmt.Fprintf(&requests, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path)
	}
	_, _ = io.WriteString(c, requests.String())
	in := bufio.NewReader(c)
	for _, path := range paths {
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(path, err)
		}
		body, err := io.ReadAll(answer.Body)
		bad := strings.HasPrefix(path, "/bad")
		if err != nil || bad != (answer.StatusCode == 503) || !bad && path != "/chunked" && !strings.HasPrefix(string(body), "GET "+path+" ") {
			t.Errorf("%s: %d %q %v", path, answer.StatusCode, body, err)
		}
	}
	_ = c.(*net.TCPConn).CloseWrite()
	if rest, err := io.ReadAll(in); len(rest) != 0 || err != nil {
		t.Errorf("then %q, %v", rest, err)
	}
}

func TestExpectContinue(t *testing.T) {
	w := newWeb(t, "http: {status: 503, path: /bad}")
	w.client.Transport.(*http.Transport).ExpectContinueTimeout = time.Minute
	for path, want := range map[string]int{"/good": 200, "/bad": 503} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+w.Addr()+path, strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Expect", "100-continue")
		answer, err := w.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s: %d", path, answer.StatusCode)
		}
	}
}

func TestUpgrade(t *testing.T) {
	w := newWeb(t, "http: {status: 503, path: /bad}")
	c := dial(t, w.Addr())
	_, _ = io.WriteString(c, "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	in := bufio.NewReader(c)
	if answer, err := http.ReadResponse(in, nil); err != nil || answer.StatusCode != 101 {
		t.Fatal(answer, err)
	}
	const text = "GET /bad HTTP/1.1\r\n\r\n"
	_, _ = io.WriteString(c, text)
	echoed := make([]byte, len(text))
	if _, err := io.ReadFull(in, echoed); err != nil || string(echoed) != text {
		t.Errorf("%q, %v", echoed, err)
	}
}

func TestCutOfABody(t *testing.T) {
	w := newWeb(t, "http: {cut: 2500, path: /chunked}", "http: {cut: 4, path: /plain}", "http: {cut: 100000, path: /whole}")
	if _, body, err := w.ask(t, "GET", "/chunked", ""); len(body) != 2500 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(len(body), err)
	}
	if _, body, err := w.ask(t, "GET", "/plain", ""); body != "GET " || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(body, err)
	}
	w.want(t, "GET", "/whole", "", 200)
	if w.Counts()["http"] != 2 {
		t.Error(w.Counts())
	}
}

func TestDelayOfRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, chaos.Fault{HTTP: &chaos.HTTP{Path: "/slow", Delay: time.Minute}})
		defer l.Close()
		client, upstream := l.connect()
		asked := receive(upstream.get())
		const fast, slow = "GET /fast HTTP/1.1\r\n\r\n", "GET /slow HTTP/1.1\r\n\r\n"
		_, _ = io.WriteString(client, fast+slow)
		time.Sleep(time.Hour)
		if got, _ := asked.all(); got != fast+slow || len(asked.when()) != 2 || asked.when()[0] != 0 || asked.when()[1] != time.Minute {
			t.Errorf("%q at %v", got, asked.when())
		}
		_ = client.Close()
		_ = upstream.conn.Close()
	})
}

// What is not HTTP gets through, and somebody is told.
func TestWhatIsNotHTTP(t *testing.T) {
	for _, text := range []string{"\x16\x03\x01", "hello", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "NO HTTP\r\n\r\n", strings.Repeat("A", 1<<21)} {
		t.Run(text[:min(len(text), 10)], func(t *testing.T) {
			noLeaks(t)
			p := through(t, echo(t), chaos.Fault{HTTP: &chaos.HTTP{Status: 500}})
			c := dial(t, p.Addr())
			go func() {
				_, _ = io.WriteString(c, text)
				_ = c.(*net.TCPConn).CloseWrite()
			}()
			if got, err := io.ReadAll(c); string(got) != text || err != nil && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("got %d bytes of %d, %v", len(got), len(text), err)
			}
			if n := p.Counts()["unreadable"]; n != 1 {
				t.Errorf("counted %d", n)
			}
		})
	}
}

package edge_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/edge"
	"github.com/slipstream-go/slipstream/internal/telemetry"
)

// syncBuffer is written by handlers and read by the test.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func panicky(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Encoding", "br")
	switch r.URL.Path {
	case "/early":
		panic("the secret cause")
	case "/late":
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		panic("the secret cause")
	case "/abort":
		panic(http.ErrAbortHandler)
	}
}

func recovering(t *testing.T, log io.Writer) *running {
	return plain(t, http.HandlerFunc(panicky), edge.Observe(edge.Observer{}), edge.CORS(nil),
		edge.Recover(telemetry.NewLogger(log, slog.LevelInfo), apierr.Verbose))
}

func TestPanicBecomesAnAnswerWithAnID(t *testing.T) {
	log := &syncBuffer{}
	srv := recovering(t, log)
	res, body := srv.do(t, "GET", "/early", "X-Request-Id", "req-7", "Origin", "http://a")
	want := `{"code":"SLIP500","details":"The server's log has the cause under the id req-7","hint":null,` +
		`"message":"An internal error occurred"}`
	if res.StatusCode != 500 || body != want {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
	for name, want := range map[string]string{
		"X-Request-Id": "req-7", "Access-Control-Allow-Origin": "*", "Content-Encoding": "",
		"Proxy-Status": "PostgREST; error=SLIP500",
	} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	var line map[string]any
	if err := json.Unmarshal([]byte(log.String()), &line); err != nil {
		t.Fatalf("%v in %s", err, log)
	}
	stack, _ := line["stack"].(string)
	if line["id"] != "req-7" || line["panic"] != "the secret cause" || !strings.Contains(stack, "panicky") {
		t.Errorf("log: %v", line)
	}
}

func TestPanicInMidAnswerCutsTheConnection(t *testing.T) {
	for path, logged := range map[string]bool{"/late": true, "/abort": false} {
		log := &syncBuffer{}
		srv := recovering(t, log)
		res, err := srv.client.Get(srv.url + path)
		if err == nil {
			_, err = io.ReadAll(res.Body)
			res.Body.Close()
		}
		if err == nil {
			t.Errorf("%s: the answer looks whole", path)
		}
		if got := strings.Contains(log.String(), "the secret cause"); got != logged {
			t.Errorf("%s: logged: %v", path, got)
		}
	}
}

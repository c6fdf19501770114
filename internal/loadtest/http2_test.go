package loadtest_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// http2Server serves HTTP/2, with TLS or by prior knowledge.
func http2Server(t *testing.T, secure bool, streams int, h http.HandlerFunc) (*httptest.Server, loadtest.Load) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP2(secure)
	s.Config.Protocols.SetUnencryptedHTTP2(!secure)
	s.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: streams}
	s.Config.ErrorLog = silence()
	l := loadtest.Load{Protocol: loadtest.HTTP2, Source: gets()}
	if secure {
		s.EnableHTTP2 = true
		s.StartTLS()
		l.TLS = s.Client().Transport.(*http.Transport).TLSClientConfig
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	l.Target = at(t, s.URL)
	return s, l
}

// until runs a closed loop until so many answers have come.
func until(t *testing.T, l loadtest.Load, sent uint64) *loadtest.Result {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l.Phases = []loadtest.Phase{{Duration: time.Hour}}
	l.Progress = func(p loadtest.Progress) {
		if p.Total.Sent >= sent {
			cancel()
		}
	}
	res, err := loadtest.Run(ctx, l)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestHTTP2(t *testing.T) {
	for _, secure := range []bool{true, false} {
		bad := make(chan string, 1)
		_, l := http2Server(t, secure, 3, func(w http.ResponseWriter, r *http.Request) {
			if r.Proto != "HTTP/2.0" || r.Header.Get("User-Agent") != "" || r.Header.Get("X-Y") != "z" || r.Host != "other" {
				select {
				case bad <- r.Proto + r.Host:
				default:
				}
			}
			w.Write([]byte("hello"))
		})
		s := gets()
		s.header = []loadtest.Field{{Name: "x-y", Value: "z"}, {Name: "Host", Value: "other"}}
		s.shapes[0].Check = func(status int, body []byte) string {
			if status != 200 || string(body) != "hello" {
				return "wrong"
			}
			return ""
		}
		l.Source, l.Connections = s, 10
		res := until(t, l, 30)
		if len(res.Total.Errors) > 0 || res.Total.Good < 30 || res.Protocol != "HTTP/2" {
			t.Errorf("secure %v: %d good, %v", secure, res.Total.Good, res.Total.Errors)
		}
		select {
		case what := <-bad:
			t.Errorf("secure %v: %s came", secure, what)
		default:
		}
	}
}

func TestHTTP2Errors(t *testing.T) {
	release := make(chan struct{})
	for name, h := range map[string]http.HandlerFunc{
		"timeout": func(http.ResponseWriter, *http.Request) { <-release },
		"reset":   func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"too large": func(w http.ResponseWriter, _ *http.Request) {
			for b := make([]byte, 1<<20); ; {
				if _, err := w.Write(b); err != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, l := http2Server(t, false, 100, h)
			if name == "timeout" {
				l.Timeout = 100 * time.Millisecond
			} else {
				l.Timeout = time.Minute
			}
			res := until(t, l, 1)
			if name == "timeout" {
				close(release)
			}
			if res.Total.Errors[name] == 0 || len(res.Total.Errors) != 1 {
				t.Errorf("%v", res.Total.Errors)
			}
		})
	}
}

package edge_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/edge"
)

func FuzzCORS(f *testing.F) {
	f.Add("http://a", "POST", "Foo,Bar")
	f.Add("null", "GET", " ,,\r\nX: y\x00")
	f.Add("", "", "")
	h := edge.CORS(nil)(http.NotFoundHandler())
	f.Fuzz(func(t *testing.T, origin, method, headers string) {
		r := httptest.NewRequest("OPTIONS", "/", nil)
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", method)
		r.Header.Set("Access-Control-Request-Headers", headers)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		for _, values := range w.Header() {
			if strings.ContainsAny(values[0], "\r\n\x00") {
				t.Errorf("a header of the answer: %q", values[0])
			}
		}
	})
}

const exposed = "Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Server, Transfer-Encoding, Range-Unit, ETag"

func TestCORS(t *testing.T) {
	listed := []string{"http://example.com", "http://example2.com"}
	preflight := []string{"Origin", "http://example.com", "Access-Control-Request-Method", "POST"}
	tests := []struct {
		name    string
		origins []string
		method  string
		header  []string
		handled bool              // the request reaches the handler
		want    map[string]string // all Access-Control headers of the answer, without the prefix
	}{
		{
			name: "preflight, any origin", method: "OPTIONS",
			header: append(preflight, "Access-Control-Request-Headers", "Foo,Bar"),
			want: map[string]string{
				"Allow-Origin": "*", "Max-Age": "86400",
				"Allow-Methods": "GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD",
				"Allow-Headers": "Authorization, Foo, Bar, Accept, Accept-Language, Content-Language",
			},
		},
		{
			name: "preflight names simple headers once", method: "OPTIONS",
			header: append(preflight, "Access-Control-Request-Headers", " accept , X-Client-Info,,"),
			want: map[string]string{
				"Allow-Origin": "*", "Max-Age": "86400",
				"Allow-Methods": "GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD",
				"Allow-Headers": "Authorization, accept, X-Client-Info, Accept-Language, Content-Language",
			},
		},
		{
			name: "preflight without headers", method: "OPTIONS", header: preflight,
			want: map[string]string{
				"Allow-Origin": "*", "Max-Age": "86400",
				"Allow-Methods": "GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD",
			},
		},
		{
			name: "preflight, listed origin", origins: listed, method: "OPTIONS", header: preflight,
			want: map[string]string{
				"Allow-Origin": "http://example.com", "Allow-Credentials": "true", "Max-Age": "86400",
				"Allow-Methods": "GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD",
			},
		},
		{
			name: "preflight, origin not listed", origins: []string{"http://other.com"}, method: "OPTIONS",
			header: preflight, handled: true,
		},
		{
			name: "preflight for a method not served", method: "OPTIONS", handled: true,
			header: []string{"Origin", "http://a", "Access-Control-Request-Method", "BREW"},
		},
		{
			name: "preflight for what is no header name", method: "OPTIONS", handled: true,
			header: append(preflight, "Access-Control-Request-Headers", "a b"),
		},
		{
			name: "OPTIONS from a page that is no preflight", method: "OPTIONS", handled: true,
			header: []string{"Origin", "http://localhost:8000"},
		},
		{name: "OPTIONS without origin", method: "OPTIONS", handled: true},
		{
			name: "GET, any origin", method: "GET", header: []string{"Origin", "http://a"}, handled: true,
			want: map[string]string{"Allow-Origin": "*", "Expose-Headers": exposed},
		},
		{
			name: "star is any origin", origins: []string{"*"}, method: "GET", handled: true,
			header: []string{"Origin", "http://a"},
			want:   map[string]string{"Allow-Origin": "*", "Expose-Headers": exposed},
		},
		{
			name: "GET, listed origin", origins: listed, method: "GET", handled: true,
			header: []string{"Origin", "http://example2.com"},
			want: map[string]string{
				"Allow-Origin": "http://example2.com", "Allow-Credentials": "true", "Expose-Headers": exposed,
			},
		},
		{
			name: "GET, origin not listed", origins: listed, method: "GET", handled: true,
			header: []string{"Origin", "http://example.com.evil.org"},
		},
		{name: "GET without origin", origins: listed, method: "GET", handled: true},
		{
			name: "websocket", method: "GET", handled: true,
			header: []string{"Origin", "http://a", "Upgrade", "WebSocket"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Handled", "yes") })
			res, body := plain(t, handler, edge.CORS(tt.origins)).do(t, tt.method, "/items", tt.header...)
			if res.StatusCode != http.StatusOK || body != "" {
				t.Errorf("%d %q", res.StatusCode, body)
			}
			if handled := res.Header.Get("Handled") != ""; handled != tt.handled {
				t.Errorf("handled: %v", handled)
			}
			got := map[string]string{}
			for name := range res.Header {
				if short, ok := strings.CutPrefix(name, "Access-Control-"); ok {
					got[short] = strings.Join(res.Header.Values(name), "|")
				}
			}
			if len(got) != len(tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			for name, want := range tt.want {
				if got[name] != want {
					t.Errorf("%s: %q, want %q", name, got[name], want)
				}
			}
		})
	}
}

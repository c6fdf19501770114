package chaos_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/chaos"
)

// api is the control API of a rehearsal with a proxy and a process.
type api struct {
	*chaos.Rehearsal
	t    *testing.T
	addr string
}

func newAPI(t *testing.T) *api {
	t.Helper()
	noLeaks(t)
	address := freeAddress(t)
	r, err := (&chaos.Scenario{
		Processes: map[string]chaos.ProcessConfig{"server": server(address, "")},
		Proxies:   map[string]chaos.ProxyConfig{"way": {Upstream: address}},
	}).Open(t.Context(), chaos.Options{})
	if err != nil {
		t.Fatal(err)
	}
	addr, stop, err := r.ServeAPI(t.Context(), "127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		r.Close()
	})
	return &api{r, t, addr}
}

// ask sends a request with headers such as "Host: x", and gives the answer.
func (a *api) ask(method, path, body string, headers ...string) (int, string) {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), method, "http://"+a.addr+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	r.Close = true
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil || !json.Valid(b) {
		a.t.Errorf("%q, %v", b, err)
	}
	return answer.StatusCode, string(b)
}

func (a *api) want(status int, text, method, path, body string, headers ...string) {
	a.t.Helper()
	if got, answer := a.ask(method, path, body, headers...); got != status || !strings.Contains(answer, text) {
		a.t.Errorf("%s %s: %d %s, want %d %s", method, path, got, answer, status, text)
	}
}

func TestControlOfProxies(t *testing.T) {
	a := newAPI(t)
	way := a.Proxy("way")
	a.want(200, `"name":"way","listen":"`+way.Addr()+`"`, "GET", "/proxies", "")
	a.want(200, `"faults":[{"probability":"50%","refuse":true}]`, "PUT", "/proxies/way/faults", `{"faults": [{"refuse": true, "probability": 0.5}]}`)
	a.want(200, `"faults":[{"reset":true}]`, "PUT", "/proxies/way/faults", `{"faults": [{"reset": true}]}`)
	if err := attempt(way.Addr(), "hello"); err == nil {
		t.Error("not reset")
	}
	a.want(200, `"connections":1,"counts":{"reset":1}`, "GET", "/proxies/way", "")
	a.want(200, `"faults":[]`, "DELETE", "/proxies/way/faults", "")
	if err := ask(dial(t, way.Addr()), "hello"); err != nil {
		t.Error(err)
	}
	a.want(400, `body:1:14: there is no rest here`, "PUT", "/proxies/way/faults", `{"faults": [{"rest": true}]}`)
	a.want(400, `a fault has one kind`, "PUT", "/proxies/way/faults", `{"faults": [{"for": "5s"}]}`)
	a.want(404, `there is no proxy no; there are way`, "GET", "/proxies/no", "")
}

func TestControlOfProcesses(t *testing.T) {
	a := newAPI(t)
	c := dial(t, a.Proxy("way").Addr())
	a.want(200, `{"server":{"running":true}}`, "GET", "/processes", "")
	a.want(200, `{"running":true}`, "POST", "/processes/server/stop", "")
	a.want(200, `{"running":true}`, "POST", "/processes/server/continue", "")
	if err := ask(c, "hello"); err != nil {
		t.Error(err)
	}
	a.want(200, `{"running":false}`, "POST", "/processes/server/kill", "")
	a.want(409, `server does not run`, "POST", "/processes/server/kill", "")
	a.want(200, `{"running":true}`, "POST", "/processes/server/restart", "")
	a.want(404, `kill, stop, continue and restart`, "POST", "/processes/server/murder", "")
	a.want(404, `there is no process no; there are server`, "POST", "/processes/no/kill", "")
	a.want(200, `"action":"killed","process":"server"`, "GET", "/events", "")
	a.want(200, `{"after":5,"events":[{`, "GET", "/events?after=4", "")
	a.want(400, `after is a number`, "GET", "/events?after=x", "")
}

// A web page that somebody looks at on this machine cannot break anything.
func TestControlIsNotForWebPages(t *testing.T) {
	a := newAPI(t)
	for _, contentType := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""} {
		a.want(415, "application/json", "POST", "/processes/server/kill", "", "Content-Type: "+contentType)
		a.want(415, "application/json", "PUT", "/proxies/way/faults", `{"faults": []}`, "Content-Type: "+contentType)
	}
	for _, host := range []string{"evil.example", "evil.example:8474", "127.0.0.1.evil.example", "localhost.evil.example:1", "192.168.1.2"} {
		a.want(403, "ask 127.0.0.1 or localhost", "GET", "/proxies", "", "Host: "+host)
		a.want(403, "ask 127.0.0.1 or localhost", "POST", "/processes/server/kill", "", "Host: "+host)
	}
	for _, host := range []string{"localhost", "localhost:8474", "127.0.0.1", "[::1]:8474", "[::1]"} {
		a.want(200, "way", "GET", "/proxies", "", "Host: "+host)
	}
	if !a.Process("server").Running() {
		t.Error("killed")
	}
}

func TestControlIsForThisMachine(t *testing.T) {
	r, err := (&chaos.Scenario{Proxies: map[string]chaos.ProxyConfig{"way": {Upstream: "127.0.0.1:1"}}}).Open(t.Context(), chaos.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "example.com:0", "nonsense"} {
		if addr, stop, err := r.ServeAPI(context.Background(), address, false); err == nil {
			stop()
			t.Errorf("%s: served at %s", address, addr)
		}
	}
	_, stop, err := r.ServeAPI(t.Context(), "0.0.0.0:0", true)
	if err != nil {
		t.Fatal(err)
	}
	stop()
}

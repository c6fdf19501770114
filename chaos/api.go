package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// bodyMost is the most that a request to the control API may have.
	bodyMost = 1 << 20
	// headTimeout is how long its head may take.
	headTimeout = 10 * time.Second
)

// control is the control API of a rehearsal.
type control struct {
	rehearsal *Rehearsal
	mux       *http.ServeMux
	anywhere  bool // requests may be for any host
}

// Handler is the control API: GET /proxies, GET /proxies/{name}, PUT and DELETE /proxies/{name}/faults, GET /events, GET
// /processes, and POST /processes/{name}/kill, stop, continue and restart.
//
// A web page cannot drive it: what has a body, or would, must be application/json, and the Host of every request must be this
// machine's loopback address or localhost, which that of a page with a name of its own (DNS rebinding) is not.
func (r *Rehearsal) Handler() http.Handler { return r.control() }

func (r *Rehearsal) control() *control {
	c := &control{rehearsal: r, mux: http.NewServeMux()}
	c.mux.HandleFunc("GET /proxies", c.proxies)
	c.mux.HandleFunc("GET /proxies/{name}", c.proxy(func(*http.Request, *Proxy) error { return nil }))
	c.mux.HandleFunc("PUT /proxies/{name}/faults", c.proxy(putFaults))
	c.mux.HandleFunc("DELETE /proxies/{name}/faults", c.proxy(func(_ *http.Request, p *Proxy) error { return p.Set() }))
	c.mux.HandleFunc("GET /events", c.events)
	c.mux.HandleFunc("GET /processes", c.processes)
	c.mux.HandleFunc("POST /processes/{name}/{action}", c.process)
	return c
}

// ServeAPI serves the control API until stop is called, and tells at which address. One that is not of the loopback interface is
// refused unless anywhere is true: who reaches it can break connections and kill processes.
func (r *Rehearsal) ServeAPI(ctx context.Context, address string, anywhere bool) (addr string, stop func(), err error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return "", nil, fmt.Errorf("%q is no address; write one such as 127.0.0.1:8474", address)
	}
	if !anywhere && !isLoopback(host) {
		return "", nil, fmt.Errorf("the control API at %s could be reached from elsewhere; use 127.0.0.1", address)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return "", nil, err
	}
	c := r.control()
	c.anywhere = anywhere
	server := &http.Server{Handler: c, ReadHeaderTimeout: headTimeout}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // ends with stop
	}()
	return listener.Addr().String(), func() {
		_ = server.Close() // what it closes is ours
		<-done
	}, nil
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

func (c *control) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	contentType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case !c.anywhere && !isLoopback(strings.Trim(host, "[]")):
		refuse(w, http.StatusForbidden, "ask 127.0.0.1 or localhost, not "+host)
	case (r.Method == http.MethodPut || r.Method == http.MethodPost) && contentType != "application/json":
		refuse(w, http.StatusUnsupportedMediaType, "send Content-Type: application/json")
	default:
		r.Body = http.MaxBytesReader(w, r.Body, bodyMost)
		c.mux.ServeHTTP(w, r)
	}
}

func refuse(w http.ResponseWriter, status int, message string) {
	send(w, status, map[string]string{"message": message})
}

func send(w http.ResponseWriter, status int, document any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(document) // who has asked may be gone
}

// proxyState is a proxy as the control API shows it.
type proxyState struct {
	Name        string            `json:"name"`
	Listen      string            `json:"listen"`
	Upstream    string            `json:"upstream"`
	Faults      []Fault           `json:"faults"`
	Connections uint64            `json:"connections"`
	Counts      map[string]uint64 `json:"counts"`
}

func stateOf(p *Proxy) proxyState {
	return proxyState{
		Name: p.Name(), Listen: p.Addr(), Upstream: p.Upstream(), Faults: p.Faults(), Connections: p.Connections(), Counts: p.Counts(),
	}
}

func (c *control) proxies(w http.ResponseWriter, _ *http.Request) {
	states := []proxyState{}
	for _, p := range c.rehearsal.Proxies() {
		states = append(states, stateOf(p))
	}
	send(w, http.StatusOK, states)
}

// proxy does something to the proxy that the path names, and answers with its state.
func (c *control) proxy(do func(*http.Request, *Proxy) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p := c.rehearsal.Proxy(r.PathValue("name"))
		if p == nil {
			refuse(w, http.StatusNotFound, "there is no proxy "+r.PathValue("name")+"; there are "+names(c.rehearsal.proxies))
			return
		}
		if err := do(r, p); err != nil {
			refuse(w, http.StatusBadRequest, err.Error())
			return
		}
		send(w, http.StatusOK, stateOf(p))
	}
}

// putFaults has the faults of the body, {"faults": [...]}, instead of those that there are.
func putFaults(r *http.Request, p *Proxy) error {
	source, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	var document struct {
		Faults []Fault `json:"faults"`
	}
	if err := decode("body", source, &document); err != nil {
		return err
	}
	return p.Set(document.Faults...)
}

// events answers with those after the first n of all, by ?after=n, and with what n is for the next time.
func (c *control) events(w http.ResponseWriter, r *http.Request) {
	var after uint64
	if text := r.URL.Query().Get("after"); text != "" {
		var err error
		if after, err = strconv.ParseUint(text, 10, 64); err != nil {
			refuse(w, http.StatusBadRequest, "after is a number, as in /events?after=100")
			return
		}
	}
	events, total := c.rehearsal.Events(after)
	send(w, http.StatusOK, map[string]any{"events": events, "after": total})
}

func (c *control) processes(w http.ResponseWriter, _ *http.Request) {
	running := map[string]map[string]bool{}
	for name, p := range c.rehearsal.processes {
		running[name] = map[string]bool{"running": p.Running()}
	}
	send(w, http.StatusOK, running)
}

func (c *control) process(w http.ResponseWriter, r *http.Request) {
	p := c.rehearsal.Process(r.PathValue("name"))
	if p == nil {
		refuse(w, http.StatusNotFound, "there is no process "+r.PathValue("name")+"; there are "+names(c.rehearsal.processes))
		return
	}
	do := map[string]func() error{
		doKill: p.Kill, doStop: p.Stop, "continue": p.Continue, doRestart: func() error { return p.Restart(r.Context()) },
	}[r.PathValue("action")]
	if do == nil {
		refuse(w, http.StatusNotFound, "a process can be told to kill, stop, continue and restart")
		return
	}
	switch err := do(); {
	case errors.Is(err, errNotRunning):
		refuse(w, http.StatusConflict, err.Error())
	case err != nil:
		refuse(w, http.StatusInternalServerError, err.Error())
	default:
		send(w, http.StatusOK, map[string]bool{"running": p.Running()})
	}
}

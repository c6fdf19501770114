package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"
)

// told is an answer as it is written.
type told struct {
	status int
	header http.Header
	body   []byte
}

// startBare starts a handler of net/http that writes what of would write, and has nothing else to do: the least that an
// answer can cost in Go. It runs in this process, which only waits meanwhile.
func startBare(ctx context.Context, of *server, sc scenario, keys keyRange) (s *server, stop func(), err error) {
	answers := map[string]told{}
	for key := keys.low; key <= keys.high; key++ {
		a, err := tell(ctx, of, sc, key)
		if err != nil {
			return nil, nil, err
		}
		answers[sc.targetOf(key)] = a
	}
	host, stop, err := serveHere(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := answers[r.RequestURI]
		if !ok {
			http.NotFound(w, r)
			return
		}
		header := w.Header()
		for name, values := range a.header {
			header[name] = values
		}
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body)
	}))
	return &server{cmd: &exec.Cmd{Process: &os.Process{Pid: os.Getpid()}}, host: host, secret: of.secret}, stop, err
}

// serveHere serves a handler in this process until stop is called.
func serveHere(h http.Handler) (host string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.Serve(l) }() // it ends with stop
	return l.Addr().String(), func() { _ = s.Close() }, nil
}

// tell reads an answer, whatever its status.
func tell(ctx context.Context, of *server, sc scenario, key int) (told, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+of.host+sc.targetOf(key), nil)
	if err != nil {
		return told{}, err
	}
	req.Header = sc.header()
	if sc.asCustomer {
		req.Header.Set("Authorization", "Bearer "+token(of.secret, key))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return told{}, err
	}
	body, err := readAll(resp)
	if err != nil {
		return told{}, err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return told{}, fmt.Errorf("%s: %s: %s", req.URL, resp.Status, body)
	}
	resp.Header.Del("Date") // net/http makes its own
	return told{status: resp.StatusCode, header: resp.Header, body: body}, nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// constantNginxConf answers all requests with the same few bytes, on one core.
const constantNginxConf = `
daemon off; worker_processes 1; pid DIR/nginx.pid; error_log stderr crit;
events { worker_connections 4096; }
http {
	access_log off;
	client_body_temp_path DIR/nginx/body; proxy_temp_path DIR/nginx/proxy;
	fastcgi_temp_path DIR/nginx/fastcgi; uwsgi_temp_path DIR/nginx/uwsgi; scgi_temp_path DIR/nginx/scgi;
	server {
		listen LISTEN backlog=4096;
		keepalive_requests 1000000000;
		location / { return 200 "hello"; }
	}
}`

func startConstantNginx(ctx context.Context, dir string) (*server, error) {
	host, err := freeHost()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "nginx"), 0o777); err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "nginx.conf")
	text := strings.NewReplacer("DIR", dir, "LISTEN", host).Replace(constantNginxConf)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return startOther(ctx, host, &server{}, "nginx", "-p", dir, "-c", conf, "-e", "stderr")
}

// What the server of startAnswering has besides its root, which says hello.
const (
	delayed = "/delayed" // answers after 5 ms and an exponential time of 5 ms on average
	truth   = "/truth"   // the 50th and the 99th percentile of how long that has taken, in microseconds
)

// answeringAt is the variable of the environment that makes this program a server at its value.
const answeringAt = "BENCHMARK_ANSWERING_AT"

// startAnswering starts a server of net/http in a process of its own.
func startAnswering(ctx context.Context) (*server, error) {
	host, err := freeHost()
	if err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &server{host: host, done: make(chan struct{}), cmd: exec.Command(program)}
	s.cmd.Env = append(os.Environ(), answeringAt+"="+host)
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a server: %w", err)
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	if err := s.awaitListening(ctx); err != nil {
		s.stop()
		return nil, fmt.Errorf("start a server: %w; it said:\n%s", err, &s.output)
	}
	return s, nil
}

// answerAt is that process.
func answerAt(host string) error {
	var mu sync.Mutex
	took := hdrhistogram.New(1, time.Minute.Microseconds(), 3)
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) })
	mux.HandleFunc(delayed, func(w http.ResponseWriter, _ *http.Request) {
		start := time.Now()
		time.Sleep(5*time.Millisecond + time.Duration(rand.ExpFloat64()*float64(5*time.Millisecond)))
		us := time.Since(start).Microseconds() // which a timer makes longer than was asked for
		mu.Lock()
		defer mu.Unlock()
		_ = took.RecordValue(us) // nobody waits for a minute here
	})
	mux.HandleFunc(truth, func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(w, took.ValueAtQuantile(50), took.ValueAtQuantile(99))
	})
	s := &http.Server{Addr: host, Handler: mux, ReadHeaderTimeout: time.Minute}
	if err := s.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

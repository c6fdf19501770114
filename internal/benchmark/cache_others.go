package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// nginxConf keeps answers for ten minutes, whatever changes meanwhile, by path and token. It verifies no token.
const nginxConf = `
daemon off; worker_processes auto; pid DIR/nginx.pid; error_log stderr crit;
events { worker_connections 1024; }
http {
	access_log off;
	client_body_temp_path DIR/nginx/body; proxy_temp_path DIR/nginx/proxy;
	fastcgi_temp_path DIR/nginx/fastcgi; uwsgi_temp_path DIR/nginx/uwsgi; scgi_temp_path DIR/nginx/scgi;
	proxy_cache_path DIR/nginx/cache keys_zone=all:64m use_temp_path=off;
	upstream plain { server UPSTREAM; keepalive 32; }
	server {
		listen LISTEN;
		keepalive_requests 1000000000;
		location / {
			proxy_pass http://plain; proxy_http_version 1.1; proxy_set_header Connection "";
			proxy_cache all; proxy_cache_valid 200 10m;
			proxy_cache_key "$request_uri $http_authorization $http_accept";
			add_header X-Cache $upstream_cache_status;
		}
	}
}`

// varnishVCL does the same. Varnish by itself keeps nothing for who sends a token.
const varnishVCL = `vcl 4.1;
backend plain { .host = "HOST"; .port = "PORT"; }
sub vcl_recv { return (hash); }
sub vcl_hash { hash_data(req.http.Authorization); hash_data(req.http.Accept); }
sub vcl_backend_response { set beresp.ttl = 10m; }
sub vcl_deliver { if (obj.hits > 0) { set resp.http.X-Cache = "HIT"; } else { set resp.http.X-Cache = "MISS"; } }
`

func startNginx(ctx context.Context, dir string, upstream *server) (side, error) {
	host, err := freeHost()
	if err != nil {
		return side{}, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "nginx"), 0o777); err != nil {
		return side{}, err
	}
	conf := filepath.Join(dir, "nginx.conf")
	text := strings.NewReplacer("DIR", dir, "UPSTREAM", upstream.host, "LISTEN", host).Replace(nginxConf)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return side{}, err
	}
	s, err := startOther(ctx, host, upstream, "nginx", "-p", dir, "-c", conf, "-e", "stderr")
	return side{server: s, name: "nginx", cached: cached{"X-Cache", "HIT"}}, err
}

func startVarnish(ctx context.Context, dir string, upstream *server) (side, error) {
	host, err := freeHost()
	if err != nil {
		return side{}, err
	}
	between, stop, err := serveHere(withoutRanges(upstream.host))
	if err != nil {
		return side{}, err
	}
	name, port, err := net.SplitHostPort(between)
	if err != nil {
		return side{}, err
	}
	vcl := filepath.Join(dir, "varnish.vcl")
	text := strings.NewReplacer("HOST", name, "PORT", port).Replace(varnishVCL)
	if err := os.WriteFile(vcl, []byte(text), 0o644); err != nil {
		return side{}, err
	}
	s, err := startOther(ctx, host, upstream, "varnishd", "-F", "-n", filepath.Join(dir, "varnish"), "-f", vcl, "-a", host, "-s", "malloc,256m")
	return side{server: s, name: "Varnish", cached: cached{"X-Cache", "HIT"}, after: stop}, err
}

// withoutRanges passes requests on, and answers without Content-Range: Varnish takes none without a unit, such as
// PostgREST's. Only what is not in Varnish's cache comes here.
func withoutRanges(host string) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: host}) },
		ModifyResponse: func(resp *http.Response) error {
			resp.Header.Del("Content-Range")
			return nil
		},
	}
}

// startOther runs a program of the system's packages, whose names are scripts/deps.sh's, in front of upstream.
func startOther(ctx context.Context, host string, upstream *server, program string, args ...string) (*server, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		if path = filepath.Join("/usr/sbin", program); !isFile(path) { // which is not in every user's PATH
			return nil, fmt.Errorf("%s is not installed: run scripts/deps.sh nginx varnish", program)
		}
	}
	s := &server{host: host, secret: upstream.secret, done: make(chan struct{})}
	s.cmd = exec.Command(path, args...)
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	if err := s.awaitListening(ctx); err != nil {
		s.stop()
		return nil, fmt.Errorf("start %s: %w; it said:\n%s", program, err, &s.output)
	}
	return s, nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func (s *server) awaitListening(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.host)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-s.done:
			return fmt.Errorf("it ended by itself: %w", s.err)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func freeHost() (string, error) {
	ports, err := freePorts(1)
	if err != nil {
		return "", err
	}
	return "127.0.0.1:" + ports[0], nil
}

func readAll(resp *http.Response) ([]byte, error) {
	body, err := io.ReadAll(resp.Body)
	return body, errors.Join(err, resp.Body.Close())
}

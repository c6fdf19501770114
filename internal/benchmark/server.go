package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/slipstream-go/slipstream/internal/devdb/shop"
)

// connections is the size of Slipstream's pool, and how many clients pgbench has.
const connections = 16

// server is Slipstream in a process of its own.
type server struct {
	cmd    *exec.Cmd
	host   string // host:port of the API
	admin  string // host:port of the admin server
	secret string
	output bytes.Buffer // may be read once done is closed
	done   chan struct{}
	err    error // why it ended, set before done is closed
}

// startServer runs the program on the bed with the defaults of everything that is not given here, and returns when it
// is ready. It reads neither files nor the environment, so that a run measures the same everywhere.
func startServer(ctx context.Context, program string, b *bed, schema string, options ...string) (*server, error) {
	program, err := filepath.Abs(program)
	if err != nil {
		return nil, err
	}
	s := &server{secret: rand.Text() + rand.Text(), done: make(chan struct{})}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	s.host, s.admin = "127.0.0.1:"+ports[0], "127.0.0.1:"+ports[1]
	s.cmd = exec.Command(program, "serve",
		"--db-uri", b.cluster.DSNAs(shop.AuthenticatorRole, database),
		"--db-schemas", schema,
		"--db-anon-role", shop.AnonRole,
		"--db-pool", fmt.Sprint(connections),
		"--jwt-secret", s.secret,
		"--server-port", ports[0], "--admin-server-port", ports[1],
		"--access-log", "off",
	)
	for _, unless := range []string{
		"--cache-mode=off",            // what is compared with the database has to ask it
		"--overload-protection=false", // closed loops wait for each other: to refuse some of them would be to measure refusals
	} {
		name, _, _ := strings.Cut(unless, "=")
		if !slices.ContainsFunc(options, func(o string) bool { return strings.HasPrefix(o, name+"=") }) {
			s.cmd.Args = append(s.cmd.Args, unless)
		}
	}
	s.cmd.Args = append(s.cmd.Args, options...)
	s.cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	s.cmd.Dir = os.TempDir() // where there is no slipstream.yaml
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	if err := s.awaitReady(ctx); err != nil {
		s.stop()
		return nil, fmt.Errorf("start %s: %w; it said:\n%s", program, err, &s.output)
	}
	return s, nil
}

// freePorts finds ports that nobody listens on. They stay free only if nobody else looks for one right now.
func freePorts(n int) ([]string, error) {
	var ports []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }()
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			return nil, err
		}
		ports = append(ports, port)
	}
	return ports, nil
}

func (s *server) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if _, err := get(ctx, "http://"+s.admin+"/ready", nil); err == nil {
			return nil
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

// stop ends the server, by force if it does not end in ten seconds.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(10 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.done
	}
}

// answer is a response that was read to its end.
type answer struct {
	header http.Header
	body   []byte
}

// get reads an answer with a 2xx status.
func get(ctx context.Context, url string, header http.Header) (answer, error) {
	return send(ctx, http.MethodGet, url, header, "")
}

// send is get with another method and a body.
func send(ctx context.Context, method, url string, header http.Header, body string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if header != nil {
		req.Header = header
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	content, err := io.ReadAll(resp.Body)
	err = errors.Join(err, resp.Body.Close())
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %s: %s", method, url, resp.Status, content)
	}
	return answer{header: resp.Header, body: content}, err
}

// ask sends a scenario's request for a key.
func (s *server) ask(ctx context.Context, sc scenario, key int) (answer, error) {
	header := sc.header()
	if sc.asCustomer {
		header.Set("Authorization", "Bearer "+token(s.secret, key))
	}
	return send(ctx, sc.verb(), "http://"+s.host+sc.targetOf(key), header, sc.bodyOf(key))
}

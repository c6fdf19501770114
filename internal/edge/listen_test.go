package edge_test

import (
	"context"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/edge"
)

func TestSpecialHosts(t *testing.T) {
	const v4, v6 = "127.0.0.1", "::1"
	hasV6 := false
	if ln, err := net.Listen("tcp6", "[::1]:0"); err == nil {
		hasV6 = true
		ln.Close()
	}
	tests := []struct {
		host          string
		answers, deaf []string
	}{
		{host: "", answers: []string{v4}, deaf: []string{v6}},
		{host: "localhost", answers: []string{v4}},
		{host: "127.0.0.1", answers: []string{v4}, deaf: []string{v6}},
		{host: "*", answers: []string{v4, v6}},
		{host: "*4", answers: []string{v4}},
		{host: "!4", answers: []string{v4}, deaf: []string{v6}},
		{host: "*6", answers: []string{v6}},
		{host: "!6", answers: []string{v6}, deaf: []string{v4}},
	}
	for _, tt := range tests {
		t.Run(tt.host, func(t *testing.T) {
			if strings.Contains(tt.host, "6") && !hasV6 {
				t.Skip("no IPv6 here")
			}
			ln, err := edge.Address{Host: tt.host}.Listen(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			_, port, _ := net.SplitHostPort(ln.Addr().String())
			reach := func(host string) bool {
				conn, err := net.Dial("tcp", net.JoinHostPort(host, port))
				if err == nil {
					conn.Close()
				}
				return err == nil
			}
			for _, host := range tt.answers {
				if (host != v6 || hasV6) && !reach(host) {
					t.Errorf("does not answer on %s", host)
				}
			}
			for _, host := range tt.deaf {
				if reach(host) {
					t.Errorf("answers on %s", host)
				}
			}
		})
	}
	if _, err := (edge.Address{Host: "no.such.host.invalid"}).Listen(t.Context()); err == nil {
		t.Error("an unknown host is no error")
	}
}

func TestReusePort(t *testing.T) {
	first, err := edge.Address{ReusePort: true}.Listen(t.Context())
	if err != nil {
		t.Skipf("not here: %v", err)
	}
	defer first.Close()
	same := edge.Address{Port: first.Addr().(*net.TCPAddr).Port, ReusePort: true}
	second, err := same.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
	same.ReusePort = false
	if third, err := same.Listen(t.Context()); err == nil {
		third.Close()
		t.Error("the port is shared with who did not ask for it")
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "api.sock")
	for _, mode := range []fs.FileMode{0, 0o600, 0o777} {
		srv := serve(t, edge.ServerOptions{Address: edge.Address{Socket: path, SocketMode: mode}},
			func(*edge.Server) http.Handler { return http.NotFoundHandler() })
		file, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		want := mode
		if mode == 0 {
			want = 0o660
		}
		if got := file.Mode().Perm(); got != want {
			t.Errorf("mode %o, want %o", got, want)
		}
		client := &http.Client{Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				return net.Dial("unix", path)
			},
		}}
		res, err := client.Get("http://socket/")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		srv.stop()
		if err := <-srv.done; err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(path); err == nil {
			t.Error("the socket's file is left")
		}
	}
}

func TestUnixSocketOfAnotherRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "api.sock")
	address := edge.Address{Socket: path}
	first, err := address.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	successor, err := address.Listen(t.Context()) // takes the place of what it finds
	if err != nil {
		t.Fatal(err)
	}
	first.Close()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("closing the first removed its successor's file: %v", err)
	}
	conn.Close()
	successor.Close()

	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := address.Listen(t.Context()); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("got %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "precious" {
		t.Error("a file that is no socket was removed")
	}
}

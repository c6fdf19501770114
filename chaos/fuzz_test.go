package chaos_test

import (
	"encoding/binary"
	"io"
	"sync"
	"testing"

	"github.com/slipstream-go/slipstream/chaos"
)

// FuzzParse: a scenario that is read can be written and read again, fault by fault, and nothing panics.
func FuzzParse(f *testing.F) {
	f.Add(failover)
	f.Add("proxies: {a: {upstream: 'x:1', faults: [{http: {status: 503, path: /a*}, connections: {from: 10.0.0.0/8}}]}}")
	f.Add("proxies: &a {b: *a}\n")
	f.Add("{\"proxies\": {\"a\": {\"upstream\": \"x:1\", \"faults\": [{\"delay\": {\"before\": \"Query\", \"by\": \"2s\"}}]}}}")
	f.Fuzz(func(t *testing.T, source string) {
		s, err := chaos.Parse("s.yaml", []byte(source))
		if err != nil {
			return
		}
		for _, p := range s.Proxies {
			for _, fault := range p.Faults {
				b, err := fault.MarshalJSON()
				if err != nil {
					t.Fatal(err)
				}
				if _, err := chaos.ParseFault(string(b)); err != nil {
					t.Fatalf("%s: %v", b, err)
				}
			}
		}
	})
}

// FuzzPostgreSQL: whatever both sides say arrives as it was said, when no fault's point is in it.
func FuzzPostgreSQL(f *testing.F) {
	startup := append(binary.BigEndian.AppendUint32(nil, 9), 0, 3, 0, 0, 0)
	tls := binary.BigEndian.AppendUint32([]byte{0, 0, 0, 8}, 80877103)
	f.Add(append(startup, "Q\x00\x00\x00\x0dselect 1\x00X\x00\x00\x00\x04"...), []byte("R\x00\x00\x00\x08\x00\x00\x00\x00C\x00\x00\x00\x0dSELECT 1\x00"))
	f.Add(append(tls, startup...), []byte("NR\x00\x00\x00\x08\x00\x00\x00\x00"))
	f.Add(append(tls, 0x16, 3), []byte("S\x16\x03"))
	f.Add([]byte("\x16\x03\x01"), []byte(""))
	f.Add(append(startup, "P\x00\x00\x00\x0cs\x00commit\x00\x00\x00B\x00\x00\x00\x08\x00s\x00\x00E\x00\x00\x00\x09\x00"...), []byte("Z\x00\x00\x00\x05I"))
	f.Fuzz(func(t *testing.T, asked, answered []byte) {
		transparent(t, asked, answered, chaos.Fault{Cut: &chaos.Point{After: "Execute", SQL: "no such statement"}},
			chaos.Fault{Cut: &chaos.Point{Before: "CommandComplete", Tag: "no such tag"}})
	})
}

// FuzzHTTP is the same for HTTP.
func FuzzHTTP(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST /b HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"), []byte("HTTP/1.1 204 No\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"))
	f.Add([]byte("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nSum: 1\r\n\r\n"), []byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nmore"))
	f.Add([]byte("GET / HTTP/1.1\nUpgrade: x\n\nraw"), []byte("HTTP/1.1 101 Up\r\n\r\nraw"))
	f.Add([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), []byte("\x00\x00"))
	f.Add([]byte("HEAD / HTTP/1.1\r\n\r\n"), []byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\n\r\nrest"))
	f.Fuzz(func(t *testing.T, asked, answered []byte) {
		transparent(t, asked, answered, chaos.Fault{HTTP: &chaos.HTTP{Status: 500, Path: "no such path"}})
	})
}

// transparent wants bytes to arrive as they were sent.
func transparent(t *testing.T, asked, answered []byte, faults ...chaos.Fault) {
	t.Helper()
	entrance, exit := newMemory(), newMemory()
	p, err := chaos.ProxyConfig{Upstream: "memory", Listener: entrance, Dial: exit.dial, Faults: faults}.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	client, err := entrance.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	upstream, err := exit.Accept()
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	say := func(c io.Writer, text []byte) {
		_, _ = c.Write(text)
		_ = c.(half).CloseWrite()
	}
	hear := func(c io.Reader, want []byte) {
		if got, err := io.ReadAll(c); string(got) != string(want) || err != nil {
			t.Errorf("got %q, want %q, %v", got, want, err)
		}
	}
	all.Go(func() { say(client, asked) })
	all.Go(func() { hear(upstream, asked) })
	all.Go(func() { hear(client, answered) })
	all.Go(func() { say(upstream, answered) })
	all.Wait()
}

package loadtest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	mostHeader = 16 << 10 // bytes of an answer's header fields
	mostBody   = 64 << 20 // bytes of an answer's body
	// keptBody is the largest buffer of a body that is kept for the next one.
	keptBody = 1 << 20
	// joinedBody is the largest body of a request that is sent with its header in one piece.
	joinedBody = 64 << 10
)

var errNotHTTP = errors.New("not an answer of HTTP/1")

// http1 opens connections that speak HTTP/1.1.
type http1 struct {
	*dialer
	tls *tls.Config // nil without
	// host and prefix are what each request's Host is and its path begins with.
	address, host, prefix string
}

func newHTTP1(d *dialer) *http1 {
	target := d.load.Target
	c := &http1{dialer: d, address: address(target), host: target.Host, prefix: prefix(target)}
	if target.Scheme == "https" {
		c.tls = d.tlsConfig("http/1.1")
	}
	return c
}

func prefix(target *url.URL) string { return strings.TrimSuffix(target.EscapedPath(), "/") }

// connect opens a connection, which breaks when ctx ends.
func (c *http1) connect(ctx context.Context) (link, error) {
	opening, cancel := context.WithTimeout(ctx, c.load.Timeout)
	defer cancel()
	m, err := c.dial(opening, "tcp", c.address)
	if err != nil {
		return nil, err
	}
	l := &connection1{http1: c, meter: m, conn: m, pending: newPending(m.Conn)}
	l.reader = bufio.NewReaderSize(l, mostHeader)
	if c.tls != nil {
		secured := tls.Client(m, c.tls)
		if err := secured.HandshakeContext(opening); err != nil {
			_ = m.Close()
			return nil, &handshakeError{err}
		}
		l.conn = secured
	}
	l.stop = context.AfterFunc(ctx, func() { _ = m.Close() })
	return l, nil
}

func (c *http1) close() {}

// connection1 is a connection that is kept for one request after the other. Its memory is used again for each.
type connection1 struct {
	*http1
	meter   *meter
	conn    net.Conn // meter, or TLS on it
	reader  *bufio.Reader
	failure error // of the connection, in place of what parsers make of it
	pending *pending
	text    []byte
	answer  fasthttp.Response
	stop    func() bool
}

// Read is what the parser reads from.
func (l *connection1) Read(p []byte) (int, error) {
	n, err := l.conn.Read(p)
	if err != nil {
		l.failure = err
	}
	return n, err
}

func (l *connection1) close() {
	l.stop()
	_ = l.meter.Close()
}

func (l *connection1) exchange(r *Request, left, keepBody bool) (a answer) {
	in, out := l.meter.in, l.meter.out
	defer func() { a.in, a.out = l.meter.in-in, l.meter.out-out }()
	l.failure = nil
	l.answer.ReleaseBody(keptBody)
	if err := l.conn.SetDeadline(time.Now().Add(l.load.Timeout)); err != nil {
		l.failure = err
	}
	// What comes unasked is the end, or a last word before it. A request that cannot be repeated is better not sent then.
	if left && !repeatable(r) && l.pending.any() {
		return answer{problem: problemCutOff, stale: true, unsent: true}
	}
	sending := l.write(r)
	// A server may answer before it has read all of a request, and then close the connection.
	began, err := l.read(r.Method == http.MethodHead, keepBody)
	if err == nil {
		a.status, a.keep = l.answer.StatusCode(), sending == nil && l.kept()
		if keepBody {
			a.body = l.answer.Body()
		}
	} else {
		otherwise := problemNotHTTP
		if l.failure != nil {
			err, otherwise = l.failure, problemReset
		}
		a.problem = problemOf(err, otherwise)
		a.stale = left && !began && (a.problem == problemCutOff || a.problem == problemReset)
	}
	return a
}

// write sends a request. Fields go out as they are given, in their order.
func (l *connection1) write(r *Request) error {
	b := append(l.text[:0], r.Method...)
	b = append(append(append(b, ' '), l.prefix...), r.Path...)
	b = append(b, " HTTP/1.1\r\n"...)
	own := false
	for _, f := range r.Header {
		own = own || strings.EqualFold(f.Name, "Host")
	}
	if !own {
		b = appendField(b, "Host", l.host)
	}
	for _, f := range r.Header {
		b = appendField(b, f.Name, f.Value)
	}
	if len(r.Body) > 0 || r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
		b = strconv.AppendInt(append(b, "Content-Length: "...), int64(len(r.Body)), 10)
		b = append(b, "\r\n"...)
	}
	b = append(b, "\r\n"...)
	rest := r.Body
	if len(rest) <= joinedBody {
		b, rest = append(b, rest...), nil
	}
	l.text = b
	_, err := l.conn.Write(b)
	if err == nil && len(rest) > 0 {
		_, err = l.conn.Write(rest)
	}
	return err
}

func appendField(b []byte, name, value string) []byte {
	b = append(append(b, name...), ": "...)
	return append(append(b, value...), "\r\n"...)
}

// read reads an answer. began says that there was a first byte of it.
func (l *connection1) read(head, keepBody bool) (began bool, err error) {
	start, err := l.reader.Peek(len("HTTP/"))
	if began = len(start) > 0; err != nil {
		return began, err
	}
	if string(start) != "HTTP/" {
		return began, errNotHTTP
	}
	header := &l.answer.Header
	for {
		if err := header.Read(l.reader); err != nil {
			return began, err
		}
		if s := header.StatusCode(); s >= http.StatusOK || s == http.StatusSwitchingProtocols {
			return began, l.readBody(head || bodyless(s), keepBody)
		}
	}
}

func bodyless(status int) bool {
	return status < http.StatusOK || status == http.StatusNoContent || status == http.StatusNotModified
}

func (l *connection1) readBody(none, keep bool) error {
	length := l.answer.Header.ContentLength()
	switch {
	case none:
		l.answer.ResetBody()
		return nil
	case !keep && length >= 0:
		if length > mostBody {
			return fasthttp.ErrBodyTooLarge
		}
		_, err := l.reader.Discard(length)
		return err
	}
	if err := l.answer.ReadBody(l.reader, mostBody); err != nil {
		return err
	}
	if length == -1 { // chunked
		return l.answer.Header.ReadTrailer(l.reader)
	}
	return nil
}

// kept says whether the server leaves the connection open after this answer.
func (l *connection1) kept() bool {
	if l.answer.ConnectionClose() || l.answer.StatusCode() == http.StatusSwitchingProtocols {
		return false
	}
	return !hasToken(l.answer.Header.Peek("Connection"), "close")
}

// hasToken looks for a word in a list with commas, whatever its case (RFC 9110, section 7.6.1).
func hasToken(list []byte, token string) bool {
	for len(list) > 0 {
		var item []byte
		item, list, _ = bytes.Cut(list, []byte(","))
		if strings.EqualFold(string(bytes.TrimSpace(item)), token) {
			return true
		}
	}
	return false
}

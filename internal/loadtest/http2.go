package loadtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/valyala/fasthttp"
)

// http2 shares net/http's connections between all requests; it opens another one when each has as many streams as the server
// allows.
type http2 struct {
	*dialer
	transport *http.Transport
	origin    string // what each request's URL begins with
}

func newHTTP2(d *dialer) *http2 {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	target := d.load.Target
	return &http2{
		dialer: d, origin: target.Scheme + "://" + target.Host + prefix(target),
		transport: &http.Transport{
			Protocols:          protocols,
			TLSClientConfig:    d.tlsConfig("h2"),
			DisableCompression: true, // nobody asked for it
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				return d.dial(ctx, network, address)
			},
		},
	}
}

// connect never fails: a request opens a connection if there is none.
func (c *http2) connect(ctx context.Context) (link, error) { return &stream{http2: c, ctx: ctx}, nil }

func (c *http2) close() { c.transport.CloseIdleConnections() }

// stream sends one request at a time on some connection.
type stream struct {
	*http2
	ctx  context.Context // the run's, which requests are part of
	body bytes.Buffer
}

func (s *stream) close() {}

func (s *stream) exchange(r *Request, _, keepBody bool) answer {
	ctx, cancel := context.WithTimeout(s.ctx, s.load.Timeout)
	defer cancel()
	a := answer{keep: true}
	request, err := s.request(ctx, r)
	if err != nil {
		a.problem = problemNotHTTP
		return a
	}
	response, err := s.transport.RoundTrip(request)
	if err != nil {
		a.problem = problemOfStream(err)
		return a
	}
	defer func() { _ = response.Body.Close() }()
	s.body.Reset()
	into := io.Writer(&s.body)
	if !keepBody {
		into = io.Discard
	}
	n, err := io.Copy(into, io.LimitReader(response.Body, mostBody+1))
	switch {
	case err == nil && n > mostBody:
		err = fasthttp.ErrBodyTooLarge
	case err == nil && keepBody:
		a.body = s.body.Bytes()
	}
	a.in, a.out = int(n), len(r.Body)
	if err != nil {
		a.problem = problemOfStream(err)
		return a
	}
	a.status = response.StatusCode
	return a
}

func (s *stream) request(ctx context.Context, r *Request) (*http.Request, error) {
	target, err := url.Parse(s.origin + string(r.Path))
	if err != nil {
		return nil, err
	}
	request := (&http.Request{Method: r.Method, URL: target, Header: http.Header{"User-Agent": nil}}).WithContext(ctx)
	for _, f := range r.Header {
		if strings.EqualFold(f.Name, "Host") {
			request.Host = f.Value
			continue
		}
		request.Header.Add(f.Name, f.Value)
	}
	if len(r.Body) > 0 {
		request.Body, request.ContentLength = io.NopCloser(bytes.NewReader(r.Body)), int64(len(r.Body))
		request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(r.Body)), nil }
	}
	return request, nil
}

// problemOfStream tells apart what net/http has no types for.
func problemOfStream(err error) string {
	var op *net.OpError
	switch text := err.Error(); {
	case errors.As(err, &op) && op.Op == "dial":
		return problemOf(err, problemDial)
	case strings.Contains(text, "stream error"), strings.Contains(text, "GOAWAY"), strings.Contains(text, "client connection lost"):
		return problemReset
	}
	return problemOf(err, problemNotHTTP)
}

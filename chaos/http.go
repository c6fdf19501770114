package chaos

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// exchanges follows HTTP/1.1 on a connection: each request has its answer, in order (RFC 9112 §9.3.2). Messages are passed on
// byte by byte as they are.
type exchanges struct {
	conn   *conn
	client *pipe

	mu     sync.Mutex
	open   []exchange // those that are not answered
	opaque bool       // after an upgrade, or what is not HTTP
}

// exchange is a request that waits for its answer.
type exchange struct {
	method string
	status int      // answered by the proxy, if not 0
	cut    *meeting // ends the connection within the answer, if not nil
	last   bool     // no answer follows this one
}

// requests reads what a client sends.
func (e *exchanges) requests(from io.Reader, to *pipe) error {
	r := newRelay(from, to)
	for {
		if _, err := r.peek(1); err != nil || e.isOpaque() {
			if err != nil {
				return r.end(err)
			}
			return r.rest()
		}
		raw, err := head(r)
		if err != nil {
			return e.broken(r, raw, err)
		}
		request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil || request.ProtoMajor != 1 {
			return e.foreign(r, raw)
		}
		if err := e.request(r, raw, request); err != nil {
			return e.broken(r, nil, err)
		}
	}
}

// request passes a request on, or answers it.
func (e *exchanges) request(r *relay, raw []byte, request *http.Request) error {
	x, where := exchange{method: request.Method}, request.Method+" "+request.URL.Path
	for _, m := range e.conn.meetings() {
		if m.HTTP == nil || !m.HTTP.fits(request) || !m.chosen(r.to.flow, 0) {
			continue
		}
		switch {
		case m.HTTP.Delay != 0:
			m.hit(where)
			r.to.holdBack(m.HTTP.Delay)
		case m.HTTP.Status != 0 && x.status == 0:
			m.hit(where)
			x.status = m.HTTP.Status
		case m.HTTP.Cut != 0:
			x.cut = m
		}
	}
	if x.status != 0 {
		// Who waits for leave to send a body does not get it, and may not send it.
		x.last = request.Close || strings.EqualFold(request.Header.Get("Expect"), "100-continue")
		return e.inject(r, request, x)
	}
	e.mu.Lock()
	e.open = append(e.open, x)
	e.mu.Unlock()
	if _, err := r.out.Write(raw); err != nil {
		return err
	}
	if err := body(r, request.ContentLength, request.TransferEncoding, r.pass, r.pass); err != nil {
		return err
	}
	return r.out.Flush()
}

// inject has a request answered by the proxy, when those before it have their answers.
func (e *exchanges) inject(r *relay, request *http.Request, x exchange) error {
	if !x.last {
		if err := body(r, request.ContentLength, request.TransferEncoding, r.drop, r.drop); err != nil {
			return err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.open) > 0 {
		e.open = append(e.open, x)
	} else if err := e.answer(x); err != nil {
		return err
	}
	if x.last {
		return io.EOF
	}
	return nil
}

// answer writes the proxy's own answer.
func (e *exchanges) answer(x exchange) error {
	reason := http.StatusText(x.status)
	content := reason + ", injected by slipstream chaos\n"
	fields := "Content-Type: text/plain; charset=utf-8\r\nContent-Length: " + strconv.Itoa(len(content)) + "\r\n"
	if x.status == http.StatusNoContent || x.status == http.StatusNotModified {
		content, fields = "", ""
	}
	if x.method == http.MethodHead {
		content = ""
	}
	if x.last {
		fields += "Connection: close\r\n"
	}
	_, err := fmt.Fprintf(e.client, "HTTP/1.1 %d %s\r\n%s\r\n%s", x.status, reason, fields, content)
	if x.last && err == nil {
		e.client.finish(e.conn.end)
	}
	return err
}

// answers reads what the upstream sends.
func (e *exchanges) answers(from io.Reader, to *pipe) error {
	r := newRelay(from, to)
	for {
		if _, err := r.peek(1); err != nil {
			return r.end(err)
		}
		x, expected := e.oldest()
		if !expected {
			return r.rest() // such as 408, or after an upgrade
		}
		raw, err := head(r)
		if err != nil {
			return e.broken(r, raw, err)
		}
		response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(raw)), &http.Request{Method: x.method})
		if err != nil {
			return e.foreign(r, raw)
		}
		if err := e.response(r, raw, response, x); err != nil {
			return e.broken(r, nil, err)
		}
	}
}

// response passes an answer on, up to where a fault ends it.
func (e *exchanges) response(r *relay, raw []byte, response *http.Response, x exchange) error {
	if _, err := r.out.Write(raw); err != nil {
		return err
	}
	if response.StatusCode < http.StatusOK && response.StatusCode != http.StatusSwitchingProtocols {
		return r.out.Flush() // the answer is to come
	}
	if response.StatusCode == http.StatusSwitchingProtocols || x.method == http.MethodConnect {
		e.becomeOpaque()
		return r.rest()
	}
	pass := r.pass
	if x.cut != nil {
		pass = cutAfter(r, x.cut, x.method)
	}
	length := response.ContentLength
	if x.method == http.MethodHead || response.StatusCode == http.StatusNoContent || response.StatusCode == http.StatusNotModified {
		length = 0
	}
	if length < 0 && len(response.TransferEncoding) == 0 {
		return untilEnd(r, pass)
	}
	if err := body(r, length, response.TransferEncoding, r.pass, pass); err != nil {
		return err
	}
	if err := r.out.Flush(); err != nil {
		return err
	}
	return e.answered()
}

// cutAfter is pass until so many bytes of a body have passed.
func cutAfter(r *relay, m *meeting, method string) func(int64) error {
	left := int64(m.HTTP.Cut)
	return func(n int64) error {
		if n < left {
			left -= n
			return r.pass(n)
		}
		if err := r.pass(left); err != nil {
			return err
		}
		return r.fire(m, "the answer of a "+method)
	}
}

// untilEnd passes on a body that ends with the connection.
func untilEnd(r *relay, pass func(int64) error) error {
	for {
		if _, err := r.peek(1); err != nil {
			return err
		}
		if err := pass(int64(r.in.Buffered())); err != nil {
			return err
		}
	}
}

// oldest is the exchange that the upstream answers now.
func (e *exchanges) oldest() (exchange, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.opaque || len(e.open) == 0 {
		return exchange{}, false
	}
	return e.open[0], true
}

// answered ends the oldest exchange, and answers those after it that the proxy is to answer.
func (e *exchanges) answered() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.open = e.open[1:]
	for len(e.open) > 0 && e.open[0].status != 0 {
		x := e.open[0]
		e.open = e.open[1:]
		if err := e.answer(x); err != nil {
			return err
		}
	}
	return nil
}

func (e *exchanges) isOpaque() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.opaque
}

func (e *exchanges) becomeOpaque() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.opaque = true
}

// foreign passes on what is not HTTP/1.1, as everything after it.
func (e *exchanges) foreign(r *relay, raw []byte) error {
	e.becomeOpaque()
	e.conn.unreadable("it is not HTTP/1.1, or encrypted")
	if _, err := r.out.Write(raw); err != nil {
		return err
	}
	return r.rest()
}

// broken passes on what there is of a message that is not whole, or not HTTP.
func (e *exchanges) broken(r *relay, raw []byte, err error) error {
	if errors.Is(err, errForeign) {
		return e.foreign(r, raw)
	}
	_, _ = r.out.Write(raw) // end returns the error
	return r.end(err)
}

var errForeign = errors.New("not HTTP/1.1")

// head takes a message's head, with the empty line at its end.
func head(r *relay) ([]byte, error) {
	var raw []byte
	for {
		if first, err := r.peek(1); len(raw) == 0 && err == nil && (first[0] < 'A' || first[0] > 'Z') {
			return nil, errForeign
		}
		line, err := r.line()
		raw = append(raw, line...)
		switch {
		case err != nil:
			return raw, err
		case len(raw) > headMost:
			return raw, errForeign
		case len(bytes.TrimRight(line, "\r\n")) == 0:
			return raw, nil
		}
	}
}

// body takes a message's body by its framing (RFC 9112 §6.3): frame does something with what is around its content, pass with that.
func body(r *relay, length int64, encoding []string, frame, pass func(int64) error) error {
	if len(encoding) == 0 {
		return pass(max(length, 0))
	}
	for {
		line, err := r.peekLine()
		if err != nil {
			return err
		}
		digits, _, _ := strings.Cut(strings.TrimSpace(string(line)), ";")
		size, err := strconv.ParseInt(strings.TrimSpace(digits), 16, 64)
		if err != nil || size < 0 {
			return errForeign // no chunk begins like that
		}
		if err := frame(int64(len(line))); err != nil {
			return err
		}
		if size == 0 {
			return trailers(r, frame)
		}
		if err := pass(size); err != nil {
			return err
		}
		if err := frame(int64(len("\r\n"))); err != nil {
			return err
		}
	}
}

// trailers takes the fields after a body's last chunk, and the empty line after these.
func trailers(r *relay, frame func(int64) error) error {
	for {
		line, err := r.peekLine()
		if err != nil {
			return err
		}
		empty := len(bytes.TrimRight(line, "\r\n")) == 0
		if err := frame(int64(len(line))); err != nil || empty {
			return err
		}
	}
}

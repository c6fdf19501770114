package rest

import (
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/limit"
)

// body reads the body, up to the configured size, and makes room for it.
func (h *Handler) body(w http.ResponseWriter, r *http.Request, room *limit.Held) ([]byte, error) {
	if r.ContentLength > h.options.MaxBody {
		return nil, h.bodyTooLarge() // before a client that expects 100 is told to send it
	}
	body, err := readAll(http.MaxBytesReader(w, r.Body, h.options.MaxBody), r.ContentLength, func(size int64) error { return room.Grow(h.options.Buffers, size) })
	var tooLarge *http.MaxBytesError
	var full *limit.BufferError
	switch {
	case errors.As(err, &tooLarge):
		return nil, h.bodyTooLarge()
	case errors.As(err, &full):
		return nil, noRoom(full, 0)
	case apierr.From(err) != nil: // it came too slowly
		return nil, err
	case err != nil:
		return nil, &apierr.Error{Code: "PGRST102", Message: "The body could not be read", Cause: err}
	}
	return body, nil
}

// skipBody reads the body of a request that has no use for one: only behind it does net/http see over HTTP/1.1 that the client
// leaves, and ends the request's context. One that is longer is left alone.
func skipBody(r *http.Request) {
	const longest = 64 << 10
	if r.ContentLength != 0 {
		_, _ = io.CopyN(io.Discard, r.Body, longest)
	}
}

// promised is how many bytes of a body must have come before room is made for all that the client says will come.
const promised = 512 << 10

// readAll is io.ReadAll for a body of size bytes, or of unknown size where that is negative: a large body is kept once. room is
// asked before each buffer is made.
func readAll(body io.Reader, size int64, room func(size int64) error) ([]byte, error) {
	var b []byte
	for {
		if len(b) == cap(b) {
			next := max(min(size+1, promised), 512) // one byte more, in which to see the end
			switch {
			case cap(b) == 0:
			case int64(cap(b)) <= size:
				next = size + 1
			default:
				next = 2 * int64(cap(b))
			}
			if err := room(next); err != nil {
				return nil, err
			}
			b = append(make([]byte, 0, next), b...)
		}
		n, err := body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil:
			return b, err
		}
	}
}

func (h *Handler) bodyTooLarge() error {
	return &apierr.Error{
		Code: "SLIP104", Message: "The body is larger than " + strconv.FormatInt(h.options.MaxBody, 10) + " bytes",
		Hint: "Send it in parts, or have request-max-body raised",
	}
}

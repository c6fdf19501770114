package rest

import (
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/slipstream-go/slipstream/internal/apierr"
)

// body reads the body, up to the configured size.
func (h *Handler) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > h.options.MaxBody {
		return nil, h.bodyTooLarge() // before a client that expects 100 is told to send it
	}
	body, err := readAll(http.MaxBytesReader(w, r.Body, h.options.MaxBody), r.ContentLength)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, h.bodyTooLarge()
	case err != nil:
		return nil, &apierr.Error{Code: "PGRST102", Message: "The body could not be read", Cause: err}
	}
	return body, nil
}

// promised is how many bytes of a body must have come before room is made for all that the client says will come.
const promised = 512 << 10

// readAll is io.ReadAll for a body of size bytes, or of unknown size where that is negative: a large body is kept once.
func readAll(body io.Reader, size int64) ([]byte, error) {
	b := make([]byte, 0, max(min(size+1, promised), 512)) // one byte more, in which to see the end
	for {
		switch {
		case len(b) < cap(b):
		case int64(cap(b)) <= size:
			b = append(make([]byte, 0, size+1), b...)
		default:
			b = append(b, 0)[:len(b)] // as append grows
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

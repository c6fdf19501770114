package loadtest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/valyala/fasthttp"
)

// The kinds of errors that have no answer; those of answers are Shape.Check's.
const (
	problemTimeout  = "timeout"   // no whole answer within Load.Timeout
	problemRefused  = "refused"   // nobody listens
	problemReset    = "reset"     // the server or the network broke the connection
	problemCutOff   = "cut off"   // the connection ended before the answer did
	problemNotHTTP  = "not HTTP"  // what came is no answer
	problemTooLarge = "too large" // over 16 KiB of header fields or 64 MiB of body
	problemTLS      = "tls"       // no agreement on it, or no trust in the certificate
	problemDial     = "dial"      // the connection could not be opened for another reason, such as an unknown host
)

// unopened says whether it was that there was no connection.
func unopened(problem string) bool {
	return problem == problemRefused || problem == problemDial || problem == problemTLS
}

// problemOf tells the kind of an error; what is none of the known ones is otherwise.
func problemOf(err error, otherwise string) string {
	switch {
	case isTimeout(err):
		return problemTimeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return problemRefused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return problemReset
	case isTooLarge(err):
		return problemTooLarge
	case isTLS(err):
		return problemTLS
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe), errors.Is(err, net.ErrClosed):
		return problemCutOff
	}
	return otherwise
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

func isTooLarge(err error) bool {
	var small *fasthttp.ErrSmallBuffer
	return errors.Is(err, fasthttp.ErrBodyTooLarge) || errors.As(err, &small)
}

// handshakeError is why a connection has no TLS.
type handshakeError struct{ error }

func (e *handshakeError) Unwrap() error { return e.error }

func isTLS(err error) bool {
	var handshake *handshakeError
	var alert tls.AlertError
	var record tls.RecordHeaderError
	var untrusted *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	// Most of the package's errors have no type.
	return errors.As(err, &handshake) || errors.As(err, &alert) || errors.As(err, &record) || errors.As(err, &untrusted) || errors.As(err, &authority) ||
		strings.HasPrefix(err.Error(), "tls: ") || strings.HasPrefix(err.Error(), "remote error: tls: ")
}

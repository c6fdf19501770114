package edge

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/slipstream-go/slipstream/internal/apierr"
)

// guardedListener accepts as many connections as the limits allow, and tells the others to come back later.
type guardedListener struct {
	net.Listener
	set       *connections
	log       *slog.Logger
	answers   map[refusal][]string
	lingering chan struct{} // as many refused ones as may be open for a moment
	refusals  sync.WaitGroup
	closed    chan struct{}
	closing   sync.Once
}

// newGuardedListener puts set before ln.
func newGuardedListener(ln net.Listener, set *connections, log *slog.Logger) *guardedListener {
	const mostLingering = 64
	return &guardedListener{
		Listener: ln, set: set, log: log, lingering: make(chan struct{}, mostLingering), closed: make(chan struct{}),
		answers: map[refusal][]string{
			full: refusalAnswers("The server has as many connections as it may have", "Try again later; server-max-connections is the limit"),
			fullForAddress: refusalAnswers("Too many connections from this address",
				"Close some, or use them for more than one request; server-max-connections-per-ip is the limit"),
		},
	}
}

// refusalAnswers are made beforehand, one for each time to come back after, so that a crowd does not come back at once.
func refusalAnswers(message, hint string) []string {
	body := (&apierr.Error{Code: "SLIP232", Message: message, Hint: hint}).JSON(apierr.Verbose)
	var all []string
	for seconds := 1; seconds <= 4; seconds++ {
		all = append(all, fmt.Sprintf("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: %d\r\n"+
			"Content-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\nProxy-Status: PostgREST; error=SLIP232\r\n\r\n%s", seconds, len(body), body))
	}
	return all
}

// Accept implements net.Listener. Where the system has no descriptors left it closes waiting connections, and tries again.
func (l *guardedListener) Accept() (net.Conn, error) {
	const shortest, longest = 5 * time.Millisecond, time.Second
	for pause := time.Duration(0); ; {
		raw, err := l.Listener.Accept()
		switch {
		case err == nil:
			pause = 0
			c, why := l.set.admit(raw)
			if why == admitted {
				return c, nil
			}
			l.refuse(raw, why)
		case exhausted(err):
			if pause == 0 {
				l.log.Warn("no connection can be accepted; raise the limit of open files (ulimit -n), or lower server-max-connections", "error", err)
			}
			pause = min(max(2*pause, shortest), longest)
			l.set.closeWaiting(l.set.limits.Total/100 + 1)
			select {
			case <-time.After(pause):
			case <-l.closed:
			}
		default:
			l.refusals.Wait() // a second at most
			return nil, err
		}
	}
}

// exhausted reports whether err will be gone when others have given something back.
func exhausted(err error) bool {
	for _, e := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// refuse answers before it has read anything. To close at once would reset the connection, and the client might never see why:
// a few at a time are given a moment to read it.
func (l *guardedListener) refuse(raw net.Conn, why refusal) {
	const moment = time.Second
	answers := l.answers[why]
	_ = raw.SetDeadline(time.Now().Add(moment))
	_, _ = io.WriteString(raw, answers[rand.IntN(len(answers))]) // the buffer of a new connection is empty: this does not wait
	half, ok := raw.(interface{ CloseWrite() error })
	if !ok {
		_ = raw.Close()
		return
	}
	select {
	case l.lingering <- struct{}{}:
		l.refusals.Go(func() {
			defer func() { <-l.lingering }()
			_ = half.CloseWrite()
			_, _ = io.CopyN(io.Discard, raw, 64<<10)
			_ = raw.Close()
		})
	default:
		_ = raw.Close()
	}
}

// Close implements net.Listener.
func (l *guardedListener) Close() error {
	l.closing.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

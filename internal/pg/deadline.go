package pg

import (
	"context"
	"errors"
	"strconv"
	"time"
)

// ErrDeadline means that Tx.Deadline has come, or is too near for the server to get done.
var ErrDeadline = errors.New("the deadline of the request has come")

const (
	// answerTime is left of a deadline for the way of the answer.
	answerTime = 50 * time.Millisecond
	// longestLockWait bounds the wait for a lock of who has a deadline; it is half of the time if that is less.
	longestLockWait = 2 * time.Second
)

// setDeadline lowers statement_timeout and lock_timeout to what is left, wherever they are higher or none: what the role, the
// database or the connection string allow is never raised. afresh takes what they are in the session, not what another
// transaction of a group has made of them.
func (s *settings) setDeadline(deadline time.Time, afresh bool) {
	left := time.Until(deadline) - answerTime
	s.lower("statement_timeout", left, afresh)
	s.lower("lock_timeout", min(longestLockWait, left/2), afresh)
}

// lower makes a text that depends on the parameter's name alone.
func (s *settings) lower(name string, to time.Duration, afresh bool) {
	if afresh {
		s.unset(name)
	}
	start := len(s.values)
	// 0 would be no bound. Rounded up: what ends before the time that late goes by would not count as late.
	s.values = strconv.AppendInt(s.values, max(1, int64((to+time.Millisecond-1)/time.Millisecond)), 10)
	n := strconv.Itoa(len(s.args) + 1)
	s.args = append(s.args, s.values[start:len(s.values):len(s.values)])
	s.sql = append(s.sql, ", pg_catalog.set_config('"...)
	s.sql = append(s.sql, name...)
	s.sql = append(s.sql, "', least($"...)
	s.sql = append(s.sql, n...)
	s.sql = append(s.sql, "::text::int8, nullif((extract(epoch from pg_catalog.current_setting('"...)
	s.sql = append(s.sql, name...)
	s.sql = append(s.sql, "')::pg_catalog.interval) * 1000)::int8, 0))::text, true)"...)
}

// late makes err ErrDeadline where the deadline is what has ended the statement.
func (tx *Tx) late(err error) error {
	if err == nil || tx.Deadline.IsZero() || time.Until(tx.Deadline) > answerTime {
		return err
	}
	var answered *Error
	if errors.As(err, &answered) && answered.Code == "57014" || errors.Is(err, context.DeadlineExceeded) { // query_canceled
		return ErrDeadline
	}
	return err
}

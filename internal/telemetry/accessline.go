package telemetry

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Access is one line of the access log. Empty strings leave their key out.
type Access struct {
	Time   time.Time
	ID     string
	Method string
	// Path and Query are as the client sent them, percent-encoded. The values of the query
	// parameters apikey and access_token, which carry credentials, are not written.
	Path, Query string
	Status      int
	// Bytes of the body that were sent.
	Bytes     int64
	Took      time.Duration
	Remote    string
	UserAgent string
	Role      string
	Route     string
	// Code is the error code that the client got.
	Code string
	// Limit and LimitDryRun name the rate limits that have refused the request, or would have.
	Limit, LimitDryRun string
	// SQL of the request, for PostgREST's log-query.
	SQL string
	// TraceID is the hexadecimal id of the request's trace.
	TraceID string
	// Aborted says that the connection was cut before the answer was complete.
	Aborted bool
}

// appendJSON appends the line with its newline. It is written by hand because
// encoding/json would cost more than the rest of the log together.
func (a *Access) appendJSON(b []byte, omitQuery bool) []byte {
	b = append(b, `{"time":"`...)
	b = a.Time.UTC().AppendFormat(b, "2006-01-02T15:04:05.000000Z07:00")
	b = append(b, `","level":"`...)
	b = append(b, levelName(StatusLevel(a.Status))...)
	b = append(b, `","msg":"request"`...)
	b = appendField(b, "id", a.ID)
	b = appendField(b, "method", a.Method)
	b = appendField(b, "path", a.Path)
	if !omitQuery {
		b = appendQuery(b, a.Query)
	}
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(a.Status), 10)
	b = append(b, `,"bytes":`...)
	b = strconv.AppendInt(b, a.Bytes, 10)
	b = append(b, `,"duration_ms":`...)
	b = strconv.AppendFloat(b, float64(a.Took)/float64(time.Millisecond), 'f', 3, 64)
	b = appendField(b, "remote", a.Remote)
	b = appendField(b, "user_agent", a.UserAgent)
	b = appendField(b, "role", a.Role)
	b = appendField(b, "route", a.Route)
	b = appendField(b, "code", a.Code)
	b = appendField(b, "limit", a.Limit)
	b = appendField(b, "limit_dry_run", a.LimitDryRun)
	b = appendUpTo(b, "sql", a.SQL, longestSQL)
	b = appendField(b, "trace_id", a.TraceID)
	if a.Aborted {
		b = append(b, `,"aborted":true`...)
	}
	return append(b, "}\n"...)
}

// longest is how many bytes of a value are logged, so that hostile requests do not fill
// the disk faster than others. Statements are logged for debugging and may be longer.
const (
	longest    = 4 << 10
	longestSQL = 64 << 10
)

func appendField(b []byte, key, value string) []byte { return appendUpTo(b, key, value, longest) }

func appendUpTo(b []byte, key, value string, limit int) []byte {
	if value == "" {
		return b
	}
	b = append(b, ',', '"')
	b = append(b, key...)
	b = append(b, '"', ':', '"')
	b = appendEscaped(b, value[:min(len(value), limit)])
	return append(b, '"')
}

func appendQuery(b []byte, query string) []byte {
	if query == "" {
		return b
	}
	query = query[:min(len(query), longest)]
	b = append(b, `,"query":"`...)
	for {
		pair, rest, more := strings.Cut(query, "&")
		name, _, _ := strings.Cut(pair, "=")
		if strings.EqualFold(name, "apikey") || strings.EqualFold(name, "access_token") {
			b = appendEscaped(b, name)
			b = append(b, "=***"...)
		} else {
			b = appendEscaped(b, pair)
		}
		if !more {
			return append(b, '"')
		}
		b = append(b, '&')
		query = rest
	}
}

// appendEscaped escapes s for the inside of a JSON string; what is not UTF-8 becomes U+FFFD.
func appendEscaped(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(b, s[start:i]...)
				b = append(b, `\ufffd`...)
				start = i + 1
			}
			i += n
			continue
		}
		i++
		if c >= ' ' && c != '"' && c != '\\' && c != 0x7f {
			continue
		}
		b = append(b, s[start:i-1]...)
		start = i
		if c == '"' || c == '\\' {
			b = append(b, '\\', c)
		} else {
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(b, s[start:]...)
}

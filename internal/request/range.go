package request

import (
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/slipstream-go/slipstream/internal/apierr"
)

// span is a range of row numbers, both ends included; it is empty when last < first.
type span struct{ first, last int64 }

// allRows has no last row.
var allRows = span{0, math.MaxInt64}

func (s span) empty() bool { return s.last < s.first }

// limitZero tells limit=0, the one empty range that can be asked for.
func (s span) limitZero() bool { return s.last == -1 }

func (s span) intersect(o span) span {
	return span{max(s.first, o.first), min(s.last, o.last)}
}

// window converts a span; one without end has no limit.
func (s span) window() Window {
	w := Window{Limit: NoLimit, Offset: s.first}
	if s.last != math.MaxInt64 {
		w.Limit = s.last - s.first + 1
	}
	return w
}

// bounds are limit= and offset= of one level.
type bounds struct {
	key              string // path of the level, as written, with the dot
	limit, offset    int64
	limited, shifted bool // limit= and offset= are numbers
	both             bool // both were sent, numbers or not
	sent             parameterKind
}

// span is what PostgREST makes of limit= and offset=: what is not a number is
// ignored, but as a limit beside an offset it is 0.
func (b *bounds) span() span {
	s := allRows
	if b.shifted {
		s.first = b.offset
	}
	switch {
	case b.limited:
		s.last = s.first + b.limit - 1
	case b.both:
		s.last = s.first - 1
	}
	return s
}

// readWindows reads limit= and offset= of all levels; of several for one level, the last one counts.
func (p *queryParser) readWindows(params []parameter) *apierr.Error {
	p.window = allRows
	var buf [4]bounds
	levels := buf[:0]
	for i := range params {
		param := &params[i]
		if param.kind != limitParameter && param.kind != offsetParameter {
			continue
		}
		var b *bounds
		levels, b = levelOf(levels, param.key[:strings.LastIndexByte(param.key, '.')+1], param.kind)
		b.both = b.both || b.sent != param.kind
		if param.kind == limitParameter {
			b.limit, b.limited = readInteger(param.value)
		} else {
			b.offset, b.shifted = readInteger(param.value)
		}
	}
	for i := range levels {
		if err := p.addWindow(&levels[i]); err != nil {
			return err
		}
	}
	return nil
}

func levelOf(levels []bounds, key string, sent parameterKind) ([]bounds, *bounds) {
	for i := range levels {
		if levels[i].key == key {
			return levels, &levels[i]
		}
	}
	levels = append(levels, bounds{key: key, sent: sent})
	return levels, &levels[len(levels)-1]
}

func (p *queryParser) addWindow(b *bounds) *apierr.Error {
	s := b.span()
	if b.key == "" {
		p.window = s
		return nil
	}
	path, _, err := p.readKey(b.key + "limit")
	if err != nil {
		return err
	}
	if s == allRows {
		return nil
	}
	w := s.window()
	switch {
	case w.Offset < 0:
		return apierr.New("2201X", "OFFSET must not be negative")
	case s.last != math.MaxInt64 && w.Limit < 0:
		return apierr.New("2201W", "LIMIT must not be negative")
	}
	w.Path = path
	p.q.Windows = append(p.q.Windows, w)
	return nil
}

// readInteger reads an integer with blanks around it. It is cut off where the
// sum of two would leave 64 bits: no relation has that many rows.
func readInteger(s string) (n int64, ok bool) {
	s = strings.TrimFunc(s, isSpace)
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	n, _ = strconv.ParseInt(s, 10, 64) // out of range gives the nearest
	return min(max(n, math.MinInt64/2), math.MaxInt64/2), true
}

// setWindow intersects the query's window with the Range header of a GET (RFC 9110, section 14.2).
func (r *Request) setWindow(header http.Header, query span) *apierr.Error {
	asked := allRows
	if sent := header["Range"]; r.Method == "GET" && len(sent) > 0 {
		asked = parseRange(sent[0])
	}
	top := asked.intersect(query)
	switch {
	case query.limitZero():
		top = span{0, -1}
	case asked.empty():
		return notSatisfiable("The lower boundary must be lower than or equal to the upper boundary in the Range header.")
	case top.empty():
		return notSatisfiable("Limit should be greater than or equal to zero.")
	}
	if r.Method == "PUT" && top != allRows {
		return apierr.New("PGRST114", "limit/offset querystring parameters are not allowed for PUT")
	}
	r.Window = top.window()
	return nil
}

func notSatisfiable(details string) *apierr.Error {
	return &apierr.Error{Code: "PGRST103", Message: "Requested range not satisfiable", Details: details}
}

// parseRange reads first-last or first-; anything else, units included, asks for all rows.
func parseRange(s string) span {
	first, last, ok := strings.Cut(s, "-")
	if !ok || first == "" || strings.Trim(first+last, "0123456789") != "" {
		return allRows
	}
	asked := allRows
	asked.first, _ = readInteger(first)
	if last != "" {
		asked.last, _ = readInteger(last)
	}
	return asked
}

// Restrict lowers the limit to most rows, where that is positive (db-max-rows).
func (w Window) Restrict(most int64) Window {
	if most > 0 && (w.Limit == NoLimit || w.Limit > most) {
		w.Limit = most
	}
	return w
}

// All reports whether the window leaves nothing out.
func (w Window) All() bool { return w.Limit == NoLimit && w.Offset == 0 }

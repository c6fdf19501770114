package scenario

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// judge is a loadtest.Shape's Check; nil if nothing in particular is expected.
func (e Expect) judge() func(status int, body []byte) string {
	if len(e.Status) == 0 && e.Contains == "" && !e.JSON {
		return nil
	}
	contains := []byte(e.Contains)
	lacks := "body lacks " + strconv.Quote(short(e.Contains))
	return func(status int, body []byte) string {
		switch {
		case !e.right(status):
			return "status " + strconv.Itoa(status)
		case !bytes.Contains(body, contains):
			return lacks
		case e.JSON && !json.Valid(body):
			return "body is not JSON"
		}
		return ""
	}
}

func (e *Expect) right(status int) bool {
	if len(e.Status) == 0 {
		return status >= 200 && status <= 399
	}
	for _, s := range e.Status {
		if status >= s.From && status <= s.To {
			return true
		}
	}
	return false
}

// short cuts a text that goes into a table.
func short(s string) string {
	const most = 40
	runes := []rune(s)
	if len(runes) <= most {
		return s
	}
	return string(runes[:most]) + "…"
}

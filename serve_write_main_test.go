package slipstream_test

import (
	"net/http"
	"strings"
	"testing"
)

// writing is a request with a body, what its answer must be and what it must leave behind.
type writing struct {
	request string // such as "POST /item"
	send    []string
	body    string
	status  int
	answer  string // "*" is any
	headers []string
	left    string // what look gives then; empty is what it gave before
}

// none is what left is where look gives NULL: there are no rows.
const none = "none"

// writings sends requests that write. Before each of them reset runs as the superuser; look is the superuser's query
// for what is left.
func (s *site) writings(t *testing.T, reset, look string, list []writing) {
	t.Helper()
	for _, w := range list {
		t.Run(w.request+" "+strings.Join(w.send, " ")+" "+w.body, func(t *testing.T) {
			s.exec("set search_path to api, public;" + reset)
			before := s.look(look)
			method, path, _ := strings.Cut(w.request, " ")
			s.write(method, path, w.body, w.send...).check(t, w.status, w.answer, w.headers...)
			left := w.left
			if left == "" {
				left = before
			}
			if got := s.look(look); got != left {
				t.Errorf("it leaves\n%s\nwant\n%s", got, left)
			}
		})
	}
}

func (s *site) look(sql string) string {
	if left := s.value(sql); left != "" {
		return left
	}
	return none
}

// write sends a request with a body, as JSON unless a header says otherwise.
func (s *site) write(method, path, body string, headers ...string) answer {
	s.t.Helper()
	a, err := s.tryWrite(method, path, body, headers...)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// tryWrite is write where an error may be the answer.
func (s *site) tryWrite(method, path, body string, headers ...string) (answer, error) {
	r, err := http.NewRequest(method, "http://"+s.Addr()+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return s.roundTrip(r)
}

// grantSQL lets both roles write to every table that there is in the schema by then.
const grantSQL = `
	grant insert, update, delete on all tables in schema api to ANON, MEMBER;
	grant usage on all sequences in schema api to ANON, MEMBER;`

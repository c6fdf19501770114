package rest_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/rest"
)

// What a function leaves for its answer, by mistake for the whole session, is not for the answers to others.
func TestResponseSettingsOfTheSessionReachNobodyElse(t *testing.T) {
	a := newAPI(t, `create table one (n int);
		create function careless() returns void language sql volatile as $$
			select set_config('response.headers', '[{"Set-Cookie": "session=1"}]', false), set_config('response.status', '299', false) $$;`)
	w := httptest.NewRecorder()
	r := a.request(t, "POST", "/rpc/careless", "Content-Type: application/json")
	a.ServeHTTP(w, r)
	if w.Code != 299 || w.Header().Get("Set-Cookie") != "session=1" {
		t.Fatalf("the call itself: %d %v", w.Code, w.Header())
	}
	for _, accept := range []string{"application/json", "text/csv", "application/json"} {
		w := httptest.NewRecorder()
		a.ServeHTTP(w, a.request(t, "GET", "/one", "Accept: "+accept))
		if w.Code != 200 || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %v", accept, w.Code, w.Header())
		}
	}
}

// A body that says that it is too large is not read: a client that expects 100 is spared sending it.
func TestAnnouncedBodyThatIsTooLargeIsNotRead(t *testing.T) {
	a := newAPI(t, `create table one (n int);`, func(o *rest.Options) { o.MaxBody = 10 })
	r := a.request(t, "POST", "/one", "Content-Type: application/json")
	r.Body, r.ContentLength = unread{t}, 11
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	if w.Code != 413 || !strings.Contains(w.Body.String(), "SLIP104") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

type unread struct{ t *testing.T }

func (b unread) Read([]byte) (int, error) {
	b.t.Error("the body was read")
	return 0, errors.New("must not be read")
}

func (unread) Close() error { return nil }

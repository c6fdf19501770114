package apierr_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/slipstream-go/slipstream/internal/apierr"
)

func TestWrite(t *testing.T) {
	e := &apierr.Error{Code: "PGRST103", Message: `a "b" <c>`, Details: map[string]int{"n": 1}, Hint: "h", Header: http.Header{"Content-Range": {"*/5"}}}
	for _, c := range []struct {
		name      string
		head      bool
		verbosity apierr.Verbosity
		body      string
		length    string
	}{
		{"verbose", false, apierr.Verbose, `{"code":"PGRST103","details":{"n":1},"hint":"h","message":"a \"b\" <c>"}`, "72"},
		{"minimal", false, apierr.Minimal, `{"code":"PGRST103","message":"a \"b\" <c>"}`, "43"},
		{"head", true, apierr.Minimal, ``, "43"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			e.Write(w, c.head, c.verbosity)
			if w.Code != http.StatusRequestedRangeNotSatisfiable || w.Body.String() != c.body {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			for name, want := range map[string]string{
				"Content-Type": "application/json; charset=utf-8", "Content-Length": c.length,
				"Content-Range": "*/5", "Proxy-Status": "PostgREST; error=PGRST103",
			} {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestProxyStatusHoldsNoText(t *testing.T) {
	for code, want := range map[string]string{
		"42P01": "PostgREST; error=42P01", "": "PostgREST", "a b": "PostgREST", "a\r\nB: c": "PostgREST", `"`: "PostgREST", "ü": "PostgREST", ";x": "PostgREST",
	} {
		w := httptest.NewRecorder()
		(&apierr.Error{Code: code}).Write(w, false, apierr.Verbose)
		if got := w.Header().Get("Proxy-Status"); got != want {
			t.Errorf("%q: %q, want %q", code, got, want)
		}
	}
}

func TestDetailsThatCannotBeRendered(t *testing.T) {
	e := &apierr.Error{Code: "X", Details: func() {}}
	if got := string(e.JSON(apierr.Verbose)); got != `{"code":"SLIP500","details":null,"hint":null,"message":"the error could not be rendered"}` {
		t.Error(got)
	}
}

func TestFromFindsTheError(t *testing.T) {
	e := &apierr.Error{Code: "PGRST100", Message: "m", Cause: errors.New("why")}
	if apierr.From(fmt.Errorf("around: %w", e)) != e || apierr.From(errors.New("x")) != nil || !errors.Is(e, e.Cause) {
		t.Error("lost")
	}
	if got := e.Error(); got != "PGRST100: m: why" {
		t.Error(got)
	}
}

func TestStatusOf(t *testing.T) {
	for code, want := range map[string]int{
		"PGRST205": 404, "SLIP101": 431, "42501": 401, "23505": 409, "PT418": 418, "PT199": 500, "unknown": 500, "22P02": 400, "0A000": 400,
	} {
		if got := apierr.StatusOf(code, false); got != want {
			t.Errorf("%s: %d, want %d", code, got, want)
		}
	}
	if got := apierr.StatusOf("42501", true); got != 403 {
		t.Errorf("42501 with a token: %d", got)
	}
	if got := (&apierr.Error{Code: "42501", Status: 299}).HTTPStatus(); got != 299 {
		t.Errorf("own status: %d", got)
	}
}

package auth_test

import (
	"testing"

	"github.com/slipstream-go/slipstream/internal/auth"
)

func TestCallerInContext(t *testing.T) {
	if c := auth.CallerFrom(t.Context()); c != nil {
		t.Errorf("without one: %+v", c)
	}
	want := &auth.Caller{Role: "r"}
	if c := auth.CallerFrom(auth.WithCaller(t.Context(), want)); c != want {
		t.Errorf("%+v", c)
	}
}

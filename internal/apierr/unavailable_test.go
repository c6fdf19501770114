package apierr_test

import (
	"net/http/httptest"
	"testing"

	"github.com/slipstream-go/slipstream/internal/apierr"
)

func TestUnavailable(t *testing.T) {
	for code, want := range map[string]bool{
		"PGRST000": true, "PGRST001": true, "PGRST002": true, "PGRST003": true, "08006": true, "53300": true, "57P01": true, "57P03": true,
		"57014": false, "SLIP500": false, "SLIP105": false, "42501": false, "PGRST116": false, "P0001": false, "": false, "0800": false,
	} {
		w := httptest.NewRecorder()
		apierr.New(code, "x").Write(w, false, apierr.Verbose)
		if found := apierr.CodeIn(w.Header()); found != code || apierr.Unavailable(found) != want {
			t.Errorf("%q: %q, %v", code, found, apierr.Unavailable(found))
		}
	}
}

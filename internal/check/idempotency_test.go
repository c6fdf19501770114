package check_test

import (
	"testing"

	"github.com/slipstream-go/slipstream/internal/check"
	"github.com/slipstream-go/slipstream/internal/idemkey"
)

func TestIdempotencyKeys(t *testing.T) {
	f := newFixture(t)
	wantFinding(t, run(t, f.options), "idempotency keys", check.Warn, "not installed")
	if err := idemkey.Install(t.Context(), f.dsn, f.other); err != nil {
		t.Fatal(err)
	}
	wantFinding(t, run(t, f.options), "idempotency keys", check.Warn, "not installed") // for another role only
	if err := idemkey.Install(t.Context(), f.dsn, f.login); err != nil {
		t.Fatal(err)
	}
	wantFinding(t, run(t, f.options), "idempotency keys", check.OK, "installed")
}

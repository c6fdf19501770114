package check

import (
	"context"

	"github.com/slipstream-go/slipstream/internal/idemkey"
)

// idempotency looks for what the header Idempotency-Key needs.
func (i inspection) idempotency(ctx context.Context) error {
	installed, err := idemkey.Installed(ctx, i.db)
	if err != nil {
		return err
	}
	if installed {
		i.report.ok("idempotency keys", "installed")
		return nil
	}
	var user string
	if err := i.row(ctx, "select session_user::text", nil, &user); err != nil {
		return err
	}
	i.report.add(Finding{"idempotency keys", Warn, "not installed", "the header Idempotency-Key is ignored: a repeated write is done again",
		"slipstream idempotency install --db-uri <a superuser's> --for " + quote(user)})
	return nil
}

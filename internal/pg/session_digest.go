package pg

import (
	"context"
	"fmt"
)

// SessionDigest is a hash of what statements in a session depend on besides the database: the login role, and all settings
// that the session began with, whether they are the server's, the database's, the role's or the connection string's.
func SessionDigest(ctx context.Context, q Querier) (digest string, err error) {
	const sql = `
select encode(sha256(convert_to(current_user || ' ' || string_agg(name || '=' || setting, E'\n' order by name), 'UTF8')), 'hex')
from pg_catalog.pg_settings
where name <> 'application_name' and name !~ '^tcp_'`
	if err := scanOne(ctx, q, sql, &digest); err != nil {
		return "", fmt.Errorf("hash the session's settings: %w", err)
	}
	return digest, nil
}

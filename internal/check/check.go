package check

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pg"
)

// Options are the parts of the configuration that a database can fail to meet.
type Options struct {
	// DSN is the connection string of the authenticator.
	DSN string
	// Replicas are the connection strings of standbys to read from.
	Replicas []string
	// Schemas are the exposed schemas.
	Schemas []string
	// AnonRole is the role of requests without a token, or empty.
	AnonRole string
	// Tokens is true when tokens can be verified.
	Tokens bool
	// Pool is the most connections that the server would open, besides the listening one.
	Pool int
	// Cache is true where answers are to be cached. CacheModes are the ways to learn of changes that are wanted, the best first,
	// and CachedFor tells for how long answers of a relation are kept where changes are not learnt; nil is not at all.
	Cache      bool
	CacheModes []feed.Mode
	CachedFor  func(schema, relation string) time.Duration
	// CacheDSN is the connection string for learning of changes, and PreRequest the function that is called before every
	// statement, or empty, as it is where what that looks at is declared.
	CacheDSN   string
	PreRequest string
	// Called is the function that is called before every statement, declared or not, as [schema.]name, or empty. Without a schema
	// it is looked for in Schemas and SearchPath.
	Called     string
	SearchPath []string
	// StatementTimeout is the server's own bound; 0 is none.
	StatementTimeout time.Duration
	// Limits are the rate limits.
	Limits Limits
	// Overload says in sentences what bounds the server's work, as the configuration and the machine have it.
	Overload []string
}

// Database connects and answers all questions. Without a connection the report has that finding alone. An error means
// that a question could not be asked.
func Database(ctx context.Context, o Options) (Report, error) {
	var r Report
	conn, err := pg.Connect(ctx, o.DSN)
	if err != nil {
		r.add(Finding{"connection", Fail, strings.Join(strings.Fields(err.Error()), " "), "nothing can be served",
			"correct db-uri (or the PG* variables), and see that the server runs and admits this user from here"})
		return r, nil
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()

	i := inspection{options: o, db: conn, report: &r}
	for _, question := range []struct {
		about string
		ask   func(context.Context) error
	}{
		{"connection", i.connection},
		{"hosts", i.hosts},
		{"server version", i.version},
		{"authenticator", i.authenticator},
		{"anonymous role", i.anonRole},
		{"roles of tokens", i.tokenRoles},
		{"schemas", i.schemas},
		{"db-pre-request", i.preRequest},
		{"statement timeout", i.statementTimeout},
		{"connections", i.connections},
		{"logical replication", i.replication},
		{"extensions", i.extensions},
		{"idempotency keys", i.idempotency},
		{"replicas", i.replicas},
		{"cache", i.cache},
		{"rate limits", i.limits},
		{"overload", i.overload},
	} {
		if err := question.ask(ctx); err != nil {
			return r, fmt.Errorf("check %s: %w", question.about, err)
		}
	}
	return r, nil
}

// inspection is one run over one connection.
type inspection struct {
	options Options
	db      *pg.Conn
	report  *Report
}

// row reads the only row of a query.
func (i inspection) row(ctx context.Context, sql string, args []any, into ...any) error {
	return i.db.QueryRow(ctx, sql, args...).Scan(into...)
}

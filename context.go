package slipstream

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/internal/pg"
)

// Caller is the verified sender of a request.
type Caller struct {
	// Role is the database role that the request runs as.
	Role string
	// Claims is the JSON object that policies see as request.jwt.claims.
	Claims json.RawMessage
	// Subject is the sub claim, or empty.
	Subject string
	// Anonymous is true when no token was sent.
	Anonymous bool
}

// CallerFrom gives the caller of a request to a handler added with Handle; false outside of one.
func CallerFrom(ctx context.Context) (Caller, bool) {
	c := auth.CallerFrom(ctx)
	if c == nil {
		return Caller{}, false
	}
	return Caller{Role: c.Role, Claims: c.Claims, Subject: c.Subject, Anonymous: c.Anonymous}, true
}

// Tx is a database transaction: pgx's, so that everything that speaks pgx works in it.
type Tx = pg.PgxTx

// DB runs transactions as the caller of one request: under its role, with its claims, headers and path set as the
// data API sets them, so that row level security holds for Go handlers too.
type DB struct {
	server  *Server
	serving *serving
	request *http.Request
}

// TxMode is what a transaction may do.
type TxMode int

// The modes.
const (
	ReadOnly TxMode = iota
	ReadWrite
)

// Transaction runs f in a transaction and commits it when f returns nil.
func (db *DB) Transaction(ctx context.Context, mode TxMode, f func(Tx) error) error {
	tx, err := db.serving.data.Tx(db.request)
	if err != nil {
		return err
	}
	tx.ReadWrite = mode == ReadWrite
	err = db.server.db.Transact(ctx, tx, f)
	if k := db.server.caching; k != nil && tx.ReadWrite {
		k.wroteTo() // what it has written, f alone knows; and after some errors, not even whether
	}
	return err
}

type dbKey struct{}

func withDB(ctx context.Context, db *DB) context.Context { return context.WithValue(ctx, dbKey{}, db) }

// DBFrom gives a handler added with Handle the database as its caller; nil outside of one.
func DBFrom(ctx context.Context) *DB {
	db, _ := ctx.Value(dbKey{}).(*DB)
	return db
}

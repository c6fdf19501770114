package pg

import (
	"context"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// connections are those of a pool.
type connections struct {
	mu  sync.Mutex
	all map[*pgconn.PgConn]struct{}
}

func (c *connections) add(conn *pgconn.PgConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[*pgconn.PgConn]struct{}{}
	}
	c.all[conn] = struct{}{}
}

func (c *connections) remove(conn *pgconn.PgConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.all, conn)
}

// cut breaks all of them, those in use, too: who uses one finds out at once, where a server that has gone silent would
// keep him waiting.
func (c *connections) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.all {
		_ = conn.Conn().Close()
	}
}

// admitOnly has a new connection's server be looked at before the connection is used.
func (db *DB) admitOnly(c *pgx.ConnConfig) {
	wanted := c.ValidateConnect
	if db.lookout.chooses() {
		wanted = nil
	}
	c.ValidateConnect = func(ctx context.Context, conn *pgconn.PgConn) (err error) {
		if wanted != nil {
			if err := wanted(ctx, conn); err != nil {
				return err
			}
		}
		var server identity
		if db.options.Standby {
			err = db.related(ctx, conn)
		} else {
			server, err = db.lookout.admit(ctx, conn)
		}
		if err != nil {
			return err
		}
		conn.CustomData()[sessionKey] = newSession(db.generation.Load(), server)
		return nil
	}
}

// switched is called by the lookout, before anybody uses the primary.
func (db *DB) switched(p Primary) {
	db.Renew()
	db.open.cut()
	db.gate.opened()
	if db.options.Switched != nil {
		db.options.Switched(p)
	}
}

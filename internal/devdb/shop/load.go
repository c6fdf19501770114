package shop

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"github.com/slipstream-go/slipstream/internal/pg"
)

// What the rest of the program needs to know of the sample.
const (
	Schema            = "shop"
	AnonRole          = "shop_anon"
	CustomerRole      = "shop_customer"
	AuthenticatorRole = "shop_authenticator"
	// CustomerClaim is the claim of a token that says which customer asks.
	CustomerClaim = "customer_id"
)

// CreateDatabase makes the database for the sample unless it is there; dsn leads its superuser to another database of
// the server.
func CreateDatabase(ctx context.Context, dsn, name string) error {
	if err := pg.CreateDatabase(ctx, dsn, name); err != nil {
		return fmt.Errorf("create the database of the sample shop: %w", err)
	}
	return nil
}

// Progress is told how far a load is: done of total, in units of work, and what
// is being done. Calls come one at a time, from several goroutines.
type Progress func(done, total int64, step string)

// Load makes the schema and all rows in the database, whose superuser dsn
// names. Where they are complete it does nothing; what an interrupted load left
// is deleted first. report may be nil.
func Load(ctx context.Context, dsn string, report Progress) error {
	return LoadScale(ctx, dsn, 1, report)
}

// LoadScale is Load with a part of the rows: 0.01 gives 1,000 products and
// 3,000 orders.
func LoadScale(ctx context.Context, dsn string, scale float64, report Progress) error {
	err := load(ctx, dsn, scale, report)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx) // rather than the server's "canceling statement"
	}
	if err != nil {
		return fmt.Errorf("load the sample shop: %w", err)
	}
	return nil
}

// Loaded tells whether the database has the complete sample.
func Loaded(ctx context.Context, dsn string) (bool, error) {
	conn, err := pg.Connect(ctx, dsn)
	if err != nil {
		return false, fmt.Errorf("look for the sample shop: %w", err)
	}
	defer closeConn(ctx, conn)
	complete, err := isComplete(ctx, conn)
	if err != nil {
		return false, fmt.Errorf("look for the sample shop: %w", err)
	}
	return complete, nil
}

// lockKey is the advisory lock that keeps two loads of one database apart.
const lockKey = 0x736c_7368_6f70

func load(ctx context.Context, dsn string, scale float64, report Progress) error {
	conn, err := connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer closeConn(ctx, conn) // and with it the lock
	if _, err := conn.Exec(ctx, "select pg_advisory_lock($1)", lockKey); err != nil {
		return err
	}
	complete, err := isComplete(ctx, conn)
	if err != nil || complete {
		return err
	}
	if err := sweep(ctx, conn); err != nil {
		return err
	}
	crew := []*pg.Conn{conn}
	for range min(runtime.GOMAXPROCS(0), maxWorkers) - 1 {
		helper, err := connect(ctx, dsn)
		if err != nil {
			return err
		}
		defer closeConn(ctx, helper)
		crew = append(crew, helper)
	}
	return newLoader(crew, scale, report).run(ctx)
}

// maxWorkers bounds the connections that load at once: beyond, they would wait
// for each other's locks more than they work.
const maxWorkers = 4

// connect opens a connection with settings for mass work. A crash may lose the
// last moments of a load, but never their order: the mark of completion is last.
func connect(ctx context.Context, dsn string) (*pg.Conn, error) {
	conn, err := pg.Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	err = exec(ctx, conn, `set synchronous_commit = off; set work_mem = '128MB'; set maintenance_work_mem = '256MB';
		set client_min_messages = warning`)
	if err != nil {
		closeConn(ctx, conn)
		return nil, err
	}
	return conn, nil
}

func closeConn(ctx context.Context, conn *pg.Conn) { _ = conn.Close(context.WithoutCancel(ctx)) }

// exec runs a script in one transaction.
func exec(ctx context.Context, conn *pg.Conn, script string) error {
	_, err := conn.PgConn().Exec(ctx, script).ReadAll()
	return err
}

// isComplete looks for the mark that a load sets at its end.
func isComplete(ctx context.Context, conn *pg.Conn) (complete bool, err error) {
	var begun bool
	err = conn.QueryRow(ctx, "select to_regclass('shop_private.load') is not null").Scan(&begun)
	if err != nil || !begun {
		return false, err
	}
	err = conn.QueryRow(ctx, "select exists (select from shop_private.load)").Scan(&complete)
	return complete, err
}

// sweep deletes what an interrupted load left. A schema that no load made is
// somebody's own: it is an error.
func sweep(ctx context.Context, conn *pg.Conn) error {
	var foreign bool
	err := conn.QueryRow(ctx, `select to_regnamespace('shop') is not null and to_regclass('shop_private.load') is null`).Scan(&foreign)
	if err != nil {
		return err
	}
	if foreign {
		return fmt.Errorf("the database has a schema %q already, which is not the sample's", Schema)
	}
	return exec(ctx, conn, `drop schema if exists shop, shop_private, shop_load cascade`)
}

// loader runs the steps of a load and counts their work.
type loader struct {
	crew   []*pg.Conn
	steps  []step
	report Progress
	total  int64

	mu   sync.Mutex
	done int64
}

func newLoader(crew []*pg.Conn, scale float64, report Progress) *loader {
	if report == nil {
		report = func(int64, int64, string) {}
	}
	l := &loader{crew: crew, steps: plan(sizesAt(scale)), report: report}
	for _, s := range l.steps {
		for _, t := range s.tasks {
			l.total += t.cost
		}
	}
	return l
}

func (l *loader) run(ctx context.Context) error {
	for _, s := range l.steps {
		l.finish(s.name, 0)
		if err := l.runStep(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// runStep shares the tasks out to the connections. The first error ends all.
func (l *loader) runStep(ctx context.Context, s step) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	tasks := make(chan task, len(s.tasks))
	for _, t := range s.tasks {
		tasks <- t
	}
	close(tasks)
	var workers sync.WaitGroup
	for _, conn := range l.crew {
		workers.Go(func() {
			for t := range tasks {
				if ctx.Err() != nil {
					return
				}
				if err := t.run(ctx, conn); err != nil {
					cancel(err)
					return
				}
				l.finish(s.name, t.cost)
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

func (l *loader) finish(step string, cost int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done += cost
	l.report(l.done, l.total, step)
}

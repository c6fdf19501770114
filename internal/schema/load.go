package schema

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/slipstream-go/slipstream/internal/pg"
)

// Options say what Load reads.
type Options struct {
	// Schemas are the exposed schemas (db-schemas): only their relations and functions can be requested.
	// One that does not exist is simply empty.
	Schemas []string
	// ExtraSearchPath (db-extra-search-path) names schemas whose views are followed when an exposed view is made of them.
	ExtraSearchPath []string
	// HoistedSettings (db-hoisted-tx-settings) are the names of function settings that apply to the whole transaction.
	HoistedSettings []string
	// Inputs are relations of any schema whose Reach is wanted.
	Inputs []Name
	// Generation is copied to the snapshot.
	Generation uint64
}

// ErrNoTransaction is returned by Load when the Querier does not keep a
// transaction's settings from one query to the next.
var ErrNoTransaction = errors.New("the catalog must be read in a transaction")

// Load reads the catalog.
//
// q must run every query in the same transaction, best a REPEATABLE READ, READ
// ONLY one, so that all queries see one moment: Load empties the transaction's
// search_path, without which type names come back unqualified. A DDL statement
// that commits meanwhile can still make the server's own catalog functions fail
// ("cache lookup failed"); the caller tries again.
func Load(ctx context.Context, q pg.Querier, o Options) (*Snapshot, error) {
	s := &Snapshot{Generation: o.Generation, LoadedAt: time.Now()}
	var err error
	if s.Version, err = prepare(ctx, q); err != nil {
		return nil, fmt.Errorf("prepare the session: %w", err)
	}
	l := &loader{options: o, snapshot: s}
	steps := []struct {
		what string
		run  func(context.Context, pg.Querier) error
	}{
		{"relations", l.relations},
		{"columns", l.columns},
		{"keys", l.keys},
		{"indexes", l.readIndexes},
		{"foreign keys", l.foreignKeys},
		{"views", l.views},
		{"computed relationships", l.computedRelationships},
		{"functions", l.functions},
		{"computed fields", l.computedFields},
		{"inputs", l.readInputs},
		{"what is behind relations and functions", l.readReach},
		{"representations", l.representations},
		{"media handlers", l.mediaHandlers},
	}
	for _, step := range steps {
		if err := step.run(ctx, q); err != nil {
			return nil, fmt.Errorf("read %s: %w", step.what, err)
		}
	}
	l.finish()
	return s, nil
}

// loader holds what the queries bring until the snapshot is made of it.
type loader struct {
	options  Options
	snapshot *Snapshot

	byOID    map[uint32]*Relation
	primary  []keySide             // the primary keys of all schemas
	uniques  map[uint32][]tableKey // primary keys and unique constraints by table
	indexes  []tableIndex          // of all schemas
	foreign  []foreignKey
	viewDeps *viewDependencies
	computed []*Relationship
	inputs   map[Name]uint32
	graph    reachGraph
	enums    map[uint32][]string // labels by type
	texts    map[string]string
}

func (l *loader) finish() {
	l.setViewPrimaryKeys()
	l.setIndexes()
	l.setReach()
	l.setInputs()
	l.snapshot.Relationships = l.relationships()
}

// intern keeps one copy of a text that thousands of columns share.
func (l *loader) intern(s string) string {
	if l.texts == nil {
		l.texts = make(map[string]string)
	}
	if t, ok := l.texts[s]; ok {
		return t
	}
	l.texts[s] = s
	return s
}

func (l *loader) exposes(n Name) bool {
	for _, s := range l.options.Schemas {
		if s == n.Schema {
			return true
		}
	}
	return false
}

// prepare empties the search path, which makes format_type and regproc qualify
// every name outside pg_catalog, and turns off the just-in-time compiler, which
// takes longer than these queries. Both end with the transaction.
func prepare(ctx context.Context, q pg.Querier) (version int, err error) {
	const set = `select set_config('search_path', '', true), set_config('jit', 'off', true)`
	if err := each(ctx, q, set, nil, func(pg.Rows) error { return nil }); err != nil {
		return 0, err
	}
	var path string
	const get = `select current_setting('search_path'), current_setting('server_version_num')::int`
	err = each(ctx, q, get, nil, func(r pg.Rows) error { return r.Scan(&path, &version) })
	if err == nil && path != "" {
		err = ErrNoTransaction
	}
	return version, err
}

// each calls row for every row that sql gives.
func each(ctx context.Context, q pg.Querier, sql string, args []any, row func(pg.Rows) error) error {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

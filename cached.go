package slipstream

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/slipstream-go/slipstream/cache"
	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/schema"
	"github.com/slipstream-go/slipstream/internal/writetoken"
)

// Scope says who may be given a value that was made for one caller.
type Scope int

// The scopes. What was read with DBFrom as the caller, under row level security, is PerCaller unless it is certain that
// others see the same.
const (
	PerCaller Scope = iota // callers with the same role and the same claims
	PerRole                // callers with the same role
	ForAll
)

// Cached returns a value for a handler that was added with Handle, out of the cache of the data API or from load, which
// says what the value depends on: the value is kept until that changes in the database, whoever changes it. Concurrent
// callers share one load. Values are shared, so they must not be changed; errors are not kept. Without a cache, or outside
// of a handler, it is load.
//
// load must read what it needs after it was called, and from the database of the server.
func Cached[T any](ctx context.Context, scope Scope, key string, load func(context.Context, *Dependencies) (T, error)) (T, error) {
	db := DBFrom(ctx)
	if db == nil || db.server.caching == nil || db.pastCache(ctx) {
		return load(ctx, &Dependencies{})
	}
	return cache.GetOrLoad(ctx, db.server.caching.cache, db.serving.key(scope.key(ctx, key)), func(ctx context.Context, f *cache.Fill) (T, error) {
		d := &Dependencies{server: db.server, cached: true}
		v, err := load(ctx, d)
		if err == nil && d.err != nil {
			err = d.err
		}
		if err == nil && !d.unknown {
			f.Watch(d.watches...)
			if d.ttl > 0 {
				f.Limit(d.ttl)
			}
		}
		return v, err
	})
}

// pastCache reports whether the request brings the token of a write that the cache may not have heard of.
func (db *DB) pastCache(ctx context.Context) bool {
	tokens, ok := db.request.Header[writetoken.Header]
	return ok && db.serving.tokenKey != nil && db.server.caching.behind(ctx, db.serving.tokenKey, tokens) != ""
}

// key keeps what was made under different configurations apart.
func (v *serving) key(key string) string { return strconv.FormatUint(v.generation, 10) + " " + key }

// key keeps the scopes, and what is in them, apart.
func (s Scope) key(ctx context.Context, key string) string {
	caller := auth.CallerFrom(ctx)
	switch s {
	case ForAll:
		return fmt.Sprintf("a %q", key)
	case PerRole:
		return fmt.Sprintf("r %q %q", caller.Role, key)
	}
	return fmt.Sprintf("c %q %q %q", caller.Role, caller.Claims, key)
}

// Dependencies are what a value of Cached depends on. A value without any is not kept.
type Dependencies struct {
	server  *Server
	cached  bool // there is a cache
	watches []cache.Watch
	ttl     time.Duration
	unknown bool // changes of something are not told
	err     error
}

// Table makes the value depend on all rows of a relation, given as schema.name or as a name in the first of db-schemas. A
// view stands for the tables that it is made of.
func (d *Dependencies) Table(relation string) {
	if r := d.relation(relation); r != nil {
		d.all(r)
	}
}

// Row makes the value depend on the rows of a relation in which a column has one of the values: those that are there, and
// those that will be. Columns whose values can be written in several ways, views, and values that do not look like what
// PostgreSQL would print, such as pointers and slices, stand for the whole relation.
func (d *Dependencies) Row(relation, column string, values ...any) {
	r := d.relation(relation)
	if r == nil {
		return
	}
	c, ok := r.Column(column)
	if !ok {
		d.fail("%q has no column %q", relation, column)
		return
	}
	if !r.Reach.Single || !exactTypes[c.Type] || c.Loose {
		d.all(r)
		return
	}
	texts := make([]string, len(values))
	for i, v := range values {
		if texts[i], ok = exactText(c.Type, v); !ok {
			d.all(r)
			return
		}
	}
	d.known(r.OID)
	d.watches = append(d.watches, cache.Table(r.OID).Where(cache.Column(c.Number), texts...))
}

// For keeps the value no longer than a time, whatever changes.
func (d *Dependencies) For(ttl time.Duration) { d.ttl = ttl }

// exactTypes have one text for each value.
var exactTypes = map[string]bool{
	"smallint": true, "integer": true, "bigint": true, "uuid": true, "text": true, "character varying": true,
}

// exactText is the text that PostgreSQL has for a value of one of the exactTypes, if that is certain.
func exactText(typ string, v any) (text string, ok bool) {
	text = fmt.Sprint(v)
	switch typ {
	case "uuid":
		return plan.Canonical(plan.UUID, strings.ToLower(text))
	case "smallint", "integer", "bigint":
		return plan.Canonical(plan.Integer, text)
	}
	s := reflect.ValueOf(v)
	return text, s.Kind() == reflect.String && s.String() == text
}

func (d *Dependencies) all(r *schema.Relation) {
	if r.Reach.Opaque != "" {
		d.unknown = true
	}
	for _, oid := range r.Reach.Tables {
		d.known(oid)
		d.watches = append(d.watches, cache.Table(oid).Any())
	}
}

func (d *Dependencies) known(oid uint32) {
	d.unknown = d.unknown || !d.server.caching.Published(oid)
}

func (d *Dependencies) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("dependencies of a cached value: "+format, args...)
	}
}

// relation finds a relation of the exposed schemas; nil where there is no cache, or no such relation.
func (d *Dependencies) relation(name string) *schema.Relation {
	if !d.cached {
		return nil
	}
	n := qualified(name)
	if n.Schema == "" {
		n.Schema = d.server.current.Load().config.DBSchemas[0]
	}
	r := d.server.catalog.Load().Schema.Relations[n]
	if r == nil {
		d.fail("there is no relation %q in the exposed schemas", name)
	}
	return r
}

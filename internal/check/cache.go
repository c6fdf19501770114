package check

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// cache tells whether answers can be kept until what they show changes, and of which relations.
func (i inspection) cache(ctx context.Context) error {
	const cost = "every read asks the database"
	switch {
	case !i.options.Cache:
		i.report.ok("cache", "off by cache-mode")
		return nil
	case i.options.PreRequest != "":
		i.report.add(Finding{"cache", Warn, "db-pre-request is set: what the function does, the cache cannot know", cost, "say in db-pre-request-reads what it looks at, or do without it"})
		return nil
	}
	if len(i.options.CacheModes) == 0 {
		i.report.ok("cache", "answers are kept for a time: cache-mode is ttl; for exact ones set it to auto and run slipstream cache install")
		return i.cachedRelations(ctx, "", nil)
	}
	mode, problems, err := i.cacheMode(ctx)
	if err != nil {
		i.report.add(Finding{"cache", Warn, strings.Join(strings.Fields(pg.HideDSN(err).Error()), " "), cost, "correct cache-db-uri"})
		return nil
	}
	var published map[uint32]feed.Table
	switch mode {
	case feed.WAL:
		i.report.ok("cache", "changes are told by the write-ahead log")
	case feed.Notify:
		i.report.ok("cache", "the tables that are written to are told by triggers: %s", mode.Hint())
	default:
		var found, fix []string
		for _, p := range problems {
			found, fix = append(found, p.What), append(fix, p.Remedy)
		}
		i.report.add(Finding{"cache", Warn, strings.Join(found, "; "), cost, strings.Join(slices.Compact(fix), "; ")})
	}
	if mode != "" {
		if published, err = feed.Published(ctx, i.options.CacheDSN, mode); err != nil {
			return err
		}
	}
	return i.cachedRelations(ctx, mode, published)
}

// cacheMode finds the first mode that nothing keeps a server from, or what does from the first of all.
func (i inspection) cacheMode(ctx context.Context) (feed.Mode, []feed.Problem, error) {
	var first []feed.Problem
	for _, mode := range i.options.CacheModes {
		problems, err := feed.Preflight(ctx, i.options.CacheDSN, mode)
		if err != nil || len(problems) == 0 {
			return mode, nil, err
		}
		if first == nil {
			first = problems
		}
	}
	return "", first, nil
}

// cachedRelations sorts the exposed relations by how their answers are kept. mode is empty where nothing tells of changes;
// published is nil where it is not known which tables are.
func (i inspection) cachedRelations(ctx context.Context, mode feed.Mode, published map[uint32]feed.Table) error {
	tx, err := i.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }() // it only reads
	snapshot, err := schema.Load(ctx, tx, schema.Options{Schemas: i.options.Schemas})
	if err != nil {
		return err
	}
	var rows, tables, limited []string
	not := map[string][]string{} // by reason
	for name, r := range snapshot.Relations {
		full := name.Schema + "." + name.Name
		switch because := i.notKept(r, mode, published); {
		case because != "" && r.Reach.Personal == "" && i.cachedFor(name) > 0:
			limited = append(limited, full)
		case because != "":
			not[because] = append(not[because], full)
		case mode != feed.Notify && plan.KeptByRows(r):
			rows = append(rows, full)
		default:
			tables = append(tables, full)
		}
	}
	if len(rows) > 0 {
		i.report.ok("kept until a row changes", "%s", enumerate(rows))
	}
	if len(tables) > 0 {
		i.report.ok("kept until a table changes", "%s", enumerate(tables))
	}
	if len(limited) > 0 {
		i.report.ok("kept for cache-ttl", "%s", enumerate(limited))
	}
	for _, because := range slices.Sorted(maps.Keys(not)) {
		i.report.add(Finding{"not kept", Warn, enumerate(not[because]) + ": " + because, "reads of it ask the database each time",
			"see docs/how-to/cache-answers.md"})
	}
	return nil
}

func (i inspection) cachedFor(n schema.Name) time.Duration {
	if i.options.CachedFor == nil {
		return 0
	}
	return i.options.CachedFor(n.Schema, n.Name)
}

// notKept says why answers of a relation are not kept, or nothing.
func (i inspection) notKept(r *schema.Relation, mode feed.Mode, published map[uint32]feed.Table) string {
	switch {
	case mode == "" && r.Reach.Personal == "":
		return "has no cache: ttl, and nothing tells of its changes"
	case r.Reach.Opaque != "":
		return r.Reach.Opaque
	case published == nil:
		return ""
	}
	for _, table := range r.Reach.Tables {
		if _, ok := published[table]; !ok {
			return "depends on a table whose changes are not told: without a primary key or replica identity, or not of the schemas of cache install"
		}
	}
	return ""
}

// enumerate lists names, if they are not too many.
func enumerate(names []string) string {
	const most = 20
	slices.Sort(names)
	text := strings.Join(names[:min(len(names), most)], ", ")
	if more := len(names) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

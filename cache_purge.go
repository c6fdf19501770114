package slipstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/slipstream-go/slipstream/cache"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// CachePurge says which answers to drop. Set All, Table or Tag.
type CachePurge struct {
	// All drops everything.
	All bool `json:"all,omitempty"`
	// Table, as schema.name, drops what depends on it in any way. A partitioned table stands for its partitions, a view for
	// all that is behind it.
	Table string `json:"table,omitempty"`
	// Key are columns of Table, such as its primary key: only what depends on rows with these values is dropped.
	Key map[string]any `json:"key,omitempty"`
	// Tag is that of the option cache-tags. Tags are the names of relations, so it is the same as Table.
	Tag string `json:"tag,omitempty"`
}

func (p CachePurge) check() error {
	given := 0
	for _, is := range []bool{p.All, p.Table != "", p.Tag != ""} {
		if is {
			given++
		}
	}
	switch {
	case given != 1:
		return errAdmin("It is not clear what to drop", `Give one of "all", "table" and "tag"`)
	case len(p.Key) > 0 && p.Table == "":
		return errAdmin("There is a key, but no table", `Give "table", too`)
	}
	return nil
}

// PurgeCache drops answers that are kept, here and in all servers on this database that listen on db-channel. Changes in the
// database do so by themselves; this is for what they do not tell. What is wrong with p is an error that a client can be
// told. After any other error, what was dropped here may still be kept elsewhere.
func (s *Server) PurgeCache(ctx context.Context, p CachePurge) error {
	order, err := purgeOrder{p, s.name}.String()
	if err != nil {
		return err
	}
	if err := s.purge(ctx, p); err != nil {
		return err
	}
	cfg := s.current.Load().config
	if cfg.DisableChannel {
		return nil
	}
	err = s.db.Catalog(ctx, func(q pg.Querier) error {
		var sent int
		return one(ctx, q, "select 1 from pg_notify($1, $2)", []any{cfg.DBChannel, order}, &sent)
	})
	if err != nil {
		return fmt.Errorf("tell the other servers of the purge: %w", err)
	}
	return nil
}

// purgeOrder is a notification that has other servers purge.
type purgeOrder struct {
	CachePurge
	// From is the server that has done it already; empty where a program in the database orders it.
	From string `json:"from,omitempty"`
}

// purgeWords begin the notification. JSON follows.
const purgeWords = "purge cache "

func (o purgeOrder) String() (string, error) {
	const most = 7999 // bytes of a notification
	text, err := json.Marshal(o)
	if err != nil || len(purgeWords)+len(text) > most {
		return "", errAdmin("The key cannot be sent to the other servers", "Give texts, numbers, true, false or null, of 7 kB together")
	}
	return purgeWords + string(text), nil
}

// purgeOrdered follows the JSON of an order. Where it cannot be known what is to be dropped, that is all.
func (s *Server) purgeOrdered(ctx context.Context, text string) {
	if s.caching == nil {
		return
	}
	var o purgeOrder
	err := decodeOne(strings.NewReader(text), &o)
	switch {
	case err == nil && o.From == s.name:
		return
	case err == nil:
		err = s.purge(ctx, o.CachePurge)
	}
	if err != nil {
		s.log.WarnContext(ctx, "the whole cache is purged, as an order to purge could not be followed", "order", text, "error", err)
		s.caching.cache.PurgeAll()
	}
}

// purge drops answers that are kept here, and by caches on the way.
func (s *Server) purge(ctx context.Context, p CachePurge) error {
	if err := p.check(); err != nil {
		return err
	}
	if s.caching == nil {
		return errAdmin("There is no cache: cache-mode is off", "Set cache-mode to auto, wal or ttl")
	}
	c := s.caching.cache
	if p.All {
		c.PurgeAll()
		s.caching.purging.all()
		return nil
	}
	return s.db.Catalog(ctx, func(q pg.Querier) error {
		tables, err := s.tablesBehind(ctx, q, p.Table+p.Tag)
		if err != nil {
			return err
		}
		if len(p.Key) > 0 {
			err = purgeRow(ctx, q, c, tables, p)
		} else {
			for _, t := range tables {
				c.PurgeTable(cache.Table(t))
			}
		}
		for _, t := range tables {
			s.caching.purging.changed(t)
		}
		return err
	})
}

// tablesSQL finds a table and its partitions.
const tablesSQL = `
with recursive found as (
	select c.oid from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
	where n.nspname || '.' || c.relname = $1 and c.relkind in ('r', 'p')
	union
	select i.inhrelid from pg_catalog.pg_inherits i join found f on i.inhparent = f.oid)
select array_agg(oid) from found`

// tablesBehind are the OIDs of the tables that a name stands for.
func (s *Server) tablesBehind(ctx context.Context, q pg.Querier, name string) ([]uint32, error) {
	if catalog := s.catalog.Load(); catalog != nil {
		for n, r := range catalog.Schema.Relations {
			if r.Kind != schema.Table && r.Kind != schema.Partitioned && n.Schema+"."+n.Name == name {
				return r.Reach.Definitions.Relations, nil
			}
		}
	}
	var tables []uint32
	if err := one(ctx, q, tablesSQL, []any{name}, &tables); err != nil {
		return nil, fmt.Errorf("look for the table: %w", err)
	}
	if len(tables) == 0 {
		return nil, errAdmin("There is no table "+name, "Write it as schema.name, without quotes")
	}
	return tables, nil
}

// keyColumnsSQL has a row for each column of the key in each of the tables. Values are cast to the column's type and back, as
// the log has them as the type's output.
const keyColumnsSQL = `
select a.attrelid, a.attname::text, a.attnum, format_type(a.atttypid, null)
from pg_catalog.pg_attribute a
where a.attrelid = any ($1) and a.attname = any ($2) and a.attnum > 0 and not a.attisdropped`

type keyColumn struct {
	table    uint32
	name     string
	number   int16
	typeName string
}

func purgeRow(ctx context.Context, q pg.Querier, c *cache.Cache, tables []uint32, p CachePurge) error {
	texts, err := p.texts()
	if err != nil {
		return err
	}
	columns, err := keyColumns(ctx, q, tables, texts)
	if err != nil {
		return fmt.Errorf("look for the key: %w", err)
	}
	rows := make(map[uint32]cache.Row, len(tables))
	for _, k := range columns {
		datum := cache.Datum{State: cache.Null}
		if text := texts[k.name]; text != nil {
			var canonical string
			if err := one(ctx, q, `select $1::text::`+k.typeName+`::text`, []any{*text}, &canonical); err != nil {
				return errAdmin("The key's "+k.name+" is no "+k.typeName, "Correct its value")
			}
			datum = cache.DatumOf(canonical)
		}
		row := rows[k.table]
		row = append(row, make(cache.Row, max(0, int(k.number)-len(row)))...)
		row[k.number-1] = datum
		rows[k.table] = row
	}
	if len(columns) != len(tables)*len(texts) {
		return errAdmin("The key has a column that "+p.Table+" has not", "Name columns of the table")
	}
	for table, row := range rows {
		c.PurgeRow(cache.Table(table), row)
	}
	return nil
}

// texts are the key's values; nil stands for null.
func (p CachePurge) texts() (map[string]*string, error) {
	texts := make(map[string]*string, len(p.Key))
	for name, v := range p.Key {
		switch v := v.(type) {
		case nil:
			texts[name] = nil
		case string:
			texts[name] = &v
		case json.Number, float64, int, int64, bool:
			text := fmt.Sprint(v)
			texts[name] = &text
		default:
			return nil, errAdmin("The key's "+name+" is neither text nor number", "Give a text, a number, true, false or null")
		}
	}
	return texts, nil
}

func keyColumns(ctx context.Context, q pg.Querier, tables []uint32, texts map[string]*string) ([]keyColumn, error) {
	// Times are in the log as UTC, in ISO style.
	var set []string
	err := one(ctx, q, `select array[set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO', true)]`, nil, &set)
	if err != nil {
		return nil, err
	}
	rows, err := q.Query(ctx, keyColumnsSQL, tables, sortedKeys(texts))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var columns []keyColumn
	for rows.Next() {
		var k keyColumn
		if err := rows.Scan(&k.table, &k.name, &k.number, &k.typeName); err != nil {
			return nil, err
		}
		columns = append(columns, k)
	}
	return columns, rows.Err()
}

// one reads the only row of a query.
func one(ctx context.Context, q pg.Querier, sql string, args []any, into any) error {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return err
		}
		return errors.New("no row")
	}
	if err := rows.Scan(into); err != nil {
		return err
	}
	rows.Close()
	return rows.Err()
}

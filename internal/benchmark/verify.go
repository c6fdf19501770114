package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"strings"
)

// samples is how many keys of each scenario are compared.
const samples = 8

// verify makes sure, before anything is measured, that a scenario's two sides do the same: that Slipstream sends the
// database the very statement that pgbench runs, and that pgbench's answers have the same body.
func (r *run) verify(ctx context.Context, sc scenario, ref reference, keys keyRange) error {
	if sc.writes() {
		return r.verifyWrite(ctx, sc, ref, keys)
	}
	var script pgbenchScript
	rows := false
	for _, key := range keys.sample(samples) {
		a, err := r.server.ask(ctx, sc, key)
		if err != nil {
			return err
		}
		rows = rows || !bytes.Equal(a.body, []byte("[]"))
		script.text += fmt.Sprintf("\\set key %d\n", key)
		if err := script.transaction(ref.settings, expect(ref.main, a)); err != nil {
			return err
		}
	}
	if !rows {
		return fmt.Errorf("%s: none of the sampled answers has a row", sc.name)
	}
	same, err := r.bed.runsStatement(ctx, ref.main.sql)
	if err != nil {
		return err
	}
	if !same {
		return fmt.Errorf("%s: Slipstream runs another statement than %s", sc.name, ref.main.sql)
	}
	_, err = r.pgbench.run(ctx, script, "-c", "1", "-t", "1")
	if err != nil && strings.Contains(err.Error(), "division by zero") {
		return errors.Join(fmt.Errorf("%s: pgbench's and Slipstream's answers differ", sc.name), err)
	}
	return err
}

// verifyWrite makes sure that both sides of a scenario write as many rows.
func (r *run) verifyWrite(ctx context.Context, sc scenario, ref reference, keys keyRange) error {
	script, err := ref.script(keys)
	if err != nil {
		return err
	}
	ours, err := r.written(ctx, func() error {
		_, err := r.server.ask(ctx, sc, keys.low)
		return err
	})
	if err != nil {
		return err
	}
	theirs, err := r.written(ctx, func() error {
		_, err := r.pgbench.run(ctx, script, "-c", "1", "-t", "1")
		return err
	})
	if err == nil && (ours != theirs || ours == 0) {
		err = fmt.Errorf("%s: Slipstream writes %d rows and pgbench %d", sc.name, ours, theirs)
	}
	return err
}

// written is how many rows f has inserted or updated.
func (r *run) written(ctx context.Context, f func() error) (rows int, err error) {
	var start int64
	if err := r.bed.query(ctx, "select txid_current()", nil, &start); err != nil {
		return 0, err
	}
	if err := f(); err != nil {
		return 0, err
	}
	const since = "select count(*)::int from (select xmin from shop.bench_row union all select xmin from shop.bench_key) r " +
		"where xmin::text::bigint > $1 & 4294967295"
	err = r.bed.query(ctx, since, []any{start}, &rows)
	return rows, err
}

// expect wraps a statement so that it fails, dividing by zero, unless its result is the answer.
func expect(st statement, a answer) statement {
	total := "true"
	if _, count, ok := strings.Cut(a.header.Get("Content-Range"), "/"); ok && count != "*" {
		total = "q.total = " + count
	}
	st.sql = fmt.Sprintf("select 1 / (md5(q.body::text) = '%x' and %s)::int from (%s) as q (total, rows, body)", md5.Sum(a.body), total, st.sql)
	return st
}

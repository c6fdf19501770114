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

// expect wraps a statement so that it fails, dividing by zero, unless its result is the answer.
func expect(st statement, a answer) statement {
	total := "true"
	if _, count, ok := strings.Cut(a.header.Get("Content-Range"), "/"); ok && count != "*" {
		total = "q.total = " + count
	}
	st.sql = fmt.Sprintf("select 1 / (md5(q.body::text) = '%x' and %s)::int from (%s) as q (total, rows, body)", md5.Sum(a.body), total, st.sql)
	return st
}

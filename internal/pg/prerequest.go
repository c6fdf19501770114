package pg

// queuePreRequest makes the messages of the pre-request function.
func (t *trip) queuePreRequest(tx *Tx) {
	if tx.PreRequest == "" {
		return
	}
	t.settings.sql = append(append(append(t.settings.sql[:0], "select "...), tx.PreRequest...), "()"...)
	if t.saw = tx.PreRequestSaw; t.saw == nil {
		t.sendText(t.settings.sql, tx.Role, tx.SearchPath, nil)
		return
	}
	t.settings.sql = append(t.settings.sql, ", pg_catalog.pg_current_snapshot()"...)
	t.sendText(t.settings.sql, tx.Role, tx.SearchPath, nil)
	t.steps[len(t.steps)-1].statement = called
}

// takeSaw takes the row of a call. What cannot be read has seen nothing.
func (t *trip) takeSaw(row [][]byte) {
	*t.saw, _ = ParseSnapshot(string(row[len(row)-1]))
}

package pg

// Running reports whether Run has made the pool.
func (db *DB) Running() bool { return db.pool.Load() != nil }

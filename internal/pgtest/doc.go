// Package pgtest gives tests a real PostgreSQL.
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
//
//	func TestSomething(t *testing.T) {
//		dsn := pgtest.Database(t) // new, empty, dropped at the end of the test
//		pgtest.Exec(t, dsn, `create table item (id int primary key)`)
//	}
//
// The server is the one that the environment's DATABASE_URL names (a
// superuser), else a private one per test process, started by the first test
// that asks. Roles belong to the whole server: on a shared one, tests of
// several packages see each other's, so give them names of your own
// (see Role).
//
// Imported by test files only.
package pgtest

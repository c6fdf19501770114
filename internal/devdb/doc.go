// Package devdb runs a private PostgreSQL cluster: for `slipstream dev`, and
// for tests through package pgtest.
//
// A cluster lives in one directory and is reached through a Unix socket that
// only its owner can open; no TCP port is taken unless asked for, so a server
// that already runs on the machine is left alone. The server ends with the
// process that started it; where that process was killed, the next Start on
// the directory takes over.
//
// It installs nothing, manages no production server and knows no sample data
// (package shop does). Imported by the root's dev command and pgtest.
package devdb

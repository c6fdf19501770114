// Package feed turns PostgreSQL's write-ahead log into ordered events: who changed which rows, when the schema or the
// roles changed, and up to which moment nothing is missing.
//
// A Feed holds one temporary replication slot, which ends with its connection and so never keeps the server from
// recycling its log, and decodes it with pgoutput. Its own heartbeats, messages that it writes into the log and waits
// for, prove how fresh it is. It heals by itself, and says when events may have been lost. Install prepares a database
// for it.
//
// It knows nothing of caches or of subscribers. Imported by check, events, the root package and cmd/slipstream.
package feed

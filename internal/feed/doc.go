// Package feed turns what PostgreSQL tells of changes into ordered events: who changed which rows, when the schema or the
// roles changed, and up to which moment nothing is missing.
//
// In the mode WAL, a Feed holds one temporary replication slot, which ends with its connection and so never keeps the server
// from recycling its log, and decodes it with pgoutput. In the mode Notify, where that cannot be had, it listens to triggers
// that tell the tables that were written to; why that is as certain is said at the type listener. Its own heartbeats, messages
// that it sends and waits for, prove how fresh it is. It heals by itself, and says when events may have been lost. Install
// and InstallNotify prepare a database for it.
//
// It knows nothing of caches or of subscribers. Imported by check, events, the root package and cmd/slipstream.
package feed

package pgtest

var (
	SweepServers   = sweepServers
	SweepDatabases = sweepDatabases
)

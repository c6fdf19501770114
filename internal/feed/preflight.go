package feed

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Problem is a reason why a database cannot be followed.
type Problem struct {
	// What is wrong, and the Remedy; each a phrase without a full stop.
	What, Remedy string
}

func (p Problem) Error() string { return p.What + ": " + p.Remedy }

// notInstalled is the problem of a database that Install did not prepare, or whose preparation was undone.
var notInstalled = Problem{"changes of the schema are not reported", `run "slipstream cache install" as a superuser`}

// tellsNothing is the problem of a database that InstallNotify did not prepare.
var tellsNothing = Problem{"no triggers tell what is written", `run "slipstream cache install --mode notify" as a superuser`}

// tellsInstalled is true where the function of the triggers of InstallNotify is there.
const tellsInstalled = `
exists (select from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = 'slipstream' and p.proname = 'cache_changed')`

// minVersion is that of the first server whose pgoutput passes on messages, and that can have triggers replaced, by
// server_version_num.
// The problems of a database that cannot be followed once more.
var (
	noSlot   = Problem{"all replication slots are in use", "raise max_replication_slots and restart the server"}
	noSender = Problem{"all WAL senders are in use", "raise max_wal_senders and restart the server"}
)

// OfSlot reports whether it keeps only those from following who have no leader: see Sharing.
func (p Problem) OfSlot() bool { return p == noSlot || p == noSender }

// minVersion is that of the first server whose pgoutput passes on messages, by server_version_num.
const minVersion = 140000

// triggersInstalled is true where the event triggers of Install are there, and fire in all sessions.
const triggersInstalled = `
(select count(*) = 3 from pg_event_trigger t join pg_proc p on p.oid = t.evtfoid join pg_namespace n on n.oid = p.pronamespace
 where t.evtenabled = 'A' and t.evttags is null and t.evtevent in ('ddl_command_start', 'ddl_command_end', 'sql_drop')
   and n.nspname = 'slipstream' and p.proname = 'cache_schema_changed' and ` + changesReadable + `)`

// publishesAll is true where the publication $1 tells of all changes of the tables in it, by their own names.
const publishesAll = `
exists (select from pg_publication
	where pubname = $1 and not puballtables and not pubviaroot and pubinsert and pubupdate and pubdelete and pubtruncate)`

// publishesPart is the problem of a publication that does not.
var publishesPart = Problem{"the publication is not as it was installed", notInstalled.Remedy}

// conditions has a column for each thing to look at, in the order of facts.
const conditions = `
select current_setting('server_version_num')::int, pg_is_in_recovery(), current_setting('wal_level'),
	(select rolreplication or rolsuper from pg_roles where rolname = session_user), session_user::text,
	` + triggersInstalled + `,
	exists (select from pg_publication where pubname = $1),
	` + publishesAll + `,
	current_setting('max_replication_slots')::int > (select count(*) from pg_replication_slots),
	current_setting('max_wal_senders')::int > (select count(*) from pg_stat_replication),
	` + tellsInstalled

// facts are what conditions finds.
type facts struct {
	version                             int
	standby                             bool
	walLevel                            string
	mayReplicate                        bool
	role                                string
	triggers, publication, publishesAll bool
	slotFree, senderFree                bool
	tells                               bool
}

// Preflight looks for everything that keeps the role of a DSN from following the database, in a mode, through what Install or
// InstallNotify made. An error means that it could not look.
func Preflight(ctx context.Context, dsn string, mode Mode) ([]Problem, error) {
	var found []Problem
	err := connected(ctx, dsn, func(conn *pgx.Conn) (err error) {
		found, err = inspect(ctx, conn, mode, DefaultPublication)
		return err
	})
	return found, err
}

// Published reads which tables' changes are told in a mode, by OID. Partitions are tables of their own.
func Published(ctx context.Context, dsn string, mode Mode) (map[uint32]Table, error) {
	tables := map[uint32]Table{}
	err := connected(ctx, dsn, func(conn *pgx.Conn) (err error) {
		var c *catalog
		if mode == Notify {
			c, err = readWatchedCatalog(ctx, conn)
		} else {
			c, err = readCatalog(ctx, conn, DefaultPublication)
		}
		if err != nil {
			return err
		}
		for oid, t := range c.tables {
			tables[oid] = t.Table
		}
		return nil
	})
	return tables, err
}

// connected calls f with a connection of its own.
func connected(ctx context.Context, dsn string, f func(*pgx.Conn) error) error {
	conn, err := connect(ctx, dsn, nil, func() {})
	if err != nil { // there may be no primary among the hosts, which is a finding
		conn, err = pgx.Connect(ctx, dsn)
	}
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing)
	}()
	return f(conn)
}

func inspect(ctx context.Context, conn *pgx.Conn, mode Mode, publication string) ([]Problem, error) {
	var f facts
	err := conn.QueryRow(ctx, conditions, publication).Scan(&f.version, &f.standby, &f.walLevel, &f.mayReplicate, &f.role,
		&f.triggers, &f.publication, &f.publishesAll, &f.slotFree, &f.senderFree, &f.tells)
	if err != nil {
		return nil, err
	}
	return f.problems(mode), nil
}

func (f facts) problems(mode Mode) (found []Problem) {
	wal := mode == WAL
	for _, p := range []struct {
		is bool
		Problem
	}{
		{f.version < minVersion, Problem{"the server is older than PostgreSQL 14", "upgrade it"}},
		{f.standby, Problem{"the server is a standby", "connect to the primary"}},
		{wal && f.walLevel != "logical", Problem{"wal_level is " + f.walLevel,
			"put wal_level = logical into postgresql.conf and restart the server"}},
		{wal && !f.mayReplicate, Problem{"the role " + f.role + " may not replicate",
			"ALTER ROLE " + pgx.Identifier{f.role}.Sanitize() + " REPLICATION"}},
		{wal && !f.triggers, notInstalled},
		{wal && !f.publication, Problem{"the publication is missing", notInstalled.Remedy}},
		{wal && f.publication && !f.publishesAll, publishesPart},
		{wal && !f.slotFree, noSlot},
		{wal && !f.senderFree, noSender},
		{!wal && (!f.triggers || !f.tells), tellsNothing},
	} {
		if p.is {
			found = append(found, p.Problem)
		}
	}
	return found
}

// remedies are what to do about errors that the server answers with, by SQLSTATE.
var remedies = map[string]string{
	"53400": "raise max_replication_slots and restart the server",
	"53300": "raise max_connections or max_wal_senders and restart the server",
	"42704": notInstalled.Remedy,
	"42501": "ALTER ROLE ... REPLICATION for the role of the connection",
}

// explain puts an error into one line that says what to do about it, where there is something.
func explain(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	var answer *pgconn.PgError
	if errors.As(err, &answer) && remedies[answer.Code] != "" {
		text += "; " + remedies[answer.Code]
	}
	return text
}

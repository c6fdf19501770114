package promises_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// writer is a program that changes shopSchema's rows past the server.
type writer struct {
	*rand.Rand
	conn   *pgx.Conn
	writes int // statements that were committed
}

func newWriter(s *site, seed, stream uint64) *writer {
	return &writer{Rand: rand.New(rand.NewPCG(seed, stream)), conn: s.connect()}
}

// transaction changes something, in one of the ways that transactions can go. What fails for a conflict with other writers
// was rolled back, and is as good a case as any.
func (w *writer) transaction(t testing.TB) {
	ctx := context.Background()
	n, end, level := 1, "commit", ""
	switch w.IntN(12) {
	case 0:
		end = "rollback"
	case 1:
		level = " isolation level serializable"
	case 2, 3:
		n = 1 + w.IntN(5)
	}
	batch := []string{"begin" + level}
	for range n {
		sql := w.statement()
		switch w.IntN(10) {
		case 0:
			batch = append(batch, "savepoint s", sql, "rollback to s")
		case 1:
			batch = append(batch, "savepoint s", sql, "release s")
		default:
			batch = append(batch, sql)
		}
	}
	twice := end == "commit" && w.IntN(8) == 0 // in two phases, the second of which cannot be sent along with the first
	if twice {
		name := fmt.Sprintf("'%s %d'", w.conn.Config().Database, w.conn.PgConn().PID())
		batch, end = append(batch, "prepare transaction "+name), w.one("commit prepared ", "commit prepared ", "rollback prepared ")+name
	} else {
		batch = append(batch, end)
	}
	_, err := w.conn.PgConn().Exec(ctx, strings.Join(batch, "; ")).ReadAll()
	if err == nil && twice {
		_, err = w.conn.PgConn().Exec(ctx, end).ReadAll()
	}
	if err != nil {
		if w.conn.IsClosed() {
			t.Errorf("a writer: %v", err)
			return
		}
		_, _ = w.conn.Exec(ctx, "rollback")
		return
	}
	if strings.HasPrefix(end, "commit") {
		w.writes += n
	}
}

// statement is one write, of keys that others write to as well.
func (w *writer) statement() string {
	return w.pick(
		w.parents, w.parents, w.children, w.children, w.children, w.pairs, w.links, w.links, w.events, w.logged, w.notes,
		w.notes, w.desk, w.teams, w.bulk, w.refresh,
	)()
}

func (w *writer) pick(of ...func() string) func() string { return of[w.IntN(len(of))] }

func (w *writer) one(of ...string) string { return of[w.IntN(len(of))] }

// or is null now and then.
func (w *writer) or(value string) string {
	if w.IntN(6) == 0 {
		return "null"
	}
	return value
}

func (w *writer) parent() int  { return 1 + w.IntN(24) }
func (w *writer) child() int   { return 1 + w.IntN(72) }
func (w *writer) user() string { return fmt.Sprintf("'u%d'", w.IntN(4)) }
func (w *writer) day() string  { return fmt.Sprintf("'2020-01-0%d'", 1+w.IntN(6)) }
func (w *writer) pair() string { return fmt.Sprintf("%d, 'b%d'", w.IntN(5), 1+w.IntN(20)) }
func (w *writer) noteID() string {
	return fmt.Sprintf("'00000000-0000-0000-0000-0000000000%02d'", 1+w.IntN(44))
}

func (w *writer) instant() string {
	return w.one(fmt.Sprintf("'2020-01-01 %02d:00:00Z'", w.IntN(24)), "'infinity'", "'-infinity'", "'2020-01-01 12:00:00.5Z'", "'0044-03-15 BC'")
}

func (w *writer) parents() string {
	id := w.parent()
	switch w.IntN(8) {
	case 0:
		return fmt.Sprintf("delete from api.parents where id = %d", id)
	case 1:
		return fmt.Sprintf("update api.parents set id = %d where id = %d", w.parent(), id) // its children move with it
	case 2:
		return fmt.Sprintf("update api.parents set rank = %s where id = %d", w.or(fmt.Sprint(w.IntN(5))), id) // big stays in TOAST
	case 3:
		return fmt.Sprintf("update api.parents set at = %s, day = %s where id = %d", w.or(w.instant()), w.or(w.day()), id)
	default:
		return fmt.Sprintf(`insert into api.parents values (%d, %s, %s, %s, %s, %s, gen_random_uuid(), repeat('y', 2500))
			on conflict (id) do update set name = excluded.name, rank = excluded.rank, active = excluded.active`,
			id, w.or(fmt.Sprintf("'p%d'", w.IntN(7))), w.or(fmt.Sprint(w.IntN(5))), w.or(w.instant()), w.or(w.day()), w.or(w.one("true", "false")))
	}
}

func (w *writer) children() string {
	id := w.child()
	switch w.IntN(7) {
	case 0:
		return fmt.Sprintf("delete from api.children where id = %d", id)
	case 1, 2:
		return fmt.Sprintf("update api.children set parent_id = (select id from api.parents order by random() limit 1) where id = %d", id)
	case 3:
		return fmt.Sprintf("update api.children set parent_id = null, at = %s where id = %d", w.or(w.instant()), id)
	case 4:
		return fmt.Sprintf("update api.children set id = %d where id = %d", w.child(), id)
	default:
		return fmt.Sprintf(`insert into api.children select %d, (select id from api.parents order by random() limit 1), %s, %s, %s
			on conflict (id) do update set kind = excluded.kind, amount = excluded.amount`,
			id, w.or(fmt.Sprintf("'k%d'", w.IntN(4))), w.or(fmt.Sprint(w.IntN(10)))+"::int", w.or(w.instant())+"::timestamp")
	}
}

func (w *writer) pairs() string {
	switch w.IntN(4) {
	case 0:
		return fmt.Sprintf("delete from api.pairs where (a, b) = (%s)", w.pair())
	case 1:
		return fmt.Sprintf("update api.pairs set (a, b) = (select %s) where (a, b) = (%s)", w.pair(), w.pair())
	default:
		return fmt.Sprintf("insert into api.pairs values (%s, %d, %s) on conflict (a, b) do update set v = excluded.v", w.pair(), w.IntN(7), w.or(w.day()))
	}
}

func (w *writer) links() string {
	if w.IntN(2) == 0 {
		return fmt.Sprintf("delete from api.links where parent_id = %d", w.parent())
	}
	return fmt.Sprintf(`insert into api.links select p.id, q.a, q.b from api.parents p, api.pairs q where p.id = %d and (q.a, q.b) = (%s)
		on conflict do nothing`, w.parent(), w.pair())
}

func (w *writer) events() string {
	id := 1 + w.IntN(36)
	switch w.IntN(4) {
	case 0:
		return fmt.Sprintf("delete from api.events where id = %d", id)
	case 1:
		return fmt.Sprintf("update api.events set day = %s where id = %d", w.day(), id) // to another partition
	default:
		return fmt.Sprintf("insert into api.events values (%d, %s, 'w%d') on conflict (id, day) do update set what = excluded.what", id, w.day(), w.IntN(3))
	}
}

func (w *writer) logged() string {
	id := 1 + w.IntN(36)
	switch w.IntN(4) {
	case 0:
		return fmt.Sprintf("delete from api.logged where id = %d", id)
	case 1:
		return fmt.Sprintf("update api.logged set grp = %s where id = %d", w.or(fmt.Sprint(w.IntN(4))), id)
	default:
		return fmt.Sprintf("insert into api.logged values (%d, %d, %d, 'n%d') on conflict (id) do update set v = excluded.v, note = excluded.note",
			id, w.IntN(4), w.IntN(9), w.IntN(5))
	}
}

func (w *writer) notes() string {
	switch w.IntN(4) {
	case 0:
		return fmt.Sprintf("delete from api.notes where id = %s", w.noteID())
	case 1:
		return fmt.Sprintf("update api.notes set owner = %s, team = %s where id = %s", w.or(w.user()), w.or(fmt.Sprint(w.IntN(3))), w.noteID())
	default:
		return fmt.Sprintf("insert into api.notes values (%s, %s, %d, %d, %s) on conflict (id) do update set n = excluded.n, open = excluded.open",
			w.noteID(), w.user(), w.IntN(3), w.IntN(9), w.one("true", "false"))
	}
}

func (w *writer) desk() string {
	id := 1 + w.IntN(48)
	switch w.IntN(4) {
	case 0:
		return fmt.Sprintf("delete from api.desk where id = %d", id)
	case 1:
		return fmt.Sprintf("update api.desk set owner = %s where id = %d", w.user(), id)
	default:
		return fmt.Sprintf("insert into api.desk values (%d, %s, %d) on conflict (id) do update set n = excluded.n", id, w.user(), w.IntN(8))
	}
}

func (w *writer) teams() string {
	if w.IntN(2) == 0 {
		return fmt.Sprintf("delete from api.teams where (team, who) = (%d, %s)", w.IntN(3), w.user())
	}
	return fmt.Sprintf("insert into api.teams values (%d, %s) on conflict do nothing", w.IntN(3), w.user())
}

func (w *writer) refresh() string {
	return w.one("refresh materialized view api.kinds", "refresh materialized view concurrently api.kinds")
}

// bulk is more than the feed tells apart, or a table at once.
func (w *writer) bulk() string {
	switch w.IntN(8) {
	case 0:
		return "truncate api.links"
	case 1:
		return "truncate api.events"
	case 2:
		return "insert into api.logged select g, g % 4, g % 9, 'n0' from generate_series(1000, 2100) g on conflict do nothing"
	case 3:
		return "delete from api.logged where id >= 1000"
	case 4:
		return fmt.Sprintf("update api.children set amount = %d where kind = 'k%d'", w.IntN(10), w.IntN(4))
	default:
		return fmt.Sprintf("update api.notes set n = %d where team = %d", w.IntN(9), w.IntN(3))
	}
}

// definition is a change of the schema.
func (w *writer) definition() string {
	return w.one(
		"alter table api.parents add column if not exists extra int default 7",
		"alter table api.parents drop column if exists extra",
		"alter table api.children add column if not exists extra text default 'x'",
		"alter table api.children drop column if exists extra; alter table api.children add column extra int",
		"alter policy mine on api.notes using (owner = public.me())",
		"alter policy mine on api.notes using (owner = public.me() or exists (select from api.teams t where t.team = notes.team and t.who = public.me()))",
		"alter policy mine on api.notes using (open or owner = public.me())",
		"create or replace function public.fits(n int) returns bool language sql stable begin atomic select n > 3; end",
		"create or replace function public.fits(n int) returns bool language sql stable begin atomic select n % 2 = 0; end",
		"create or replace function public.fits(n int) returns bool language sql stable begin atomic select exists (select from api.teams t where t.team = n); end",
		"create or replace view api.families as select c.id, c.kind, c.amount, p.name, p.rank from api.children c join api.parents p on p.id = c.parent_id",
		"create or replace view api.families as select c.id, c.kind, c.amount, p.name, p.rank from api.children c left join api.parents p on p.id = c.parent_id where c.amount > 2",
		"alter table api.events detach partition api.events_new; alter table api.events attach partition api.events_new for values from ('2020-01-04') to (maxvalue)",
		"alter table api.logged replica identity default",
		"alter table api.logged replica identity full",
		"revoke select on api.desk from MEMBER",
		"grant select on api.desk to MEMBER",
		"alter table api.desk disable row level security",
		"alter table api.desk enable row level security",
	)
}

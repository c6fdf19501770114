package promises_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// deskPolicies are rules on who sees which rows of desks, by all that rules look at.
func deskPolicies() []string {
	return []string{
		`true`,
		`false`,
		`owner = current_setting('request.jwt.claims', true)::json ->> 'sub'`,
		`team = (nullif(current_setting('request.jwt.claims', true), '')::jsonb -> 'app' ->> 'team')::int`,
		`owner = public.me() or shared`,
		`exists (select from api.members m where m.team = desks.team and m.who = public.me())`,
		`team in (select public.my_teams())`,
		`public.boss()`,
		`n <= coalesce((current_setting('request.headers', true)::json ->> 'x-most')::int, 3)`,
		`current_user = 'MEMBER' and shared`,
		`current_setting('request.method') = 'GET' and team <> 1`,
		`current_setting('request.jwt.claims', true)::jsonb ? 'vip'`,
		`(select count(*) from api.members) > n`,
	}
}

const deskSchema = `
create table registers (id int primary key);
create table members (team int, who text, primary key (team, who));
create table desks (id int primary key, owner text, team int, n int, shared bool);
create function public.me() returns text language sql stable
	begin atomic select current_setting('request.jwt.claims', true)::json ->> 'sub'; end;
create function public.my_teams() returns setof int language sql stable security definer
	begin atomic select team from api.members where who = public.me(); end;
create function public.boss() returns bool language sql stable security definer
	begin atomic select exists (select from api.desks where owner = public.me() and n = 0); end;
alter table desks enable row level security;
create policy p on desks using (true);
insert into members select g % 3, 'u' || g % 4 from generate_series(1, 5) g on conflict do nothing;
insert into desks select g, 'u' || g % 4, g % 3, g % 8, g % 5 = 0 from generate_series(1, 40) g;`

// caller is who asks: headers of a request.
type caller []string

func deskCallers(s *site) []caller {
	callers := []caller{nil, {"X-Most: 5"}, {s.bearer()}, {s.bearer(`"vip": true`)}}
	for u := range 4 {
		sub := fmt.Sprintf(`"sub": "u%d"`, u)
		team := fmt.Sprintf(`"app": {"team": %d}`, u%3)
		callers = append(callers, caller{s.bearer(sub)}, caller{s.bearer(sub, team)}, caller{s.bearer(sub, team), "X-Most: 1"})
	}
	return callers
}

// TestCallers has everybody ask for the same, under one policy after the other and while rows and memberships change: no
// one may get what another one is meant to see.
func TestCallers(t *testing.T) {
	s := serve(t, deskSchema)
	seed := seedOf(t)
	random := rand.New(rand.NewPCG(seed, 1))
	callers := deskCallers(s)
	paths := []string{"/desks", "/desks?id=eq.7", "/desks?owner=eq.u1", "/desks?team=eq.2&n=gt.3", "/desks?order=n,id&limit=4", "/desks?select=team,count()",
		"/desks?shared=is.true", "/desks?select=id&order=id&offset=3"}
	var tally shadowTally
	for range scale(1, 25) {
		for _, i := range random.Perm(len(deskPolicies())) {
			s.exec("alter policy p on api.desks using (" + deskPolicies()[i] + ")")
			tally.definitions++
			var reads []read
			for _, path := range paths {
				for _, c := range callers {
					reads = append(reads, read{path: path, headers: c})
				}
			}
			random.Shuffle(len(reads), func(i, j int) { reads[i], reads[j] = reads[j], reads[i] })
			var over atomic.Bool
			var reading sync.WaitGroup
			reading.Go(func() { keepReading(s, reads, 0, &over) })
			s.open()
			for range 10 {
				s.exec(deskChange(random))
				tally.writes++
			}
			over.Store(true)
			reading.Wait()
			s.quiesce()
			for range 2 { // the second time, others' answers are there
				tally.compare(s, reads)
			}
		}
	}
	record(t, "B4", fmt.Sprintf("%d policies, one after the other, with %d callers and %d queries beside %d writes; %d answers compared, of them %d hits",
		tally.definitions, len(callers), len(paths), tally.writes, tally.compared, tally.hits), tally.wrong)
}

func deskChange(random *rand.Rand) string {
	switch random.IntN(5) {
	case 0:
		return fmt.Sprintf("update api.desks set owner = 'u%d' where id = %d", random.IntN(4), 1+random.IntN(40))
	case 1:
		return fmt.Sprintf("insert into api.members values (%d, 'u%d') on conflict do nothing", random.IntN(3), random.IntN(4))
	case 2:
		return fmt.Sprintf("delete from api.members where who = 'u%d'", random.IntN(4))
	default:
		return fmt.Sprintf("update api.desks set n = %d, shared = not shared where id = %d", random.IntN(8), 1+random.IntN(40))
	}
}

// TestPolicyChanges replaces a policy that shows more rows each time. After staleness, no answer may be by an old one.
func TestPolicyChanges(t *testing.T) {
	s := serve(t, `create table registers (id int primary key); insert into registers select generate_series(1, 1000);
		alter table registers enable row level security; create policy p on registers using (id <= 1);`)
	wrong, hits := rightsTested(s, staleness, nil, scale(6, 100), func(step int) {
		s.exec(fmt.Sprintf("alter policy p on api.registers using (id <= %d)", step))
	})
	record(t, "B4", fmt.Sprintf("%d changes of a policy, each known after %v at most; %d hits between", scale(6, 100), staleness, hits), wrong)
}

// TestRoleChanges makes a role a member of one group after the other, which the log does not tell.
func TestRoleChanges(t *testing.T) {
	const roleStaleness = 3 * time.Second
	steps := scale(3, 30)
	s := serve(t, `create table registers (id int primary key); insert into registers select generate_series(1, 1000);
		alter table registers enable row level security; create policy p on registers to MEMBER using (id <= 1);`)
	var groups []string
	for i := range steps {
		groups = append(groups, fmt.Sprintf("group_%d_%s", i, s.anon))
	}
	t.Cleanup(func() {
		for _, g := range groups {
			s.exec("drop owned by " + g + "; drop role " + g)
		}
	})
	for i, g := range groups {
		s.exec(fmt.Sprintf("create role %s; create policy p%d on api.registers to %s using (id = %d)", g, i, g, i+2))
	}
	s.open()
	wrong, hits := rightsTested(s, roleStaleness, caller{s.bearer()}, steps, func(step int) {
		s.exec("grant " + groups[step-2] + " to MEMBER")
	})
	record(t, "B4", fmt.Sprintf("%d changes of memberships, each known after %v at most; %d hits between", steps, roleStaleness, hits), wrong)
}

// rightsTested changes who sees what step by step, so that step n shows n rows, each as soon as the one before is seen.
// It counts answers that show fewer than a change asks for that was acknowledged longer ago than allowed.
func rightsTested(s *site, allowed time.Duration, who caller, steps int, change func(step int)) (wrong, hits int) {
	var made history
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	var seen atomic.Int64
	var changing sync.WaitGroup
	changing.Go(func() {
		for step := 2; step <= steps+1 && ctx.Err() == nil; step++ {
			change(step)
			made.wrote(int64(step))
			eventually(s.t, "the change is seen", func() bool { return seen.Load() >= int64(step) })
		}
		cancel()
	})
	for ctx.Err() == nil {
		least := made.least(allowed)
		a := s.get("/registers?select=id", who...)
		var rows []struct{ ID int64 }
		if err := json.Unmarshal([]byte(a.body), &rows); err != nil {
			s.t.Errorf("%v: %s", err, a.body)
			break
		}
		n := int64(len(rows))
		seen.Store(n)
		if a.hit() {
			hits++
		}
		if n < least {
			wrong++
			s.t.Errorf("%d rows, but the right to see %d was acknowledged longer than %v before; %v", n, least, allowed, a.Header["Cache-Status"])
		}
	}
	changing.Wait()
	return wrong, hits
}

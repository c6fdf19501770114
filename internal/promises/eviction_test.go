package promises_test

import (
	"context"
	"fmt"
	"testing"
)

// TestEviction keeps answers of the first three shapes that the cache is exact about, and writes. Rows that have nothing to
// do with an answer must let it stay; of all others, none may.
func TestEviction(t *testing.T) {
	const each = 300
	s := serve(t, `create table registers (id int primary key);
		create table items (id int primary key, grp int, v int);
		create table named (id uuid primary key, owner text, at timestamptz);
		insert into items select g, g / 5, g % 7 from generate_series(1, 100000) g;
		insert into named select ('00000000-0000-0000-0000-' || lpad(g::text, 12, '0'))::uuid, 'o' || g / 5, '2020-01-01T00:00:00Z'::timestamptz + g * interval '1 s'
			from generate_series(1, 20000) g`)
	var reads []read
	for i := 1; i <= each; i++ {
		for _, path := range []string{
			fmt.Sprintf("/items?id=eq.%d", i), fmt.Sprintf("/items?grp=eq.%d", i), fmt.Sprintf("/items?grp=eq.%d&order=v.desc,id&limit=3", i),
			fmt.Sprintf("/named?id=eq.00000000-0000-0000-0000-%012d", i), fmt.Sprintf("/named?owner=eq.o%d", i),
			fmt.Sprintf("/named?owner=eq.o%d&order=at,id&limit=3", i),
		} {
			reads = append(reads, read{path: path, ordered: true})
		}
	}
	stay := func() (hits int) {
		for i := range reads {
			if s.get(reads[i].path).hit() {
				hits++
			}
		}
		return hits
	}
	stay()
	if n := stay(); n != len(reads) {
		t.Fatalf("only %d of %d answers are kept", n, len(reads))
	}
	unrelated, evicted := scale(500, 50_000), 0
	conn := s.connect()
	for i := range unrelated {
		id := 50_000 + i%40_000
		sql := [...]string{
			fmt.Sprintf("update api.items set v = v + 1 where id = %d", id),
			fmt.Sprintf("update api.items set grp = grp + 1 where id = %d", id),
			fmt.Sprintf("delete from api.items where id = %d; insert into api.items values (%d, 9999, 0)", id, 200_000+i),
			fmt.Sprintf("update api.named set at = now(), owner = 'p' || owner where id = '00000000-0000-0000-0000-%012d'", 10_000+i%10_000),
		}[i%4]
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	s.quiesce()
	evicted = len(reads) - stay()
	t.Logf("%d of %d answers were dropped by %d writes that had nothing to do with them", evicted, len(reads), unrelated)
	tooMany := max(0, evicted-len(reads)/100)

	stayed, changed := relatedWrites(s, reads, each)
	record(t, "B7", fmt.Sprintf("%d answers of three shapes of two tables; %d unrelated writes dropped %d of them; %d related writes, after which %d of the "+
		"answers that they change stayed", len(reads), unrelated, evicted, changed, stayed), tooMany+stayed)
}

// relatedWrites changes something of every answer, in one of several ways, and counts those that stayed.
func relatedWrites(s *site, reads []read, each int) (stayed, changed int) {
	conn := s.connect()
	exec := func(sql string) {
		if _, err := conn.Exec(context.Background(), sql); err != nil {
			s.t.Fatal(err)
		}
	}
	for i := 1; i <= each; i++ {
		exec([...]string{
			fmt.Sprintf("update api.items set v = 100 where id = %d", i),
			fmt.Sprintf("delete from api.items where id = %d", i),
			fmt.Sprintf("insert into api.items values (%d, %d, 99) on conflict (id) do update set v = 99", 300_000+i, i),
			fmt.Sprintf("update api.items set grp = %d where id = %d", each+i, 5*i),
		}[i%4])
		exec(fmt.Sprintf("update api.named set at = '2019-01-01', owner = 'o%d' where owner = 'o%d'", i, each+i))
	}
	s.quiesce()
	for i := range reads {
		kept, direct := s.get(reads[i].path), s.direct(reads[i].path)
		if kept.body != direct.body {
			stayed++
			s.t.Errorf("%s: %v %s, want %s", reads[i].path, kept.Header["Cache-Status"], kept.body, direct.body)
		}
		if !kept.hit() {
			changed++
		}
	}
	return stayed, changed
}

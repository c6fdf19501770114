package cache_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/slipstream-go/slipstream/cache"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// pairs asks PostgreSQL for the canonical texts of all pairs of values of a type, and how they compare.
func pairs(t *testing.T, dsn, typ string, values []string, each func(a, b string, order int)) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	query := fmt.Sprintf(`select format('%%s', a), format('%%s', b), case when a < b then -1 when a = b then 0 else 1 end
		from (select unnest($1::text[])::%[1]s a) x, (select unnest($1::text[])::%[1]s b) y`, typ)
	if _, err := conn.Exec(t.Context(), "set timezone = 'UTC'; set datestyle = 'ISO'"); err != nil {
		t.Fatal(err)
	}
	rows, err := conn.Query(t.Context(), query, values)
	if err != nil {
		t.Fatal(err)
	}
	var a, b string
	var order int
	if _, err = pgx.ForEachRow(rows, []any{&a, &b, &order}, func() error { each(a, b, order); return nil }); err != nil {
		t.Fatal(err)
	}
}

// A term holds whenever PostgreSQL's comparison does; and does not otherwise, save where Go does not know.
func TestCompareAsPostgreSQL(t *testing.T) {
	times := []string{
		"0001-01-01", "0999-12-31 23:59:59", "2024-02-29", "2024-02-29 00:00:00.5", "2024-02-29 00:00:00.45",
		"2024-02-29 00:00:00.000001", "2024-02-29 10:00:00", "2024-02-29 24:00:00", "9999-12-31 23:59:59.999999",
	}
	odd := []string{"0044-03-15 BC", "10000-01-01", "infinity", "-infinity"}
	for _, c := range []struct {
		typ    string
		kind   cache.Kind
		values []string
		odd    []string // what the kind does not know
	}{
		{"integer", cache.Int, []string{"-2147483648", "-10", "-9", "-1", "0", "1", "9", "10", "2147483647"}, nil},
		{"numeric", cache.Int, []string{"-100000000000000000000", "-0", "7", "99999999999999999999", "100000000000000000000"}, []string{"NaN", "1.5", "7.0"}},
		{"boolean", cache.Bool, []string{"t", "f"}, nil},
		{"uuid", cache.UUID, []string{
			"00000000-0000-0000-0000-000000000000", "0a000000-0000-0000-0000-000000000000", "A0000000-0000-0000-0000-00000000000F",
			"a0000000-0000-0000-0000-0000000000f0", "ffffffff-ffff-ffff-ffff-ffffffffffff",
		}, nil},
		{"date", cache.Time, []string{"0001-01-01", "0999-12-31", "2024-02-28", "2024-02-29", "9999-12-31"}, odd},
		{"timestamp", cache.Time, times, odd},
		{"timestamptz", cache.Time, append([]string{"2024-02-29 00:00:00+02", "2024-02-29 10:00:00-11:30"}, times...), odd},
		{"time", cache.Time, []string{"00:00", "00:00:00.1", "00:00:00.09", "23:59:59.999999", "24:00"}, nil},
		{"timetz", cache.Time, nil, []string{"00:00+00", "00:00+02", "01:00:00.5+02"}},
		{"text", cache.Text, nil, []string{"a", "B", "ä", "", "a b"}},
	} {
		t.Run(c.typ, func(t *testing.T) {
			known := 0
			pairs(t, pgtest.Database(t), c.typ, append(c.values, c.odd...), func(a, b string, order int) {
				row := cache.Row{cache.DatumOf(a)}
				holds := func(op cache.Op) bool {
					return cache.Compare{Column: 1, Op: op, Kind: c.kind, Values: []string{b}}.Holds(row)
				}
				want := map[cache.Op]bool{
					cache.Eq: order == 0, cache.Ne: order != 0, cache.In: order == 0,
					cache.Lt: order < 0, cache.Lte: order <= 0, cache.Gt: order > 0, cache.Gte: order >= 0,
				}
				exact := true
				for op, holding := range want {
					if holding && !holds(op) {
						t.Errorf("%s, %s: %d does not hold", a, b, op)
					}
					exact = exact && holds(op) == holding
				}
				if exact {
					known++
				}
			})
			if want := len(c.values) * len(c.values); known < want {
				t.Errorf("%d pairs were judged exactly, want %d", known, want)
			}
		})
	}
}

func TestCompareStates(t *testing.T) {
	row := cache.Row{{State: cache.Unknown}, {State: cache.Null}, cache.DatumOf("t"), cache.DatumOf("f")}
	for op, want := range map[cache.Op]string{ // for each column, and one that the row lacks
		cache.Eq: "t-t-t", cache.Ne: "t--tt", cache.IsNull: "tt--t", cache.NotNull: "t-ttt", cache.IsTrue: "t-t-t", cache.IsFalse: "t--tt",
	} {
		var got strings.Builder
		for column := range cache.Column(5) {
			if (cache.Compare{Column: column + 1, Op: op, Kind: cache.Bool, Values: []string{"t"}}).Holds(row) {
				got.WriteByte('t')
			} else {
				got.WriteByte('-')
			}
		}
		if got.String() != want {
			t.Errorf("op %d: %s, want %s", op, &got, want)
		}
	}
	if !(cache.Compare{Column: 3, Op: cache.In, Values: []string{"x", "t"}}).Holds(row) {
		t.Error("In does not look at all values")
	}
}

// PostgreSQL sorts rows; the rows up to the last one of a page, and those only, are within it.
func TestWithinAsPostgreSQL(t *testing.T) {
	conn, err := pgx.Connect(t.Context(), pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	const table = `(select nullif(a, 3)::int a, nullif(b, 3)::int b, 10 * a + b c from generate_series(0, 3) a, generate_series(0, 3) b) t`
	for _, descending := range []bool{false, true} {
		for _, nullsFirst := range []bool{false, true} {
			direction := map[bool]string{false: "asc", true: "desc"}[descending] +
				map[bool]string{false: " nulls last", true: " nulls first"}[nullsFirst]
			rows, err := conn.Query(t.Context(), "select a::text, b::text, c::text from "+table+" order by a "+direction+", b desc, c")
			if err != nil {
				t.Fatal(err)
			}
			sorted, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (cache.Row, error) {
				var texts [3]*string
				err := r.Scan(&texts[0], &texts[1], &texts[2])
				row := make(cache.Row, 3)
				for i, text := range texts {
					row[i].State = cache.Null
					if text != nil {
						row[i] = cache.DatumOf(*text)
					}
				}
				return row, err
			})
			if err != nil {
				t.Fatal(err)
			}
			within := cache.Within{Columns: []cache.OrderColumn{
				{Column: 1, Kind: cache.Int, Descending: descending, NullsFirst: nullsFirst},
				{Column: 2, Kind: cache.Int, Descending: true, NullsFirst: true},
				{Column: 3, Kind: cache.Int},
			}}
			for last := range sorted {
				within.Last = sorted[last]
				for i, row := range sorted {
					if got := within.Holds(row); got != (i <= last) {
						t.Errorf("%s: row %v is within %v: %t", direction, row, within.Last, got)
					}
				}
			}
		}
	}
}

func TestWithinUncertain(t *testing.T) {
	within := cache.Within{
		Columns: []cache.OrderColumn{{Column: 1, Kind: cache.Text}, {Column: 2, Kind: cache.Int}},
		Last:    []cache.Datum{cache.DatumOf("m"), cache.DatumOf("5")},
	}
	for name, c := range map[string]struct {
		row  cache.Row
		want bool
	}{
		"same text, before":    {row("m", "4"), true},
		"same text, after":     {row("m", "6"), false},
		"text of other order":  {row("z", "6"), true},
		"first column unknown": {cache.Row{{}, cache.DatumOf("6")}, true},
		"second unknown":       {row("m"), true},
	} {
		if got := within.Holds(c.row); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}

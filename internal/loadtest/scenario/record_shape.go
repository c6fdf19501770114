package scenario

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// shape is a kind of request that was recorded, with the values of its slots as rows: those that were sent together belong
// together.
type shape struct {
	mould
	rows map[string]uint64 // by the values with NULs between
	// count of all requests, those included whose rows were not kept.
	count    uint64
	statuses map[int]bool
}

// add counts a request, and says how many rows it has added, of which there may be more or not.
func (s *shape) add(values []string, status int, more bool) (rows int) {
	s.count++
	s.statuses[status] = true
	row := strings.Join(values, "\x00")
	before := len(s.rows)
	if _, seen := s.rows[row]; seen || more || before == 0 {
		s.rows[row]++
	}
	return len(s.rows) - before
}

// table is the most frequent rows of a shape.
type table struct {
	rows   [][]string
	counts []uint64
	left   uint64 // requests with other rows
}

func (s *shape) table() table {
	keys := slices.SortedFunc(maps.Keys(s.rows), func(a, b string) int {
		return cmp.Or(cmp.Compare(s.rows[b], s.rows[a]), strings.Compare(a, b))
	})
	t := table{left: s.count}
	for _, key := range keys[:min(len(keys), maxRows)] {
		t.rows = append(t.rows, strings.Split(key, "\x00"))
		t.counts = append(t.counts, s.rows[key])
		t.left -= s.rows[key]
	}
	return t
}

func (t *table) column(i int) []string {
	values := make([]string, len(t.rows))
	for j, row := range t.rows {
		values[j] = row[i]
	}
	return values
}

// weightsColumn is the column of a recording's files with how often a row came.
const weightsColumn = "count"

// builder makes the requests of a scenario.
type builder struct {
	scenario *Scenario
	summary  *Summary
	used     map[string]bool // names of variables and files
	secrets  map[string]bool
	grouped  bool // by role, as there are several
}

func newBuilder(s *Scenario, summary *Summary, shapes []*shape) *builder {
	b := &builder{scenario: s, summary: summary, used: map[string]bool{weightsColumn: true}, secrets: map[string]bool{}}
	for _, s := range shapes {
		b.grouped = b.grouped || s.role != shapes[0].role
	}
	return b
}

// unique is a name that is not used yet.
func (b *builder) unique(name string) string {
	free := name
	for i := 2; b.used[free]; i++ {
		free = name + "_" + strconv.Itoa(i)
	}
	b.used[free] = true
	return free
}

func (b *builder) request(s *shape) {
	var (
		t       = s.table()
		fold    = map[string]string{} // slots in which there was one value only
		rename  = map[string]string{}
		columns []int
	)
	for i, slot := range s.slots {
		if values := slices.Compact(t.column(i)); len(values) == 1 && t.left == 0 {
			fold[slot.name] = values[0]
			continue
		}
		columns = append(columns, i)
		rename[slot.name] = b.unique(strings.TrimRight(slot.name, "_"))
	}
	b.variables(s, &t, columns, rename)
	request := Request{Weight: s.count, Path: join(b.pieces(s, s.path, inURL, fold, rename)), Expect: s.expect()}
	if s.method != "GET" {
		request.Method = s.method
	}
	if b.grouped {
		request.Group = join([]piece{{text: s.role}})
	}
	body := b.pieces(s, s.body, bodyEscape(s.bodyType), fold, rename)
	request.Body = join(body)
	for _, h := range s.headers {
		pieces, _ := split(h.Value)
		b.pieces(s, pieces, asIs, nil, nil) // notes secrets
		request.Headers = append(request.Headers, h)
	}
	b.scenario.Requests = append(b.scenario.Requests, request)
}

// pieces puts values and final names into a template.
func (b *builder) pieces(s *shape, pieces []piece, how escape, fold, rename map[string]string) []piece {
	var all []piece
	for _, p := range pieces {
		value, folded := fold[p.variable]
		switch {
		case p.variable == "":
			all = appendText(all, p.text)
		case folded:
			i := slices.IndexFunc(s.slots, func(slot slot) bool { return slot.name == p.variable })
			all = appendText(all, string(how.append(nil, value, s.slots[i].number)))
		case rename[p.variable] != "":
			all = append(all, piece{variable: rename[p.variable]})
		default:
			b.secrets[p.variable] = true
			all = append(all, p)
		}
	}
	return all
}

// variables puts short columns of their own into the scenario, and others into a file together.
func (b *builder) variables(s *shape, t *table, columns []int, rename map[string]string) {
	if len(columns) == 0 {
		return
	}
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = rename[s.slots[c].name]
	}
	if t.left > 0 {
		b.summary.Cut = append(b.summary.Cut, Cut{Variables: names, Left: t.left, All: s.count})
	}
	if len(columns) == 1 && len(t.rows) <= maxInline {
		from := List{Values: t.column(columns[0]), Weights: t.counts, Numbers: s.slots[columns[0]].number}
		b.scenario.Variables = append(b.scenario.Variables, Variable{names[0], from})
		return
	}
	file := CSV{Name: names[0] + ".csv", Text: t.csv(columns, names)}
	b.summary.Files = append(b.summary.Files, file)
	for i, c := range columns {
		from := File{Path: file.Name, Column: names[i], Weights: weightsColumn, Numbers: s.slots[c].number}
		b.scenario.Variables = append(b.scenario.Variables, Variable{names[i], from})
	}
}

func (t *table) csv(columns []int, names []string) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write(append(slices.Clone(names), weightsColumn)) // a Builder takes all
	for i, row := range t.rows {
		record := make([]string, 0, len(columns)+1)
		for _, c := range columns {
			record = append(record, row[c])
		}
		_ = w.Write(append(record, fmt.Sprint(t.counts[i])))
	}
	w.Flush()
	return b.String()
}

// expect takes what clients were told about their requests, such as 404, for right; not what a server says of itself or of
// tokens, which will be others.
func (s *shape) expect() Expect {
	var told []StatusRange
	for _, status := range slices.Sorted(maps.Keys(s.statuses)) {
		if status >= 400 && status < 500 && !slices.Contains([]int{401, 403, 408, 429}, status) {
			told = append(told, StatusRange{status, status})
		}
	}
	if told == nil {
		return Expect{}
	}
	return Expect{Status: append([]StatusRange{{200, 299}, {300, 399}}, told...)}
}

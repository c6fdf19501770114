package request_test

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/slipstream-go/slipstream/internal/request"
)

// The generators draw from few and short texts, so that two queries are often
// equal, and often differ only in where one part ends and the next begins.
var (
	shortText = rapid.SampledFrom([]string{"", "a", "b", "ab", "\x01", "a\x00"})
	path      = rapid.SliceOfN(shortText, 0, 2)
	value     = rapid.Map(rapid.IntRange(-1, 1), func(i int) request.Value { return request.Value(i) })

	column = rapid.Custom(func(t *rapid.T) request.Column {
		return request.Column{
			Name: shortText.Draw(t, "name"),
			Path: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) request.JSONStep {
				return request.JSONStep{Text: rapid.Bool().Draw(t, "text"), Index: rapid.Bool().Draw(t, "index"), Key: shortText.Draw(t, "key")}
			}), 0, 1).Draw(t, "path"),
		}
	})
	condition = rapid.Custom(func(t *rapid.T) request.Condition {
		return request.Condition{
			Column:     column.Draw(t, "column"),
			Not:        rapid.Bool().Draw(t, "not"),
			Operator:   rapid.SampledFrom([]request.Operator{request.Eq, request.Is, request.Fts}).Draw(t, "operator"),
			Quantifier: rapid.SampledFrom([]request.Quantifier{request.NoQuantifier, request.Any, request.All}).Draw(t, "quantifier"),
			Language:   value.Draw(t, "language"),
			Value:      value.Draw(t, "value"),
			Is:         rapid.SampledFrom([]string{"", "null"}).Draw(t, "is"),
		}
	})
	field = rapid.Custom(func(t *rapid.T) request.Field {
		return request.Field{
			Column:        column.Draw(t, "column"),
			Alias:         shortText.Draw(t, "alias"),
			Cast:          shortText.Draw(t, "cast"),
			Aggregate:     rapid.SampledFrom([]request.Aggregate{request.NoAggregate, request.Sum}).Draw(t, "aggregate"),
			AggregateCast: shortText.Draw(t, "aggregate cast"),
		}
	})
	term = rapid.Custom(func(t *rapid.T) request.OrderTerm {
		return request.OrderTerm{
			Relation:  shortText.Draw(t, "relation"),
			Column:    column.Draw(t, "column"),
			Direction: rapid.SampledFrom([]request.Direction{request.NoDirection, request.Asc, request.Desc}).Draw(t, "direction"),
			Nulls:     rapid.SampledFrom([]request.Nulls{request.NoNulls, request.NullsFirst}).Draw(t, "nulls"),
		}
	})
)

func drawSelect(t *rapid.T, depth int) request.Select {
	s := request.Select{Fields: rapid.SliceOfN(field, 0, 2).Draw(t, "fields")}
	for range rapid.IntRange(0, depth).Draw(t, "embeds") {
		s.Embeds = append(s.Embeds, request.Embed{
			Target: shortText.Draw(t, "target"),
			Alias:  shortText.Draw(t, "alias"),
			Hint:   shortText.Draw(t, "hint"),
			Join:   rapid.SampledFrom([]request.Join{request.JoinDefault, request.JoinInner}).Draw(t, "join"),
			Spread: rapid.Bool().Draw(t, "spread"),
			Select: drawSelect(t, depth-1),
		})
	}
	return s
}

func drawLogic(t *rapid.T, depth int) request.Logic {
	l := request.Logic{Not: rapid.Bool().Draw(t, "not"), Or: rapid.Bool().Draw(t, "or")}
	if rapid.Bool().Draw(t, "leaf") {
		c := condition.Draw(t, "condition")
		l.Condition = &c
	}
	for range rapid.IntRange(0, depth).Draw(t, "children") {
		l.Children = append(l.Children, drawLogic(t, depth-1))
	}
	return l
}

// edits are the parts of a query, each as something that draws it anew.
var edits = []func(*rapid.T, *request.Query){
	func(t *rapid.T, q *request.Query) { q.Select = drawSelect(t, 2) },
	func(t *rapid.T, q *request.Query) {
		q.Filters = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) request.Filter {
			return request.Filter{Path: path.Draw(t, "path"), Condition: condition.Draw(t, "condition")}
		}), 0, 2).Draw(t, "filters")
	},
	func(t *rapid.T, q *request.Query) {
		q.Logic = nil
		for range rapid.IntRange(0, 2).Draw(t, "logic") {
			q.Logic = append(q.Logic, request.LogicFilter{Path: path.Draw(t, "path"), Logic: drawLogic(t, 2)})
		}
	},
	func(t *rapid.T, q *request.Query) {
		q.Orders = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) request.Order {
			return request.Order{Path: path.Draw(t, "path"), Terms: rapid.SliceOfN(term, 0, 2).Draw(t, "terms")}
		}), 0, 2).Draw(t, "orders")
	},
	func(t *rapid.T, q *request.Query) {
		q.Windows = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) request.Window {
			return request.Window{Path: path.Draw(t, "path"), Limit: rapid.Int64Range(-1, 2).Draw(t, "limit"), Offset: rapid.Int64Range(0, 2).Draw(t, "offset")}
		}), 0, 2).Draw(t, "windows")
	},
	func(t *rapid.T, q *request.Query) {
		q.Params = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) request.Param {
			return request.Param{Name: shortText.Draw(t, "name"), Value: value.Draw(t, "value")}
		}), 0, 2).Draw(t, "params")
	},
	func(t *rapid.T, q *request.Query) { q.Columns = optional(path).Draw(t, "columns") },
	func(t *rapid.T, q *request.Query) { q.OnConflict = optional(path).Draw(t, "on conflict") },
	func(t *rapid.T, q *request.Query) { q.Cursor = shortText.Draw(t, "cursor") },
	func(t *rapid.T, q *request.Query) { q.CursorBackward = rapid.Bool().Draw(t, "backward") },
	func(t *rapid.T, q *request.Query) { q.CursorNulls = rapid.Int64Range(0, 2).Draw(t, "nulls") },
	func(t *rapid.T, q *request.Query) { q.Values = path.Draw(t, "values") },
}

func optional(list *rapid.Generator[[]string]) *rapid.Generator[[]string] {
	return rapid.OneOf(rapid.Just([]string(nil)), list)
}

// blank takes away what does not belong to the shape.
func blank(q request.Query) request.Query {
	q.Values = nil
	if q.Cursor != "" {
		q.Cursor = "x"
	}
	q.Windows = slices.Clone(q.Windows)
	for i := range q.Windows {
		w := &q.Windows[i]
		w.Limit, w.Offset = min(w.Limit, 0), min(w.Offset, 1)
	}
	return q
}

func TestShapesAreEqualExactlyWhenTreesAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a request.Query
		for _, edit := range edits {
			edit(t, &a)
		}
		b := a
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(edits)-1), 0, 2).Draw(t, "edits") {
			edits[i](t, &b)
		}
		same := equalTrees(reflect.ValueOf(blank(a)), reflect.ValueOf(blank(b)))
		if got := bytes.Equal(a.AppendShape(nil), b.AppendShape(nil)); got != same {
			t.Fatalf("shapes equal: %v, trees equal: %v\n%+v\n%+v", got, same, a, b)
		}
	})
}

// equalTrees is reflect.DeepEqual, but for lists that only may be absent nil and empty is the same.
func equalTrees(a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.Struct:
		for i := range a.NumField() {
			name := a.Type().Field(i).Name
			if optional := name == "Columns" || name == "OnConflict"; optional && a.Field(i).IsNil() != b.Field(i).IsNil() {
				return false
			}
			if !equalTrees(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Slice:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !equalTrees(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		return equalTrees(a.Elem(), b.Elem())
	}
	return a.Equal(b)
}

// full has something in every field of the tree.
func full() *request.Query {
	column := request.Column{Name: "n", Path: []request.JSONStep{{Key: "k"}}}
	leaf := request.Condition{Column: column, Operator: request.Eq, Quantifier: request.Any, Is: "null"}
	fields := []request.Field{{Column: column, Alias: "a", Cast: "c", Aggregate: request.Sum, AggregateCast: "d"}}
	return &request.Query{
		Select: request.Select{Fields: fields, Embeds: []request.Embed{
			{Target: "t", Alias: "a", Hint: "h", Join: request.JoinLeft, Select: request.Select{Fields: fields}},
		}},
		Filters: []request.Filter{{Path: []string{"p"}, Condition: leaf}},
		Logic: []request.LogicFilter{{Path: []string{"p"}, Logic: request.Logic{
			Children: []request.Logic{{Condition: &leaf}, {Children: []request.Logic{{Condition: &leaf}}}},
		}}},
		Orders:     []request.Order{{Path: []string{"p"}, Terms: []request.OrderTerm{{Relation: "r", Column: column, Direction: request.Asc, Nulls: request.NullsLast}}}},
		Windows:    []request.Window{{Path: []string{"p"}, Limit: request.NoLimit}},
		Params:     []request.Param{{Name: "n"}},
		Columns:    []string{"c"},
		OnConflict: []string{"o"},
	}
}

// Whatever field the tree gets, the shape must tell it; only Values, the text of Cursor and numbers of windows are left out.
func TestShapeTellsEveryField(t *testing.T) {
	q := full()
	before := q.AppendShape(nil)
	changes := 0
	mutate(reflect.ValueOf(q).Elem(), "Query", func(path string) {
		changes++
		if bytes.Equal(q.AppendShape(nil), before) {
			t.Errorf("%s is not part of the shape", path)
		}
	})
	if changes < 60 {
		t.Errorf("only %d fields were changed", changes)
	}
}

// mutate changes one leaf after the other, calls changed, and puts it back.
func mutate(v reflect.Value, path string, changed func(path string)) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name != "Values" {
				mutate(v.Field(i), path+"."+name, changed)
			}
		}
		return
	case reflect.Slice:
		for i := range v.Len() {
			mutate(v.Index(i), path, changed)
		}
		return
	case reflect.Pointer:
		if !v.IsNil() {
			mutate(v.Elem(), path, changed)
		}
		return
	}
	old := reflect.New(v.Type()).Elem()
	old.Set(v)
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	default:
		v.SetInt(v.Int() + 7)
	}
	changed(path)
	v.Set(old)
}

// Arguments and filters share Values: their order in the query string is part of the shape.
func TestShapeKeepsIndices(t *testing.T) {
	shape := func(query string) string {
		r, err := request.Parse("GET", parseURL(t, "/rpc/f?"+query), nil, settings)
		if err != nil {
			t.Fatal(err)
		}
		return string(r.Query.AppendShape(nil))
	}
	if shape("a=1&b=eq.2&c=3") == shape("a=1&c=3&b=eq.2") {
		t.Error("two queries with different values at the same place have one shape")
	}
	if shape("a=1&b=eq.2") != shape("a=x&b=eq.y") {
		t.Error("values are part of the shape")
	}
}

func TestAppendShapeAppends(t *testing.T) {
	q := request.Query{Cursor: "x"}
	if got := q.AppendShape([]byte("prefix")); !bytes.HasPrefix(got, []byte("prefix")) || !bytes.Equal(got[6:], q.AppendShape(nil)) {
		t.Errorf("shape after a prefix is %q", got)
	}
}

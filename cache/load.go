package cache

import (
	"context"
	"reflect"
)

// GetOrLoad returns the value of a key from the cache, or from load, which says what the value depends on before it
// returns: with Fill.Watch, Fill.Depend or Fill.Limit. Concurrent callers share a load; errors are not shared, nor kept.
// Callers share the value too, so it must not be changed. Keys of different types T are different.
//
// What a value takes in memory is what its method Size says, else what can be reached from it, as far as reflection sees.
func GetOrLoad[T any](ctx context.Context, c *Cache, key string, load func(context.Context, *Fill) (T, error)) (T, error) {
	var none T
	k := KeyOf("GetOrLoad", reflect.TypeFor[T]().String(), key)
	if v, ok := valueOf[T](c.Get(k)); ok {
		return v, nil
	}
	// A load that failed is tried once more for all that waited; then each is on its own, lest they queue up.
	for range 2 {
		f, first := c.Fill(k)
		if first {
			return fillWith(ctx, f, load)
		}
		e, err := f.Wait(ctx)
		if err != nil {
			return none, err
		}
		if v, ok := valueOf[T](e); ok {
			return v, nil
		}
	}
	return load(ctx, &Fill{cache: c, key: k, ended: true})
}

func fillWith[T any](ctx context.Context, f *Fill, load func(context.Context, *Fill) (T, error)) (T, error) {
	defer f.Abandon()
	v, err := load(WithFill(ctx, f), f)
	if err == nil {
		f.End(loaded[T]{v})
	}
	return v, err
}

// Where returns the watch on rows whose column has one of the values, given as canonical texts.
func (t Table) Where(c Column, values ...string) Watch {
	w := Watch{Table: t, Columns: []Column{c}, Values: make([]uint64, len(values))}
	for i, v := range values {
		w.Values[i] = HashTuple(v)
	}
	return w
}

// Any returns the watch on all rows.
func (t Table) Any() Watch { return Watch{Table: t} }

// Watch is Depend without a stamp, for those who cannot tell what they have seen: right after a change of the rows, what
// they fill is not stored.
func (f *Fill) Watch(watches ...Watch) { f.Depend(nil, watches...) }

type loaded[T any] struct{ value T }

func (l loaded[T]) Size() int {
	if v, ok := any(l.value).(Value); ok {
		return v.Size()
	}
	return sizeOf(reflect.ValueOf(&l.value).Elem(), map[uintptr]bool{})
}

func valueOf[T any](e *Entry) (T, bool) {
	if e != nil {
		if l, ok := e.value.(loaded[T]); ok {
			return l.value, true
		}
	}
	var none T
	return none, false
}

package scenario

import (
	"fmt"

	"github.com/cespare/xxhash/v2"
)

// value of a variable in one request.
type value struct {
	// text, or if isInt the number.
	text   string
	number int64
	isInt  bool
	// index of the value in a List.
	index int
}

// drawer draws a variable's value.
type drawer interface {
	draw(d dice, n uint64) value
}

// variable is one that is ready to be drawn.
type variable struct {
	drawer
	// stream tells its dice from those of others.
	stream uint64
	// numbers says that values are JSON numbers.
	numbers bool
	// texts are all values there can be, nil where they are numbers.
	texts []string
}

func (v *variable) value(seed, n uint64) value { return v.draw(roll(seed, v.stream, n), n) }

type ints func(d dice, n uint64) int64

func (f ints) draw(d dice, n uint64) value { return value{number: f(d, n), isInt: true} }

// texts are drawn by their weights, if there are sums of them, or in order.
type texts struct {
	values  []string
	sums    []uint64
	inOrder bool
}

func (t *texts) draw(d dice, n uint64) value {
	var i int
	switch {
	case t.inOrder:
		i = int(n % uint64(len(t.values)))
	case len(t.sums) > 0:
		i = d.weighted(t.sums)
	default:
		i = int(d.below(uint64(len(t.values))))
	}
	return value{text: t.values[i], index: i}
}

// opener has what values come from.
type opener struct {
	dir    string
	lookup func(string) (string, bool)
	files  map[string][][]string
}

// open makes a variable ready. Errors have none of its values.
func (o *opener) open(v Variable) (variable, error) {
	draw, err := v.From.open(o)
	if err != nil {
		return variable{}, fmt.Errorf("variables.%s: %w", v.Name, err)
	}
	opened := variable{drawer: draw, stream: xxhash.Sum64String("variable " + v.Name)}
	switch from := v.From.(type) {
	case List:
		opened.numbers = from.Numbers
	case File:
		opened.numbers = from.Numbers
		from.Column, from.Numbers = "", false
		opened.stream = xxhash.Sum64String(fmt.Sprintf("%+v", from)) // the same row for all of its columns
	}
	if t, ok := draw.(*texts); ok {
		opened.texts = t.values
	} else {
		opened.numbers = true
	}
	return opened, nil
}

func (v Range) open(*opener) (drawer, error) {
	span := uint64(v.To-v.From) + 1
	if span == 0 { // all there are
		return ints(func(d dice, _ uint64) int64 { return int64(d.pcg.Uint64()) }), nil
	}
	return ints(func(d dice, _ uint64) int64 { return v.From + int64(d.below(span)) }), nil
}

func (v Zipf) open(*opener) (drawer, error) {
	if v.S == 0 {
		v.S = 1
	}
	z := newZipf(v.N, v.S)
	return ints(func(d dice, _ uint64) int64 { return z.draw(&d) }), nil
}

func (v Sequence) open(*opener) (drawer, error) {
	return ints(func(_ dice, n uint64) int64 { return v.From + int64(n) }), nil
}

func (v List) open(*opener) (drawer, error) {
	all, err := sums(v.Weights)
	return &texts{values: v.Values, sums: all}, err
}

func (v Env) open(o *opener) (drawer, error) {
	text, ok := o.lookup(v.Name)
	if !ok {
		return nil, fmt.Errorf("the environment has no %s; run export %s=… first, or remove what uses it", v.Name, v.Name)
	}
	return &texts{values: []string{text}}, nil
}

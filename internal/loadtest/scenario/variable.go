package scenario

import "strconv"

// Variable has a value in each request, the same wherever it is named in the request.
type Variable struct {
	Name string
	From Values
}

// Values is where a variable's values come from: a Range, Zipf, Sequence, List, File or Env.
type Values interface {
	// check says what is wrong, by the field at fault.
	check(problem func(field, text string, args ...any))
	// open makes what draws the values.
	open(o *opener) (drawer, error)
}

// Range has the whole numbers From to To, all as often.
type Range struct{ From, To int64 }

func (v Range) check(problem func(field, text string, args ...any)) {
	if v.From > v.To {
		problem("range", "%d is greater than %d; write the smaller one first", v.From, v.To)
	}
}

// Zipf has the whole numbers 1 to N; k comes in proportion to 1/k^S, so that 1 is the most often.
type Zipf struct {
	N int64
	// S is greater than 0. The greater, the more go to the first ones. Default 1.
	S float64
}

// maxZipf is up to where a float64 tells whole numbers apart.
const maxZipf = 1 << 53

func (v Zipf) check(problem func(field, text string, args ...any)) {
	if v.N < 1 || v.N > maxZipf {
		problem("zipf", "write how many numbers there are, from 1 to 2^53")
	}
	if v.S < 0 || v.S > 100 {
		problem("s", "write an exponent greater than 0 and at most 100, such as 0.99")
	}
}

// Sequence counts up from From by 1 with each request of the run, of whatever kind.
type Sequence struct{ From int64 }

func (Sequence) check(func(field, text string, args ...any)) {}

// List has its values in it.
type List struct {
	Values []string
	// Weights are how often each comes in proportion to the others. Default: all as often.
	Weights []uint64
	// Numbers says that the values are JSON numbers.
	Numbers bool
}

func (v List) check(problem func(field, text string, args ...any)) {
	if len(v.Values) == 0 {
		problem("list", "is empty; write at least one value")
	}
	if v.Weights != nil && len(v.Weights) != len(v.Values) {
		problem("weights", "there are %d for %d values; write one for each", len(v.Weights), len(v.Values))
	}
	if _, err := sums(v.Weights); err != nil {
		problem("weights", "%v", err)
	}
	for _, text := range v.Values {
		if v.Numbers && !isNumber(text) {
			problem("list", "%q is not a JSON number; write numbers alone, or quote them all", text)
			return
		}
	}
}

// File has its values in a file; variables of the same file that are drawn in the same way have the values of the same row.
type File struct {
	// Path is relative to the scenario's directory.
	Path string
	// Column of a CSV file: its number, from 1, or its name in the first row. Empty: each line of the file is a value.
	Column string
	// Weights is the column with how often each row comes in proportion to the others. Default: all as often.
	Weights string
	// InOrder gives the n-th request the n-th row, and begins anew after the last.
	InOrder bool
	// Numbers says that the values are JSON numbers.
	Numbers bool
}

func (v File) check(problem func(field, text string, args ...any)) {
	if v.Path == "" {
		problem("file", "write the name of a file")
	}
	if v.Weights != "" && v.Column == "" {
		problem("weights", "a column of weights needs the column of values; write column, too")
	}
	_, noName := strconv.Atoi(v.Column)
	if _, err := strconv.Atoi(v.Weights); v.Weights != "" && (err == nil) != (noName == nil) {
		problem("weights", "of column and weights, one is a number and one a name; write two numbers, or two names")
	}
	if v.Weights != "" && v.InOrder {
		problem("weights", "rows in order cannot have weights; remove one of the two")
	}
}

// Env is a variable of the environment, such as a token, which has no place in a file.
type Env struct{ Name string }

func (v Env) check(problem func(field, text string, args ...any)) {
	if v.Name == "" {
		problem("env", "write the name of an environment variable")
	}
}

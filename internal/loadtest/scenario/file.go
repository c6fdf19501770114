package scenario

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"
)

func (v File) open(o *opener) (drawer, error) {
	if v.Column == "" {
		lines, err := o.lines(v.Path)
		if err != nil {
			return nil, err
		}
		return v.texts(lines, nil)
	}
	rows, err := o.rows(v.Path)
	if err != nil {
		return nil, err
	}
	values, err := column(v.Path, rows, v.Column)
	var weights []string
	if err == nil && v.Weights != "" {
		weights, err = column(v.Path, rows, v.Weights)
	}
	if err != nil {
		return nil, err
	}
	return v.texts(values, weights)
}

// texts makes the drawer of a file's values.
func (v File) texts(values, weights []string) (drawer, error) {
	if len(values) == 0 {
		return nil, fmt.Errorf("%s has no values; write one in each line", v.Path)
	}
	for i, text := range values {
		switch {
		case !utf8.ValidString(text):
			return nil, fmt.Errorf("%s: value %d is not UTF-8", v.Path, i+1)
		case v.Numbers && !isNumber(text):
			return nil, fmt.Errorf("%s: value %d is not a JSON number; mend it, or remove numbers: true", v.Path, i+1)
		}
	}
	parsed := make([]uint64, len(weights))
	for i, w := range weights {
		var err error
		if parsed[i], err = strconv.ParseUint(w, 10, 64); err != nil {
			return nil, fmt.Errorf("%s: weight %d is not a whole number", v.Path, i+1)
		}
	}
	all, err := sums(parsed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v.Path, err)
	}
	return &texts{values: values, sums: all, inOrder: v.InOrder}, nil
}

func (o *opener) read(path string) ([]byte, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(o.dir, path)
	}
	return os.ReadFile(path)
}

func (o *opener) lines(path string) ([]string, error) {
	b, err := o.read(path)
	if err != nil {
		return nil, err
	}
	var lines []string
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			lines = append(lines, line)
		}
	}
	return lines, nil
}

// rows of a CSV file (RFC 4180), all of the same length.
func (o *opener) rows(path string) ([][]string, error) {
	if rows, ok := o.files[path]; ok {
		return rows, nil
	}
	b, err := o.read(path)
	if err != nil {
		return nil, err
	}
	rows, err := csv.NewReader(strings.NewReader(string(b))).ReadAll()
	var wrong *csv.ParseError
	if errors.As(err, &wrong) {
		return nil, fmt.Errorf("%s:%d: not CSV: %w", path, wrong.Line, wrong.Err)
	}
	o.files[path] = rows
	return rows, err
}

// column takes a column by its number, or by its name in the first row, which is no value then.
func column(path string, rows [][]string, name string) ([]string, error) {
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s has no rows", path)
	}
	i, err := strconv.Atoi(name)
	i--
	if err != nil {
		i = -1
		for j, title := range rows[0] {
			if title == name {
				i = j
			}
		}
		if i < 0 {
			return nil, fmt.Errorf("%s: no column has the name %q in the first row; write such a one, or its number", path, name)
		}
		rows = rows[1:]
	}
	if i < 0 || i >= len(rows[0]) {
		return nil, fmt.Errorf("%s has no column %s; its rows have %d", path, name, len(rows[0]))
	}
	values := make([]string, len(rows))
	for j, row := range rows {
		values[j] = row[i]
	}
	return values, nil
}

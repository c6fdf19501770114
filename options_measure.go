package slipstream

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// duration is a Go duration, or a number of seconds as in PostgREST.
type duration struct {
	p    *time.Duration
	zero bool // 0 has a meaning, the default's
}

func (v duration) set(s string) error {
	d, err := parseDuration(s)
	if err == nil && d == 0 && s != "" && !v.zero {
		err = errors.New("0 is too short; write a positive time")
	}
	*v.p = d
	return err
}

func (v duration) check() error {
	if *v.p < 0 {
		return fmt.Errorf("%s is negative; write a positive time", *v.p)
	}
	return nil
}

func (v duration) String() string {
	if *v.p%time.Second == 0 {
		return strconv.FormatInt(int64(*v.p/time.Second), 10)
	}
	return v.p.String()
}

func (v duration) unset() bool  { return *v.p == 0 }
func (v duration) kind() string { return "duration" }
func (v duration) schema() map[string]any {
	return map[string]any{"type": []string{"integer", "string"}, "minimum": 0, "pattern": `^([0-9]+|([0-9.]+(ns|us|µs|ms|s|m|h))+)$`}
}

func (v duration) plain() any {
	if *v.p%time.Second == 0 {
		return int64(*v.p / time.Second)
	}
	return v.p.String()
}

func parseDuration(s string) (time.Duration, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return 0, nil
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if n > math.MaxInt64/int64(time.Second) || n < math.MinInt64/int64(time.Second) {
			return 0, fmt.Errorf("%s seconds are too many", s)
		}
		return time.Duration(n) * time.Second, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf(`%q is not a duration; write seconds, or a number with a unit as in "500ms", "10s", "5m"`, s)
	}
	return d, nil
}

// size is a number of bytes.
type size int64

func (v *size) set(s string) error {
	n, err := parseSize(s)
	if err == nil && n == 0 && s != "" {
		err = errors.New("0 is too small; write a positive size")
	}
	*v = size(n)
	return err
}

func (v *size) check() error {
	if *v < 0 {
		return fmt.Errorf("%d is negative; write a positive size", *v)
	}
	return nil
}

func (v *size) String() string {
	for _, u := range sizeUnits {
		if *v != 0 && int64(*v)%u.bytes == 0 {
			return strconv.FormatInt(int64(*v)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(*v), 10)
}

func (v *size) unset() bool  { return *v == 0 }
func (v *size) kind() string { return "size" }
func (v *size) schema() map[string]any {
	return map[string]any{"type": []string{"integer", "string"}, "minimum": 1, "pattern": `^[0-9]+ *(B|[KMG]i?B)?$`}
}
func (v *size) plain() any { return v.String() }

type unit struct {
	name  string
	bytes int64
}

// sizeUnits are sorted so that the first one that divides a size is the shortest way to write it.
var sizeUnits = []unit{
	{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1},
}

func parseSize(s string) (int64, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return 0, nil
	}
	bytes := int64(1)
	digits := s
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(strings.ToUpper(s), strings.ToUpper(u.name)); ok {
			digits, bytes = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange) || n > math.MaxInt64/bytes:
		return 0, fmt.Errorf("%s is too large", s)
	case err != nil:
		return 0, fmt.Errorf(`%q is not a size; write bytes, or a whole number with a unit as in "512KiB", "1MiB"`, s)
	}
	return n * bytes, nil
}

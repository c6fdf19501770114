package chaos

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Direction is where bytes go. As text: "client", "upstream", "both".
type Direction int

const (
	// Default is ToClient for latency and for a Point's Bytes, ToUpstream for HalfOpen, else Both.
	Default Direction = iota
	// ToClient is the way of answers.
	ToClient
	// ToUpstream is the way of requests.
	ToUpstream
	// Both are both.
	Both
)

var directions = []string{"", "client", "upstream", "both"}

func (d Direction) String() string { return directions[d] }

// MarshalText writes the direction as UnmarshalText reads it.
func (d Direction) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads "client", "upstream" or "both".
func (d *Direction) UnmarshalText(text []byte) error {
	for i, name := range directions {
		if i > 0 && name == string(text) {
			*d = Direction(i)
			return nil
		}
	}
	return fmt.Errorf("%q is no direction; write client, upstream or both", text)
}

// has reports whether a flow, ToClient or ToUpstream, is meant.
func (d Direction) has(flow Direction) bool { return d == flow || d == Both }

// Latency is a delay, and by how much it varies either way. As text: "50ms", "50ms±20ms", "50ms+-20ms".
type Latency struct{ Delay, Jitter time.Duration }

func (l Latency) String() string {
	if l.Jitter == 0 {
		return l.Delay.String()
	}
	return l.Delay.String() + "±" + l.Jitter.String()
}

// MarshalText writes the latency as UnmarshalText reads it.
func (l Latency) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads "50ms±20ms". The jitter's unit may be missing if the delay has one.
func (l *Latency) UnmarshalText(text []byte) error {
	delay, jitter, varies := strings.Cut(strings.Replace(string(text), "+-", "±", 1), "±")
	var err error
	if l.Delay, err = duration(delay); err != nil || !varies {
		return err
	}
	if strings.Trim(jitter, "0123456789. ") == "" {
		jitter = strings.TrimSpace(jitter) + strings.TrimLeft(strings.TrimSpace(delay), "0123456789.")
	}
	if l.Jitter, err = duration(jitter); err != nil {
		return err
	}
	if l.Jitter > l.Delay {
		return fmt.Errorf("%s varies by more than it is; write at most %s±%s", text, l.Delay, l.Delay)
	}
	return nil
}

func duration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(strings.TrimSpace(text))
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is no duration; write one such as 50ms or 2s", text)
	}
	return d, nil
}

// Probability is more than 0, and at most 1. As text: "1%", "0.01".
type Probability float64

func (p Probability) String() string {
	return strconv.FormatFloat(float64(p)*100, 'g', 6, 64) + "%"
}

// MarshalText writes the probability as UnmarshalText reads it.
func (p Probability) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads "1%" and "0.01".
func (p *Probability) UnmarshalText(text []byte) error {
	number, percent := strings.CutSuffix(strings.TrimSpace(string(text)), "%")
	f, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent {
		f /= 100
	}
	if err != nil || math.IsNaN(f) || f <= 0 || f > 1 {
		return fmt.Errorf("%q is no probability; write one such as 1%% or 0.01, or leave the fault out", text)
	}
	*p = Probability(f)
	return nil
}

// Size is a number of bytes. As text: "100", "64KiB", "1MB".
type Size int64

// units of bytes, the longest first.
var units = []struct {
	name  string
	bytes float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kbit", 1e3 / 8}, {"Mbit", 1e6 / 8}, {"Gbit", 1e9 / 8},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}, {"", 1},
}

func (s Size) String() string {
	for i := 2; i >= 0; i-- {
		if unit := Size(units[i].bytes); s >= unit && s%unit == 0 {
			return strconv.FormatInt(int64(s/unit), 10) + units[i].name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// MarshalText writes the size as UnmarshalText reads it.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads "64KiB".
func (s *Size) UnmarshalText(text []byte) error {
	f, ok := quantity(string(text))
	if !ok {
		return fmt.Errorf("%q is no number of bytes; write one such as 100, 64KiB or 1MiB", text)
	}
	*s = Size(f)
	return nil
}

// Rate is in bytes a second. As text: "64KiB/s", "1MB/s", "10Mbit/s".
type Rate float64

func (r Rate) String() string { return Size(r).String() + "/s" }

// MarshalText writes the rate as UnmarshalText reads it.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads "1MiB/s".
func (r *Rate) UnmarshalText(text []byte) error {
	f, ok := quantity(strings.TrimSuffix(string(text), "/s"))
	if !ok || f < 1 {
		return fmt.Errorf("%q is no rate; write one such as 64KiB/s, 1MiB/s or 10Mbit/s", text)
	}
	*r = Rate(f)
	return nil
}

// quantity is a number of bytes with a unit.
func quantity(text string) (float64, bool) {
	text = strings.TrimSpace(text)
	for _, unit := range units {
		number, ok := strings.CutSuffix(text, unit.name)
		if !ok {
			continue
		}
		f, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		return f * unit.bytes, err == nil && f >= 0 && f*unit.bytes < 1<<53
	}
	return 0, false
}

package slipstream

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// number is a whole number of at least min; where off is set, 0 in text stands for it.
type number struct {
	p   *int
	min int
	off int
}

func (v number) set(s string) error {
	n, err := parseInt(s)
	if err == nil && n == 0 && s != "" {
		n = v.off
		if v.min > 0 && v.off == 0 {
			err = fmt.Errorf("0 is too small; write at least %d", v.min)
		}
	}
	*v.p = n
	return err
}

func (v number) check() error {
	if v.unset() || *v.p >= v.min || v.off != 0 && *v.p == v.off {
		return nil
	}
	return fmt.Errorf("%d is too small; write at least %d", *v.p, v.min)
}

func (v number) String() string {
	if v.off != 0 && *v.p == v.off {
		return "0"
	}
	return strconv.Itoa(*v.p)
}

func (v number) unset() bool  { return *v.p == 0 }
func (v number) kind() string { return "integer" }
func (v number) schema() map[string]any {
	return map[string]any{"type": "integer", "minimum": v.lowest()}
}
func (v number) plain() any { return max(*v.p, 0) }

func (v number) lowest() int {
	if v.off != 0 {
		return 0
	}
	return v.min
}

func parseInt(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(strings.TrimSpace(s))
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("%s is too large", s)
	case err != nil:
		return 0, fmt.Errorf("%q is not a whole number", s)
	}
	return n, nil
}

// port is a TCP port, AnyPort ("0") or, where it may be off, NoPort ("off").
type port struct {
	p     *int
	offOK bool
}

func (v port) set(s string) error {
	if v.offOK && strings.EqualFold(s, "off") {
		*v.p = NoPort
		return nil
	}
	n, err := parseInt(s)
	if err != nil {
		return fmt.Errorf("%w; write a %s", err, v.kind())
	}
	if n == 0 && s != "" {
		n = AnyPort
	} else if n < 0 {
		return fmt.Errorf("%d is not a port; write a %s", n, v.kind())
	}
	*v.p = n
	return nil
}

func (v port) check() error {
	if *v.p > math.MaxUint16 || *v.p < AnyPort && !(v.offOK && *v.p == NoPort) {
		return fmt.Errorf("%d is not a port; write a %s", *v.p, v.kind())
	}
	return nil
}

func (v port) String() string { return fmt.Sprint(v.plain()) }
func (v port) unset() bool    { return *v.p == 0 }

func (v port) kind() string {
	if v.offOK {
		return "port (0 for any free one, or off)"
	}
	return "port (0 for any free one)"
}

func (v port) schema() map[string]any {
	number := map[string]any{"type": "integer", "minimum": 0, "maximum": math.MaxUint16}
	if !v.offOK {
		return number
	}
	return map[string]any{"anyOf": []any{number, map[string]any{"const": "off"}}}
}

func (v port) plain() any {
	switch *v.p {
	case NoPort:
		return "off"
	case AnyPort:
		return 0
	default:
		return *v.p
	}
}

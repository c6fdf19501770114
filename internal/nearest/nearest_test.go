package nearest_test

import (
	"testing"

	"github.com/slipstream-go/slipstream/internal/nearest"
)

func TestName(t *testing.T) {
	for _, c := range []struct {
		name  string
		names []string
		want  string
	}{
		{"wieght", []string{"name", "weight", "method"}, "weight"},
		{"durations", []string{"rate", "duration"}, "duration"},
		{"x", []string{"rate", "duration"}, ""},
		{"rats", []string{"rate", "rat"}, "rate"}, // of equal ones the first
		{"", []string{"a"}, ""},
		{"colour", nil, ""},
		{"elephant", []string{"rate", "duration"}, ""},
	} {
		if got := nearest.Name(c.name, c.names); got != c.want {
			t.Errorf("%s among %v: got %q, want %q", c.name, c.names, got, c.want)
		}
	}
}

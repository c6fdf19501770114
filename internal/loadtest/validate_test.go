package loadtest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

func TestValidate(t *testing.T) {
	good := loadtest.Load{Target: at(t, "http://localhost"), Source: gets(), Phases: []loadtest.Phase{{Duration: time.Second}}}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	bad := loadtest.Load{
		Target: at(t, "ftp://localhost"), Source: &source{}, Connections: -1, MaxConnections: -1, Timeout: -1, Protocol: 7, Arrivals: 7,
		Phases: []loadtest.Phase{{}, {Name: "ramp", Duration: 1, From: -1}, {Duration: 1, From: 1, To: 2, Steps: 1}, {Duration: 1, Steps: 3}, {Duration: 1, From: 1, To: 1e12}},
	}
	_, err := loadtest.Run(t.Context(), bad)
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{
		"Target: ", "Source: ", "Phases[0].Duration", "Phases[1] (ramp).From", "Phases[2].Steps", "Phases[3].Steps", "Phases[4].From",
		"\nConnections: ", "MaxConnections: ", "Timeout: ", "Protocol: ", "Arrivals: ",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing of %q in:\n%v", want, err)
		}
	}
	for _, target := range []string{"http:", "//host", "http://host?x", "http://u:p@host"} {
		l := good
		l.Target = at(t, target)
		if l.Validate() == nil {
			t.Errorf("%s is taken", target)
		}
	}
	if err := (&loadtest.Load{}).Validate(); err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("nothing at all: %v", err)
	}
}

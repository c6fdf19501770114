package chaos

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// Scenario is what is to happen to what, and when. Its fields are those of scenario files under their JSON names.
type Scenario struct {
	// Seed makes what is random another thing.
	Seed uint64 `json:"seed"`
	// For is how long it takes. Default: until it is ended.
	For time.Duration `json:"for"`
	// Proxies and Processes are what faults can be about, by name. Processes are started first, in the order of their names.
	Proxies   map[string]ProxyConfig   `json:"proxies"`
	Processes map[string]ProcessConfig `json:"processes"`
	// Timeline is what happens, in any order. Its times count from the beginning, when all processes are ready.
	Timeline []Step `json:"timeline"`
}

// Step is something that happens: a Fault to the connections of a proxy, or something that is done to a process.
type Step struct {
	// Proxy or Process names what it happens to.
	Proxy   string `json:"proxy"`
	Process string `json:"process"`
	// Do is what is done to the process: kill, stop, or restart. After Fault.For, what was killed is started again, and what was stopped
	// goes on.
	Do string `json:"do"`
	// Fault is what happens to the connections; for a process only its At, For and Every count.
	Fault
}

// What a Step can do.
const (
	doKill    = "kill"
	doStop    = "stop"
	doRestart = "restart"
)

// Load reads a scenario from a YAML file.
func Load(path string) (*Scenario, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, source)
}

// Parse reads a scenario from YAML. Each problem is a line that begins with the name and the place, and says what to write; all
// are joined.
func Parse(name string, source []byte) (*Scenario, error) {
	var s Scenario
	if err := decode(name, source, &s); err != nil {
		return nil, err
	}
	return &s, nil
}

// ParseFault reads a fault as scenario files have it, on one line without the outer braces: "reset: 64KiB, probability: 1%".
func ParseFault(text string) (Fault, error) {
	var f Fault
	if !strings.HasPrefix(strings.TrimSpace(text), "{") {
		text = "{" + text + "}"
	}
	err := decode("fault", []byte(text), &f)
	return f, err
}

// Validate says what is wrong with the scenario as a whole; all of it, joined.
func (s *Scenario) Validate() error {
	var problems []error
	if len(s.Proxies)+len(s.Processes) == 0 {
		problems = append(problems, errors.New("a scenario needs proxies or processes that something can happen to"))
	}
	for i := range s.Timeline {
		if err := s.validateStep(&s.Timeline[i]); err != nil {
			problems = append(problems, fmt.Errorf("step %d of the timeline: %w", i+1, err))
		}
	}
	return errors.Join(problems...)
}

// validateStep checks what a step cannot know by itself.
func (s *Scenario) validateStep(step *Step) error {
	if step.Process != "" {
		if _, ok := s.Processes[step.Process]; !ok {
			return fmt.Errorf("there is no process %s; there are %s", step.Process, names(s.Processes))
		}
		return nil
	}
	proxy, ok := s.Proxies[step.Proxy]
	if !ok {
		return fmt.Errorf("there is no proxy %s; there are %s", step.Proxy, names(s.Proxies))
	}
	all := append(slices.Clone(proxy.Faults), step.Fault)
	for i := range s.Timeline {
		if s.Timeline[i].Proxy == step.Proxy {
			all = append(all, s.Timeline[i].Fault)
		}
	}
	return oneProtocol(proxy.Protocol, all)
}

func names[V any](m map[string]V) string {
	if len(m) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(m)), ", ")
}

// Validate says what is wrong, and what to write instead.
func (s *Step) Validate() error {
	if (s.Proxy == "") == (s.Process == "") {
		return errors.New("a step has either a proxy with a fault, as in {at: 10s, for: 5s, proxy: db, blackhole: true}, " +
			"or a process, as in {at: 10s, process: db, do: kill}")
	}
	if s.Proxy != "" {
		if s.Do != "" {
			return errors.New("do is for processes; give a proxy a fault such as blackhole: true")
		}
		return s.Fault.Validate()
	}
	timing := Fault{At: s.At, For: s.For, Every: s.Every}
	switch {
	case !slices.Contains([]string{doKill, doStop, doRestart}, s.Do):
		return fmt.Errorf("%q cannot be done to a process; write kill, stop or restart", s.Do)
	case s.Fault != timing:
		return errors.New("a process has no connections that a fault could meet; use do: kill, stop or restart")
	case s.Do == doStop && s.For == 0:
		return errors.New("stop needs a for, after which the process goes on")
	case s.Do == doRestart && s.For != 0 && s.Every == 0:
		return errors.New("restart takes no time; leave for out, or use kill with it")
	}
	timing.Refuse = true // any kind, so that the times are checked
	return timing.Validate()
}

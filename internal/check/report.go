package check

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Status is the judgement of one finding.
type Status string

// The statuses.
const (
	OK   Status = "OK"
	Warn Status = "WARN" // it serves, at a cost
	Fail Status = "FAIL" // it cannot serve
)

// Finding is the answer to one question.
type Finding struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	// Found is what is there.
	Found string `json:"found"`
	// Cost is what goes wrong or is missed; empty when OK.
	Cost string `json:"cost,omitempty"`
	// Fix is what to do; empty when OK.
	Fix string `json:"fix,omitempty"`
}

// Report is all findings in the order in which to read them.
type Report struct {
	Findings []Finding
}

// Serves is false when something is missing that no request can do without.
func (r Report) Serves() bool {
	for _, f := range r.Findings {
		if f.Status == Fail {
			return false
		}
	}
	return true
}

func (r *Report) ok(name, format string, args ...any) {
	r.add(Finding{Name: name, Status: OK, Found: fmt.Sprintf(format, args...)})
}

func (r *Report) add(f Finding) { r.Findings = append(r.Findings, f) }

// WriteText writes an aligned table.
func (r Report) WriteText(w io.Writer) error {
	width := 0
	for _, f := range r.Findings {
		width = max(width, len(f.Name))
	}
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%-4s  %-*s  %s\n", f.Status, width, f.Name, f.Found)
		indent := strings.Repeat(" ", width+8)
		if f.Cost != "" {
			fmt.Fprintf(&b, "%scost: %s\n", indent, f.Cost)
		}
		if f.Fix != "" {
			fmt.Fprintf(&b, "%sfix:  %s\n", indent, f.Fix)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteJSON writes one object: serves, and the list of findings.
func (r Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(struct {
		Serves   bool      `json:"serves"`
		Findings []Finding `json:"findings"`
	}{r.Serves(), r.Findings})
}

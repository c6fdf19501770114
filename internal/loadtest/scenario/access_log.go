package scenario

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// accessLine is what is needed of a line of Slipstream's access log, see telemetry.Access.
type accessLine struct {
	Time               time.Time `json:"time"`
	Message            string    `json:"msg"`
	Method, Path, Role string
	Query              string
	Status             int
}

const (
	// longestLine that is read. Statements and all else in it are cut at much less.
	longestLine = 4 << 20
	// cutAt is how long the log's paths and queries are at most.
	cutAt = 4 << 10
	// defaultTarget is where a server is that nothing was said to.
	defaultTarget = "http://127.0.0.1:3000"
)

// FromAccessLog makes a scenario of Slipstream's access log, which other lines may be between. It has the reads alone, as the
// log has no bodies. The log has no tokens either: requests that ran as a role send one from the environment, unless the role's
// name says that it is for anonymous callers. An error has nothing of the lines in it.
func FromAccessLog(log io.Reader) (*Scenario, Summary, error) {
	r := newRecorder()
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, longestLine)
	n := 0
	for ; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) > 0 {
			r.line(lines.Bytes())
		}
	}
	if err := lines.Err(); err != nil {
		return nil, r.summary, fmt.Errorf("line %d: %w", n+1, err)
	}
	s, summary, err := r.scenario(defaultTarget)
	if errors.Is(err, errNothing) && summary.Read == 0 {
		err = fmt.Errorf("%w; Slipstream logs all requests with log-level: info", err)
	}
	return s, summary, err
}

func (r *recorder) line(text []byte) {
	var l accessLine
	err := json.Unmarshal(text, &l)
	if err != nil || l.Message != "request" || l.Method == "" || l.Path == "" || l.Time.IsZero() {
		r.leaveOut("lines that are none of the access log's", 1)
		return
	}
	switch {
	case l.Method != "GET" && l.Method != "HEAD":
		r.summary.Read++
		r.leaveOut("neither GET nor HEAD: the log has no bodies", 1)
		return
	case len(l.Path) >= cutAt || len(l.Query) >= cutAt:
		r.summary.Read++
		r.leaveOut("cut by the log as they are so long", 1)
		return
	}
	if r.secretIn(l.Role) != "" {
		l.Role = ""
	}
	e := exchange{at: l.Time, method: l.Method, path: l.Path, query: l.Query, role: l.Role, status: l.Status}
	if l.Role != "" && !strings.Contains(strings.ToLower(l.Role), "anon") {
		e.headers = []Header{{"Authorization", "Bearer ${" + envName(l.Role+"_token") + "}"}}
	}
	r.add(e)
}

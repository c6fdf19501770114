package scenario

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Summary tells what became of a recording.
type Summary struct {
	// Read is how many requests there were, and Kept how many the scenario was made of, over the time Took.
	Read, Kept int
	Took       time.Duration
	// LeftOut is how many are not in the scenario, by why.
	LeftOut map[string]int
	// Secrets are the environment variables that stand where secrets were.
	Secrets []string
	// Cut are the variables that do not have all values that were seen.
	Cut []Cut
	// Files are those that the scenario needs beside it.
	Files []CSV
}

// Cut says of variables which have the most frequent values alone that Left requests of All had others.
type Cut struct {
	Variables []string
	Left, All uint64
}

// CSV is a file of values.
type CSV struct{ Name, Text string }

// Bounds of what a recording keeps.
const (
	maxShapes     = 200       // kinds of requests in the scenario, the most frequent ones
	maxSeenShapes = 10_000    // while it is read
	maxRows       = 1000      // values of a variable, the most frequent ones
	maxSeenRows   = 1_000_000 // of all variables, while it is read
	maxInline     = 20        // values in the scenario itself; more go into a file
	maxSlots      = 100       // variables of one request
)

var errNothing = errors.New("nothing to record")

// exchange is a request as it was recorded.
type exchange struct {
	at                  time.Time
	method, path, query string
	headers             []Header
	bodyType, body      string
	// role is the database role that it ran as, if that is known.
	role   string
	status int
}

// recorder makes a scenario of exchanges.
type recorder struct {
	shapes  map[string]*shape
	rows    int // of all shapes
	pace    pace
	summary Summary
	// known are secrets that were seen where secrets are, to be found elsewhere, too.
	known []string
}

func newRecorder() *recorder {
	return &recorder{shapes: map[string]*shape{}, summary: Summary{LeftOut: map[string]int{}}}
}

// leaveOut counts requests that are not in the scenario, by what they are.
func (r *recorder) leaveOut(why string, n int) { r.summary.LeftOut[why] += n }

// add takes a request in, or counts why not.
func (r *recorder) add(e exchange) {
	r.summary.Read++
	m, err := r.mould(e)
	if err == nil && !r.pace.fits(e.at) {
		err = errTime
	}
	if err != nil {
		r.leaveOut(err.Error(), 1)
		return
	}
	key := m.key()
	s := r.shapes[key]
	if s == nil {
		if len(r.shapes) == maxSeenShapes {
			r.leaveOut("of too many kinds", 1)
			return
		}
		s = &shape{mould: m, rows: map[string]uint64{}, statuses: map[int]bool{}}
		s.values = nil
		r.shapes[key] = s
	}
	r.rows += s.add(m.values, e.status, r.rows < maxSeenRows)
	r.pace.add(e.at)
	r.summary.Kept++
}

// scenario is what came together, with the most frequent requests first.
func (r *recorder) scenario(target string) (*Scenario, Summary, error) {
	if r.summary.Kept == 0 {
		return nil, r.summary, fmt.Errorf("%w: %s", errNothing, strings.TrimSpace(r.summary.String()))
	}
	s := &Scenario{Target: target}
	all := slices.SortedFunc(maps.Values(r.shapes), func(a, b *shape) int {
		return cmp.Or(cmp.Compare(b.count, a.count), strings.Compare(a.key(), b.key()))
	})
	for _, rare := range all[min(len(all), maxShapes):] {
		r.leaveOut(fmt.Sprintf("not of the %d most frequent kinds", maxShapes), int(rare.count))
		r.summary.Kept -= int(rare.count)
	}
	all = all[:min(len(all), maxShapes)]
	b := newBuilder(s, &r.summary, all)
	for _, shape := range all {
		b.request(shape)
	}
	r.summary.Secrets = slices.Sorted(maps.Keys(b.secrets))
	var variables []Variable
	for _, name := range r.summary.Secrets {
		variables = append(variables, Variable{name, Env{name}})
	}
	s.Variables = append(variables, s.Variables...)
	s.Phases = r.pace.phases()
	for _, p := range s.Phases {
		r.summary.Took += p.Duration
	}
	if problems := s.check(); len(problems) > 0 {
		return nil, r.summary, joined(problems)
	}
	return s, r.summary, nil
}

// String is a text of a few lines for whoever has recorded.
func (s Summary) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests, of which %d are in the scenario, over %s\n", s.Read, s.Kept, s.Took.Round(time.Millisecond))
	for _, why := range slices.Sorted(maps.Keys(s.LeftOut)) {
		fmt.Fprintf(&b, "%d left out: %s\n", s.LeftOut[why], why)
	}
	for _, c := range s.Cut {
		fmt.Fprintf(&b, "%s: the %d most frequent values are kept; %d of %d requests had others\n", strings.Join(c.Variables, ", "), maxRows, c.Left, c.All)
	}
	if len(s.Secrets) > 0 {
		fmt.Fprintf(&b, "set in the environment what was left out as secret: %s\n", strings.Join(s.Secrets, ", "))
	}
	if s.Kept > 0 {
		b.WriteString("look through the scenario before you pass it on: values of filters are in it, and only what looked secret is not\n")
	}
	return b.String()
}

// Save writes the scenario to a new file, and what it needs beside it: files whose names begin with that file's. What is there
// already is left alone, with an error.
func (s *Scenario) Save(path string, files []CSV) error {
	base := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)) + "-"
	saved := *s
	saved.Variables = slices.Clone(s.Variables)
	for i, v := range saved.Variables {
		file, ok := v.From.(File)
		if ok && slices.ContainsFunc(files, func(c CSV) bool { return c.Name == file.Path }) {
			file.Path = base + file.Path
			saved.Variables[i].From = file
		}
	}
	var text strings.Builder
	if err := saved.WriteYAML(&text); err != nil {
		return err
	}
	for _, f := range files {
		if err := writeNew(filepath.Join(filepath.Dir(path), base+f.Name), f.Text); err != nil {
			return err
		}
	}
	return writeNew(path, text.String())
}

// writeNew writes a file that others cannot read: what it has may be personal.
func writeNew(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if os.IsExist(err) {
		return &fs.PathError{Op: "write", Path: path, Err: fmt.Errorf("%w: remove it, or choose another name", fs.ErrExist)}
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return cmp.Or(err, f.Close())
}

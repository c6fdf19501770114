package report

import (
	"errors"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// Overlay is several reports in one picture, such as of the same load with something and without it. Of each, the runs are added
// up in tables, and the first is drawn. It has mostOverlaid of them at most, each with a run.
type Overlay []Named

// Named is a report and what its curve is called.
type Named struct {
	Name   string
	Report Report
}

// mostOverlaid is how many curves can be told apart, by colour or by dashes.
const mostOverlaid = 4

// HTML is the function of this name, for several reports.
func (o Overlay) HTML(w io.Writer) error {
	if err := o.check(); err != nil {
		return err
	}
	return page{summary: o.summarize(), Overlaid: o.plots(), Columns: figureColumns(), Method: method(o[0].Report.Runs[0].Open)}.write(w)
}

// Text is the function of this name, for several reports.
func (o Overlay) Text(w io.Writer, t Terminal) error {
	if err := o.check(); err != nil {
		return err
	}
	return o.summarize().text(w, t)
}

// SVG writes the plots of HTML as a picture without scripts, which can stand in Markdown. It is light or dark as the reader's
// browser is, and has a background of its own, as the page around it may be either.
func (o Overlay) SVG(w io.Writer) error {
	if err := o.check(); err != nil {
		return err
	}
	t, err := template.ParseFS(pageFiles, "page/overlay.svg")
	if err != nil {
		return err
	}
	if err := t.Execute(w, newPicture(o.plots())); err != nil {
		return fmt.Errorf("write the picture: %w", err)
	}
	return nil
}

func (o Overlay) check() error {
	if len(o) == 0 {
		return errors.New("show reports together: there is none")
	}
	if len(o) > mostOverlaid {
		return fmt.Errorf("show reports together: there are %d; give at most %d, or their curves could not be told apart", len(o), mostOverlaid)
	}
	for _, n := range o {
		if len(n.Report.Runs) == 0 {
			return fmt.Errorf("show reports together: %s has no run, only a search for a rate, which has no course over time; leave it out", n.Name)
		}
	}
	return nil
}

// summarize puts rows about the same thing next to each other.
func (o Overlay) summarize() summary {
	var s summary
	var names []string
	var tables [][]section
	for _, n := range o {
		one := summarize(Report{Runs: []*loadtest.Result{together(n.Report.Runs)}})
		name := printable(n.Name)
		names, tables = append(names, name), append(tables, one.Sections)
		s.Facts = append(s.Facts, name+": "+printable(asked(together(n.Report.Runs), len(n.Report.Runs))))
		for _, warning := range one.Warnings {
			s.Warnings = append(s.Warnings, name+": "+warning)
		}
		for _, row := range one.Errors {
			s.Errors = append(s.Errors, []string{name + ": " + row[0], row[1]})
		}
		for _, remark := range one.Remarks {
			s.Remarks = append(s.Remarks, name+": "+remark)
		}
	}
	s.Title = strings.Join(names, ", ")
	s.Facts = append(s.Facts, madeBy(o[0].Report), latenciesAre)
	s.Sections = alternate(names, tables)
	return s
}

// alternate makes a section of each row of the first table, with the rows of that name of all tables.
func alternate(names []string, tables [][]section) []section {
	var list []section
	for _, part := range tables[0] {
		for _, row := range part.Rows {
			next := section{Title: strings.TrimSpace(strings.TrimSuffix(part.Title, "s") + " " + row[0])}
			for i, table := range tables {
				next.Rows = append(next.Rows, renamed(table, part.Title, row[0], names[i])...)
			}
			list = append(list, next)
		}
	}
	list[0].Title = ""
	return list
}

// renamed is the row of a part and a name under another name, if there is such a row.
func renamed(table []section, part, name, to string) [][]string {
	for _, s := range table {
		for _, row := range s.Rows {
			if s.Title == part && row[0] == name {
				return [][]string{append([]string{to}, row[1:]...)}
			}
		}
	}
	return nil
}

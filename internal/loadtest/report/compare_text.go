package report

import (
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"
)

func compareColumns() []string {
	return []string{"", "figure", "before", "after", "change", "95 % between", "verdict"}
}

// Text writes a comparison for a terminal, or a log.
func (c Comparison) Text(w io.Writer, t Terminal) error {
	if t.Width == 0 {
		t.Width = 80
	}
	p := &printer{width: max(t.Width, 40), color: t.Color}
	for _, warning := range c.Warnings {
		p.paragraph(red, "! "+warning)
	}
	rows := c.rows()
	all := append([][]string{compareColumns()}, rows...)
	widths := make([]int, len(all[0]))
	for i := range widths {
		widths[i] = widest(all, i)
	}
	// Names give way first.
	for i, w := range widths {
		if i > 0 {
			t.Width -= w + 2
		}
	}
	widths[0] = min(widths[0], max(t.Width, 8))
	for i, row := range all {
		color := plain
		switch {
		case i == 0:
			color = bold
		case c.Lines[i-1].Failed:
			color = red
		}
		p.line(color, cut(compared(row, widths), p.width))
	}
	p.b.WriteByte('\n')
	color := plain
	if c.Failed() {
		color = red
	}
	p.paragraph(color, c.conclusion())
	p.paragraph(plain, c.Method)
	if _, err := io.WriteString(w, strings.TrimRight(p.b.String(), "\n")+"\n"); err != nil {
		return fmt.Errorf("write the comparison: %w", err)
	}
	return nil
}

// compared has words on the left and numbers on the right.
func compared(row []string, widths []int) string {
	var cells []string
	for i, cell := range row {
		cells = append(cells, padded(cut(cell, widths[i]), widths[i], i >= 2 && i <= 5))
	}
	return strings.Join(cells, "  ")
}

// Markdown writes a comparison as a table in GitHub's Markdown, for a job's summary.
func (c Comparison) Markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**\n\n", markdown(c.conclusion()))
	for _, warning := range c.Warnings {
		fmt.Fprintf(&b, "> ⚠️ %s\n\n", markdown(warning))
	}
	b.WriteString("|  | figure | before | after | change | 95 % between | verdict |\n|---|---|--:|--:|--:|--:|---|\n")
	for i, row := range c.rows() {
		for j, cell := range row {
			cell = markdown(cell)
			if c.Lines[i].Failed && j == len(row)-1 {
				cell = "**" + cell + "**"
			}
			b.WriteString("| " + cell + " ")
		}
		b.WriteString("|\n")
	}
	fmt.Fprintf(&b, "\n%s\n", markdown(c.Method))
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the comparison: %w", err)
	}
	return nil
}

// markdown has a text mean itself.
func markdown(s string) string {
	var b strings.Builder
	for _, r := range printable(s) {
		if r < utf8.RuneSelf && strings.ContainsRune("\\`*_{}[]<>#|~!@&$", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func (c Comparison) conclusion() string {
	var failed []string
	for _, l := range c.Lines {
		if l.Failed {
			failed = append(failed, fmt.Sprintf("%s of %s by %s", l.Metric, l.Part, strings.TrimLeft(l.changed(l.Change), "+-")))
		}
	}
	allowed := fmt.Sprintf("%s, or %s more errors", strings.TrimPrefix(change(c.MaxRegression), "+"), strings.TrimPrefix(points(c.MaxErrors), "+"))
	if len(failed) == 0 {
		return "Nothing got worse by more than " + allowed + ", beyond chance."
	}
	return fmt.Sprintf("Worse by more than %s: %s.", allowed, strings.Join(failed, "; "))
}

func (c Comparison) rows() [][]string {
	var rows [][]string
	for i, l := range c.Lines {
		name := l.Part
		if i > 0 && c.Lines[i-1].Part == name {
			name = ""
		}
		between := none
		if !math.IsNaN(l.Low) {
			between = l.changed(l.Low) + " … " + l.changed(l.High)
		}
		verdict := string(l.Verdict)
		if l.Failed {
			verdict += ", too much"
		}
		rows = append(rows, []string{printable(name), l.Metric + l.unit(), l.value(l.Before), l.value(l.After), l.changed(l.Change), between, verdict})
	}
	return rows
}

func (l Line) isShare() bool { return l.Metric == "errors" }

func (l Line) unit() string {
	if strings.HasPrefix(l.Metric, "p") {
		return " ms"
	}
	return ""
}

func (l Line) value(f float64) string {
	if l.isShare() {
		return percent(f)
	}
	return figure(f)
}

func (l Line) changed(f float64) string {
	if l.isShare() {
		return points(f)
	}
	return change(f)
}

// points writes a difference of shares, in percentage points.
func points(f float64) string { return strings.Replace(change(f), " %", " pt", 1) }

package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Terminal is what Text writes to. Zero fields are the defaults.
type Terminal struct {
	// Width in characters. Default 80; what is narrower than 40 counts as 40.
	Width int
	// Color has warnings and errors stand out, with ANSI's sequences. Default false.
	Color bool
}

// Text writes a report for a terminal, or a log.
func Text(w io.Writer, r Report, t Terminal) error { return summarize(r).text(w, t) }

func (s summary) text(w io.Writer, t Terminal) error {
	if t.Width == 0 {
		t.Width = 80
	}
	p := &printer{width: max(t.Width, 40), color: t.Color}
	for _, warning := range s.Warnings {
		p.paragraph(red, "! "+warning)
	}
	p.line(bold, cut(s.Title, p.width))
	p.paragraph(plain, s.Facts...)
	p.sections(s.Sections)
	p.table("Errors", nil, s.Errors)
	p.table("Faults", nil, s.Faults)
	if s.KneeFound != "" {
		p.knee(s)
	}
	p.paragraph(plain, s.Remarks...)
	if _, err := io.WriteString(w, strings.TrimRight(p.b.String(), "\n")+"\n"); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// Colours, as ANSI numbers.
const (
	plain = ""
	bold  = "1"
	red   = "1;31"
)

type printer struct {
	b     strings.Builder
	width int
	color bool
}

// paragraph writes each text from a line's start, wrapped, and an empty line after the last.
func (p *printer) paragraph(color string, texts ...string) {
	for _, text := range texts {
		for _, line := range wrapped(printable(text), p.width) {
			p.line(color, line)
		}
	}
	if len(texts) > 0 {
		p.b.WriteByte('\n')
	}
}

func (p *printer) line(color, text string) {
	text = strings.TrimRight(text, " ")
	if p.color && color != plain && text != "" {
		text = "\x1b[" + color + "m" + text + "\x1b[0m"
	}
	p.b.WriteString(text + "\n")
}

// sections writes tables whose columns are in line with each other's.
func (p *printer) sections(list []section) {
	if len(list) == 0 {
		return
	}
	rows := [][]string{figureColumns()}
	for _, s := range list {
		rows = append(rows, s.Rows...)
	}
	keep := p.columns(rows)
	widths := p.fit(rows, keep)
	p.line(bold, cells(rows[0], keep, widths))
	for _, s := range list {
		if s.Title != "" {
			p.line(bold, s.Title)
		}
		for _, row := range s.Rows {
			p.line(plain, cells(row, keep, widths))
		}
	}
	p.b.WriteByte('\n')
}

// columns are those of figureColumns for which there is room beside names of eight characters: all, or the more important ones.
func (p *printer) columns(rows [][]string) []int {
	for _, keep := range [][]int{{0, 1, 2, 3, 4, 5, 6, 7, 8}, {0, 1, 2, 3, 4, 6, 8}, {0, 2, 3, 4, 6}} {
		room := p.width
		for _, c := range keep[1:] {
			room -= widest(rows, c) + 2
		}
		if room >= min(8, widest(rows, 0)) {
			return keep
		}
	}
	return []int{0, 3, 6}
}

// fit gives the first column what the others leave, if it needs that much.
func (p *printer) fit(rows [][]string, keep []int) []int {
	room := p.width
	widths := make([]int, len(keep))
	for i, c := range keep[1:] {
		widths[i+1] = widest(rows, c)
		room -= widths[i+1] + 2
	}
	widths[0] = min(widest(rows, 0), max(room, 8))
	return widths
}

// knee leaves out what there may be no room for.
func (p *printer) knee(s summary) {
	keep := []int{0, 1, 2, 3, 4, 5, 6, 7, 8}
	if p.width < 80 {
		keep = []int{0, 3, 5, 8}
	}
	var rows [][]string
	for _, row := range append([][]string{kneeColumns()}, s.KneePoints...) {
		var kept []string
		for _, c := range keep {
			kept = append(kept, row[c])
		}
		rows = append(rows, kept)
	}
	p.table("Knee: "+s.KneeFound, rows[0], rows[1:])
}

// table writes nothing if there are no rows. The last column is on the left, as are those without a header; numbers are on the right.
func (p *printer) table(title string, header []string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	for _, line := range wrapped(printable(title), p.width) {
		p.line(bold, line)
	}
	all := rows
	if header != nil {
		all = append([][]string{header}, rows...)
	}
	last := len(rows[0]) - 1
	for _, row := range all {
		var line strings.Builder
		for c, cell := range row[:last] {
			line.WriteString(padded(cell, widest(all, c), header != nil) + "  ")
		}
		p.line(plain, cut("  "+line.String()+row[last], p.width))
	}
	p.b.WriteByte('\n')
}

func widest(rows [][]string, column int) int {
	n := 0
	for _, row := range rows {
		n = max(n, utf8.RuneCountInString(row[column]))
	}
	return n
}

// cells has the first on the left and the others on the right. What is too long for the first is cut.
func cells(row []string, keep, widths []int) string {
	line := padded(cut(row[0], widths[0]), widths[0], false)
	for i, c := range keep[1:] {
		line += "  " + padded(row[c], widths[i+1], true)
	}
	return line
}

// cut says with "…" that it has left something out.
func cut(text string, width int) string {
	if runes := []rune(printable(text)); len(runes) > width {
		return string(runes[:width-1]) + "…"
	}
	return printable(text)
}

func padded(cell string, width int, right bool) string {
	space := strings.Repeat(" ", max(0, width-utf8.RuneCountInString(cell)))
	if right {
		return space + cell
	}
	return cell + space
}

// wrapped breaks a text between words.
func wrapped(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		word = cut(word, width)
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

package report

import (
	"math"
	"strconv"
	"strings"
)

// Plots are drawn on this grid, which is stretched to the page's width; texts are beside it, so that they are not stretched.
const (
	gridWidth  = 1000
	gridHeight = 300
)

// plot is what the page's template draws. All of it is text by then: positions are percents from the left or from the bottom.
type plot struct {
	// ID is the plot's own in its page.
	ID, Title, Desc string
	// YLabel says what is up and in which unit, XLabel what is to the right.
	YLabel, XLabel string
	// Dense plots have thinner lines.
	Dense  bool
	X, Y   []tick
	Strips []strip
	Bands  []band
	Badges []badge
	Curves []curve
	Hits   []hit
	Legend []legend
}

type tick struct {
	At, Label string
	// Grid is where its line is on the grid.
	Grid string
	// Class is "minor" for labels that are left out where there is little room, and "end" for those that must not stand out.
	Class string
}

// strip is a phase's name above a plot, which is hidden where it is too short a phase.
type strip struct {
	Left, Width, Label string
	Hidden             bool
}

// band is a time that is marked.
type band struct{ X, Width, Class string }

// badge is a fault's number, at its time.
type badge struct{ Left, Label, Name string }

type curve struct{ Class, Path string }

// hit is where a point's values are shown.
type hit struct{ X, Width, Text string }

type legend struct{ Class, Label string }

func number(f float64) string { return strconv.FormatFloat(f, 'f', 2, 64) }

// percentOf writes a part from 0 to 1 as a percentage for style sheets.
func percentOf(f float64) string { return number(100 * f) }

// tickX is the n-th of its axis, which has labels for every other tick only, where there is little room.
func tickX(n int, at float64, label string) tick {
	t := tick{At: percentOf(at), Label: label, Grid: number(gridWidth * at)}
	switch {
	case n%2 == 1:
		t.Class = "minor"
	case at > 0.97:
		t.Class = "end"
	}
	return t
}

func ticksY(s scale) []tick {
	var list []tick
	for _, v := range s.ticks() {
		list = append(list, tick{At: percentOf(s.at(v)), Label: tickLabel(v), Grid: number(gridHeight * (1 - s.at(v)))})
	}
	return list
}

// pen draws a curve on the grid.
type pen struct {
	b    strings.Builder
	down bool
}

// to draws a line to a point, from 0 to 1 in both directions. NaN interrupts the curve.
func (p *pen) to(x, y float64) {
	if math.IsNaN(y) {
		p.down = false
		return
	}
	command := "L"
	if !p.down {
		command = "M"
	}
	p.down = true
	p.b.WriteString(command + number(gridWidth*x) + " " + number(gridHeight*(1-y)))
}

// step draws a value that holds for a while.
func (p *pen) step(from, to, y float64) {
	p.to(from, y)
	p.to(to, y)
}

// dot is a line of no length, which has round or square ends.
func (p *pen) dot(x, y float64) {
	p.down = false
	p.to(x, y)
	p.b.WriteString("h0")
}

func (p *pen) curve(class string) curve { return curve{class, p.b.String()} }

// under is the area between a curve, which starts at x, and the axis.
func (p *pen) under(x float64) curve {
	area := pen{down: true}
	area.b.WriteString(p.b.String())
	area.to(1, 0)
	area.to(x, 0)
	return area.curve("under")
}

// flat is a horizontal line.
func flat(class string, y float64) curve {
	var p pen
	p.step(0, 1, y)
	return p.curve(class)
}

// upright is a vertical line.
func upright(class string, x float64) curve {
	var p pen
	p.to(x, 0)
	p.to(x, 1)
	return p.curve(class)
}

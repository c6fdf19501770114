package report

// The picture of an overlay, in its own units: plots on the grid of the page, one below the other, with room for texts around.
const (
	pictureWidth = 1110
	plotHeight   = 450
	entryWidth   = 22 // characters
)

// picture is what the template of pictures shows.
type picture struct {
	Width, Height int
	Plots         []pictured
}

// pictured is a plot with its place.
type pictured struct {
	plot
	Top     int
	Entries []entry
}

// entry is a curve's name in the legend, from the right end.
type entry struct {
	legend
	X int
}

func newPicture(plots []plot) picture {
	p := picture{Width: pictureWidth, Height: plotHeight*len(plots) + 10}
	for i, plot := range plots {
		next := pictured{plot: plot, Top: plotHeight * i}
		room := gridWidth / mostOverlaid
		for n, l := range plot.Legend {
			l.Label = cut(l.Label, entryWidth)
			next.Entries = append(next.Entries, entry{l, gridWidth - room*(len(plot.Legend)-n)})
		}
		p.Plots = append(p.Plots, next)
	}
	return p
}

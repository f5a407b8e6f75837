package main

import (
	"image/color"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// picture is one file: the same figure for small and for large proposals side by side.
type picture struct {
	file, label string
	get         func(figures) float64
	legendTop   bool
	legendLeft  bool
}

var pictures = []picture{
	{"benchmarks-throughput.png", "proposals per second", rate, false, false},
	{"benchmarks-latency.png", "median latency in ms", func(f figures) float64 { return f.P50 }, true, true},
	{"benchmarks-cpu.png", "CPU seconds for 10,000 proposals", func(f figures) float64 { return f.CPU }, true, false},
}

// look is how a library is drawn: colours that stay apart for colour-blind eyes too (Okabe
// and Ito), and a mark of its own.
type look struct {
	title  string
	colour color.RGBA
	shape  draw.GlyphDrawer
	width  vg.Length
	dashes []vg.Length
}

var looks = map[string]look{
	"quorate":    {"Quorate", color.RGBA{R: 0xd5, G: 0x5e, B: 0x00, A: 0xff}, draw.CircleGlyph{}, 3, nil},
	"etcd":       {"etcd raft", color.RGBA{R: 0x00, G: 0x72, B: 0xb2, A: 0xff}, draw.SquareGlyph{}, 1.5, nil},
	"etcd-async": {"etcd raft, async storage", color.RGBA{R: 0x56, G: 0xb4, B: 0xe9, A: 0xff}, draw.BoxGlyph{}, 1.5, nil},
	"hashicorp":  {"hashicorp/raft", color.RGBA{R: 0x00, G: 0x9e, B: 0x73, A: 0xff}, draw.PyramidGlyph{}, 1.5, nil},
	"floor":      {"floor (not Raft)", color.RGBA{R: 0x80, G: 0x80, B: 0x80, A: 0xff}, draw.CrossGlyph{}, 1.5, []vg.Length{4, 3}},
}

// writePictures draws every picture into dir.
func writePictures(r *results, dir string) error {
	for _, p := range pictures {
		if err := p.write(r, filepath.Join(dir, p.file)); err != nil {
			return err
		}
	}
	return nil
}

func (p picture) write(r *results, file string) error {
	const width, height, dpi = 10 * vg.Inch, 4.2 * vg.Inch, 120
	canvas := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dpi))
	tiles := draw.Tiles{Rows: 1, Cols: 2, PadX: 20, PadTop: 6, PadBottom: 6, PadLeft: 6, PadRight: 10}
	dc := draw.New(canvas)
	var plots []*plot.Plot
	for i, bytes := range []int{128, 4096} {
		pl, err := p.plot(r, bytes, i == 0)
		if err != nil {
			return err
		}
		plots = append(plots, pl)
	}
	alike(plots)
	for i, pl := range plots {
		pl.Draw(tiles.At(dc, i, 0))
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if _, err := (vgimg.PngCanvas{Canvas: canvas}).WriteTo(f); err != nil {
		f.Close() //nolint:errcheck // the first error counts
		return err
	}
	return f.Close()
}

func (p picture) plot(r *results, bytes int, legend bool) (*plot.Plot, error) {
	pl := plot.New()
	// What y is stands in the title: the library makes room for a label of a logarithmic
	// axis as if the axis were linear, and that leaves half of the picture empty.
	pl.Title.Text = p.label + ", " + strconv.Itoa(bytes) + " bytes"
	pl.Title.Padding = 6
	pl.X.Label.Text = "in flight"
	pl.X.Scale, pl.X.Tick.Marker = plot.LogScale{}, plot.ConstantTicks(ticksAt(r, bytes))
	pl.Y.Scale, pl.Y.Tick.Marker = plot.LogScale{}, decades{}
	for _, f := range []*font.Font{&pl.X.Label.TextStyle.Font, &pl.Title.TextStyle.Font} {
		f.Size = 12
	}
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{Y: 0xe0}, color.Gray{Y: 0xe0}
	pl.Add(grid)
	for i := range r.Names {
		name := r.Names[len(r.Names)-1-i] // our own on top
		if err := p.line(pl, r, name, bytes); err != nil {
			return nil, err
		}
	}
	if legend {
		if err := p.legend(pl, r); err != nil {
			return nil, err
		}
	}
	return pl, nil
}

func (p picture) legend(pl *plot.Plot, r *results) error {
	pl.Legend.Top, pl.Legend.Left = p.legendTop, p.legendLeft
	pl.Legend.Padding = 3
	pl.Legend.XOffs, pl.Legend.YOffs = -6, 6
	if p.legendLeft {
		pl.Legend.XOffs = 6
	}
	if p.legendTop {
		pl.Legend.YOffs = -6
	}
	for _, name := range r.Names {
		l, s, err := drawn(name, plotter.XYs{{X: 1, Y: 1}})
		if err != nil {
			return err
		}
		pl.Legend.Add(lookOf(name).title, l, s)
	}
	return nil
}

func lookOf(name string) look {
	if l, ok := looks[name]; ok {
		return l
	}
	return look{name, color.RGBA{A: 0xff}, draw.PlusGlyph{}, 1.5, nil}
}

func drawn(name string, xys plotter.XYs) (*plotter.Line, *plotter.Scatter, error) {
	line, points, err := plotter.NewLinePoints(xys)
	if err != nil {
		return nil, nil, err
	}
	how := lookOf(name)
	line.Color, line.Width, line.Dashes = how.colour, how.width, how.dashes
	points.GlyphStyle = draw.GlyphStyle{Color: how.colour, Radius: 3.5, Shape: how.shape}
	return line, points, nil
}

func (p picture) line(pl *plot.Plot, r *results, name string, bytes int) error {
	var xys plotter.XYs
	for i := range r.Points {
		m := &r.Points[i]
		if f, ok := m.median(name); ok && m.Point.Bytes == bytes {
			xys = append(xys, plotter.XY{X: float64(m.Point.InFlight), Y: p.get(f)})
		}
	}
	if len(xys) == 0 {
		return nil
	}
	line, points, err := drawn(name, xys)
	if err != nil {
		return err
	}
	pl.Add(line, points)
	return nil
}

func ticksAt(r *results, bytes int) (ticks []plot.Tick) {
	for i := range r.Points {
		if p := r.Points[i].Point; p.Bytes == bytes {
			ticks = append(ticks, plot.Tick{Value: float64(p.InFlight), Label: strconv.Itoa(p.InFlight)})
		}
	}
	return ticks
}

// alike gives the plots one range of y, a little wider than the figures.
func alike(plots []*plot.Plot) {
	low, high := math.Inf(1), math.Inf(-1)
	for _, p := range plots {
		low, high = min(low, p.Y.Min), max(high, p.Y.Max)
	}
	for _, p := range plots {
		p.Y.Min, p.Y.Max = low/1.3, high*1.3
		p.X.Min, p.X.Max = p.X.Min/1.15, p.X.Max*1.15
	}
}

// decades marks 1, 2 and 5 of every decade, with plain numbers.
type decades struct{}

// Ticks implements plot.Ticker.
func (decades) Ticks(low, high float64) (ticks []plot.Tick) {
	for e := math.Floor(math.Log10(low)); e <= math.Ceil(math.Log10(high)); e++ {
		for _, f := range []float64{1, 2, 5} {
			if v := f * math.Pow(10, e); v >= low && v <= high {
				ticks = append(ticks, plot.Tick{Value: v, Label: short(v)})
			}
		}
	}
	return ticks
}

func short(v float64) string {
	switch {
	case v >= 1e6:
		return strconv.FormatFloat(v/1e6, 'g', 4, 64) + " M"
	case v >= 1e3:
		return strconv.FormatFloat(v/1e3, 'g', 4, 64) + " k"
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

package main

import (
	"image/color"
	"math"
	"strconv"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"twokey/bench/site"
)

// curve is one line of the picture.
type curve struct {
	name   string
	of     func(level) site.Sample
	share  float64 // of the logins that took no longer
	colour color.RGBA
	dashes []vg.Length
}

// curves tell twokey from its absence by colour, and the median from the slowest by dashes.
func curves() []curve {
	with, without := func(l level) site.Sample { return l.with }, func(l level) site.Sample { return l.without }
	blue, grey := color.RGBA{R: 0x1f, G: 0x5f, B: 0xbf, A: 0xff}, color.RGBA{R: 0x77, G: 0x77, B: 0x77, A: 0xff}
	dashed := []vg.Length{vg.Points(5), vg.Points(3)}
	return []curve{
		{"with twokey, median", with, 0.5, blue, nil},
		{"with twokey, 95 of 100", with, 0.95, blue, dashed},
		{"password only, median", without, 0.5, grey, nil},
		{"password only, 95 of 100", without, 0.95, grey, dashed},
	}
}

// points are milliseconds by how many there were at a time.
func (c curve) points(levels []level) plotter.XYs {
	var all plotter.XYs
	for _, l := range levels {
		all = append(all, plotter.XY{X: float64(l.atOnce), Y: c.of(l).Quantile(c.share) / float64(time.Millisecond)})
	}
	return all
}

// powers are marks at powers of two, 1 to 64.
type powers struct{}

// Ticks is that of plot.Ticker.
func (powers) Ticks(least, most float64) []plot.Tick {
	var marks []plot.Tick
	for v := 1.0; v <= most; v *= 2 {
		if v >= least {
			marks = append(marks, plot.Tick{Value: v, Label: strconv.Itoa(int(v))})
		}
	}
	return marks
}

// draw writes the picture, as SVG where the name ends in that.
func draw(levels []level, file string) error {
	p := plot.New()
	p.Title.Text = "One login through sshd, on one machine with all its clients"
	p.X.Label.Text, p.Y.Label.Text = "logins at a time", "milliseconds"
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, powers{}
	p.Y.Min, p.Legend.Top, p.Legend.Left = 0, true, true
	p.Legend.XOffs, p.Legend.YOffs = vg.Points(12), -vg.Points(6)
	p.Add(plotter.NewGrid())
	most := 0.0
	for _, c := range curves() {
		points := c.points(levels)
		line, err := plotter.NewLine(points)
		if err != nil {
			return err
		}
		line.Color, line.Dashes, line.Width = c.colour, c.dashes, vg.Points(1.5)
		p.Add(line)
		p.Legend.Add(c.name, line)
		for _, point := range points {
			most = math.Max(most, point.Y)
		}
	}
	p.Y.Max = most * 1.05
	p.X.Min = float64(levels[0].atOnce)
	p.X.Max = math.Max(2*p.X.Min, float64(levels[len(levels)-1].atOnce))
	return p.Save(18*vg.Centimeter, 11*vg.Centimeter, file)
}

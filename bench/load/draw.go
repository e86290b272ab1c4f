package main

import (
	"bytes"
	"image/color"
	"math"
	"os"
	"strconv"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	vgdraw "gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

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

// roundTimes are marks at round milliseconds, five or so.
type roundTimes struct{}

// Ticks is that of plot.Ticker.
func (roundTimes) Ticks(least, most float64) []plot.Tick {
	step := 1.0
	for i := 0; most/step > 6; i++ {
		step *= []float64{2, 2.5, 2}[i%3] // 1, 2, 5, 10, 20, 50
	}
	var marks []plot.Tick
	for v := 0.0; v <= most; v += step {
		if v >= least {
			marks = append(marks, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'f', -1, 64)})
		}
	}
	return marks
}

// The picture's size, and the margin around what is drawn: labels stand out of the axes at both ends.
const (
	width, height = 18 * vg.Centimeter, 11 * vg.Centimeter
	margin        = vg.Length(14)
)

// sans are the letters that plot measures, and those that stand for them where they are missing: all as wide.
const (
	sans     = "font-family:Liberation Sans"
	sansElse = sans + ",Arial,Helvetica,sans-serif"
)

// draw writes the picture, as SVG on a white ground.
func draw(levels []level, file string) error {
	p := plot.New()
	p.Title.Text = "One login through sshd, with all its clients on the same machine"
	p.X.Label.Text, p.Y.Label.Text = "logins at a time", "time of a login, milliseconds"
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, powers{}
	p.Y.Tick.Marker = roundTimes{}
	p.Y.Min, p.Legend.Top, p.Legend.Left = 0, true, true
	p.Legend.XOffs, p.Legend.YOffs, p.Legend.Padding = vg.Points(12), -vg.Points(6), vg.Points(3)
	p.Title.Padding, p.X.Label.Padding, p.Y.Label.Padding = vg.Points(10), vg.Points(4), vg.Points(4)
	for _, text := range []*font.Font{&p.Title.TextStyle.Font, &p.X.Label.TextStyle.Font, &p.Y.Label.TextStyle.Font, &p.X.Tick.Label.Font, &p.Y.Tick.Label.Font, &p.Legend.TextStyle.Font} {
		text.Variant = "Sans"
	}
	p.Add(plotter.NewGrid())
	most, err := drawCurves(p, levels)
	if err != nil {
		return err
	}
	p.Y.Max = most * 1.05
	p.X.Min = float64(levels[0].atOnce)
	p.X.Max = math.Max(2*p.X.Min, float64(levels[len(levels)-1].atOnce))
	canvas := vgsvg.New(width, height)
	whole := vgdraw.New(canvas)
	whole.SetColor(color.White)
	whole.Fill(whole.Rectangle.Path())
	p.Draw(vgdraw.Crop(whole, margin, -margin, margin, -margin))
	var text bytes.Buffer
	if _, err := canvas.WriteTo(&text); err != nil {
		return err
	}
	return os.WriteFile(file, bytes.ReplaceAll(text.Bytes(), []byte(sans), []byte(sansElse)), 0o644)
}

// drawCurves adds them, and says how far up they go.
func drawCurves(p *plot.Plot, levels []level) (most float64, err error) {
	for _, c := range curves() {
		points := c.points(levels)
		line, err := plotter.NewLine(points)
		if err != nil {
			return 0, err
		}
		line.Color, line.Dashes, line.Width = c.colour, c.dashes, vg.Points(1.5)
		p.Add(line)
		p.Legend.Add(c.name, line)
		for _, point := range points {
			most = math.Max(most, point.Y)
		}
	}
	return most, nil
}

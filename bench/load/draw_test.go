package main

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"twokey/bench/site"
)

func TestThePictureHasEveryCurve(t *testing.T) {
	t.Parallel()
	levels := []level{{1, site.Sample{3e6, 5e6, 4e6}, site.Sample{2e6}}, {4, site.Sample{8e6}, site.Sample{4e6, 6e6}}}
	file := filepath.Join(t.TempDir(), "load.svg")
	if err := draw(levels, file); err != nil {
		t.Fatal(err)
	}
	picture, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var root struct{ XMLName xml.Name }
	if err := xml.Unmarshal(picture, &root); err != nil || root.XMLName.Local != "svg" {
		t.Errorf("%v, %v", root.XMLName, err)
	}
	for _, c := range curves() {
		if !strings.Contains(string(picture), c.name) {
			t.Errorf("%q is not in it", c.name)
		}
	}
	if n := strings.Count(string(picture), "<text"); n == 0 || strings.Count(string(picture), sansElse) != n {
		t.Errorf("not all of %d texts have letters that everybody has", n)
	}
	points := curves()[0].points(levels)
	if len(points) != 2 || points[0].X != 1 || points[0].Y != 4 || points[1].X != 4 || points[1].Y != 8 {
		t.Errorf("%v, want 4 ms and 8 ms", points)
	}
}

func TestOneLevelCanBeDrawn(t *testing.T) {
	t.Parallel()
	if err := draw([]level{{1, site.Sample{3e6}, site.Sample{2e6}}}, filepath.Join(t.TempDir(), "one.svg")); err != nil {
		t.Error(err)
	}
}

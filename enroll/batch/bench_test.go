package batch

import (
	"strconv"
	"strings"
	"testing"
)

// benched are how many users a list here has.
const benched = 1000

// BenchmarkParse is what a line of a list costs that is read.
func BenchmarkParse(b *testing.B) {
	csv, yaml := "user\n", "version: 1\nusers:\n"
	for i := range benched {
		name := "user" + strconv.Itoa(i)
		csv += name + "\n"
		yaml += "- user: " + name + "\n  devices:\n  - name: phone\n    digits: 6\n    period: 30s\n"
	}
	for name, text := range map[string]string{"x.csv": csv, "x.yaml": yaml} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f, err := Parse(name, strings.NewReader(text), Options{})
				if err != nil || len(f.Users) != benched {
					b.Fatal(err)
				}
			}
			perUser(b)
		})
	}
}

// perUser says how long it took for one of them.
func perUser(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*benched), "ns/user")
}

// BenchmarkPlan is what a user costs who is as the list says.
func BenchmarkPlan(b *testing.B) {
	j := newJob(b)
	list := "user\n"
	for i := range benched {
		list += "user" + strconv.Itoa(i) + "\n"
	}
	f, err := Parse("x.csv", strings.NewReader(list), Options{})
	must(b, err)
	all, err := apply(j, f)
	must(b, err)
	for _, p := range all {
		must(b, p.Err)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, p := range plans(j, f) {
			if p.Err != nil || !p.Idle() {
				b.Fatal(p.Err, p.Changes)
			}
		}
	}
	perUser(b)
}

// BenchmarkApply is what a new user costs: devices, recovery codes, and the files of both.
func BenchmarkApply(b *testing.B) {
	j := newJob(b)
	begun := 0
	b.ReportAllocs()
	for b.Loop() {
		list := "user\n"
		for range benched {
			begun++
			list += "user" + strconv.Itoa(begun) + "\n"
		}
		f, err := Parse("x.csv", strings.NewReader(list), Options{})
		must(b, err)
		all, err := apply(j, f)
		must(b, err)
		for _, p := range all {
			must(b, p.Err)
		}
	}
	perUser(b)
}

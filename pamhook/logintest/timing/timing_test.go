package timing

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	tries   = flag.Int("tries", 500, "logins of each class")
	control = flag.Int("control", 150, "logins of each class when a difference is planted")
)

// limit is the AUC that no two classes may exceed.
const limit = 0.6

func TestMain(m *testing.M) {
	if os.Getenv(application) == "" {
		os.Exit(m.Run())
	}
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "timing:", err)
		os.Exit(1)
	}
}

// times are those of one class, by phase.
type times [2][]time.Duration

var phases = [2]string{"to the question", "to the end"}

// measure runs so many logins of each class. Each round has one of every class in an order of its own: what else the machine does meets all
// of them alike.
func (s *site) measure(rounds int) (map[class]*times, error) {
	all, measured := classes(), map[class]*times{}
	for _, c := range all {
		measured[c] = &times{}
	}
	for round := -warmUp; round < rounds; round++ {
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for _, c := range all {
			accounts := s.accounts[c.accounts]
			k, err := s.try(c, accounts[rand.IntN(len(accounts))])
			if err != nil {
				return nil, err
			}
			if round >= 0 {
				measured[c][0], measured[c][1] = append(measured[c][0], k.ToPrompt), append(measured[c][1], k.ToEnd)
			}
		}
	}
	return measured, nil
}

// warmUp is a number of rounds that are not counted.
const warmUp = 5

// pair is how well two classes of one service can be told apart in one phase.
type pair struct {
	a, b  class
	phase int
	auc   float64
}

// pairs are all of them, those that can be told apart best first.
func pairs(measured map[class]*times) (found []pair) {
	all := classes()
	for i, a := range all {
		for _, b := range all[i+1:] {
			for phase := range phases {
				if a.service == b.service {
					found = append(found, pair{a, b, phase, auc(measured[a][phase], measured[b][phase])})
				}
			}
		}
	}
	slices.SortFunc(found, func(p, q pair) int { return int(1e6 * (q.auc - p.auc)) })
	return found
}

// show prints tables of what was measured.
func show(t testing.TB, measured map[class]*times, found []pair) {
	t.Helper()
	load, err := os.ReadFile("/proc/loadavg")
	must(t, err)
	b := bufio.NewWriter(os.Stdout) // what a benchmark logs is cut off
	fmt.Fprintf(b, "\nload of the machine at the end: %s", load)
	fmt.Fprintf(b, "%-10s%-30s%18s%18s   medians of %d\n", "service", "class", phases[0], phases[1], len(measured[classes()[0]][0]))
	for _, c := range classes() {
		m := measured[c]
		fmt.Fprintf(b, "%-10s%-30s%18v%18v\n", c.service, c, median(m[0]).Round(time.Microsecond), median(m[1]).Round(time.Microsecond))
	}
	fmt.Fprintf(b, "%-10s%-30s%-30s%18s%8s\n", "service", "class", "class", "phase", "AUC")
	for _, p := range found {
		fmt.Fprintf(b, "%-10s%-30s%-30s%18s%8.3f\n", p.a.service, p.a, p.b, phases[p.phase], p.auc)
	}
	must(t, b.Flush())
}

// BenchmarkADelayIsFound fails when a millisecond that only those spend who cannot get in is not found where refusals are not rounded up:
// then the machine is too busy to measure anything.
func BenchmarkADelayIsFound(b *testing.B) {
	for b.Loop() {
		measured, err := newSite(b, buildHelper(b, b.TempDir(), delayed(b))).measure(*control)
		must(b, err)
		show(b, measured, pairs(measured))
		for _, service := range []string{prompting, oneField} {
			a, c := class{service, enrolled, false}, class{service, unknown, false}
			if area := auc(measured[a][1], measured[c][1]); area <= limit {
				b.Errorf("%s: a millisecond more for one class is not seen, AUC %.3f: the machine is too busy", service, area)
			}
		}
	}
}

// BenchmarkRefusals fails when two classes can be told apart by the time that they take.
func BenchmarkRefusals(b *testing.B) {
	for b.Loop() {
		measured, err := newSite(b, buildHelper(b, b.TempDir(), "")).measure(*tries)
		must(b, err)
		found := pairs(measured)
		show(b, measured, found)
		for _, p := range found {
			if p.auc > limit {
				b.Errorf("%s: %s and %s can be told apart by the time %s: AUC %.3f", p.a.service, p.a, p.b, phases[p.phase], p.auc)
			}
		}
	}
}

// delayed is an overlay in which the decoy takes a millisecond longer, and no refusal is rounded up.
func delayed(t testing.TB) string {
	t.Helper()
	replaced, dir := map[string]string{}, t.TempDir()
	for _, c := range []struct{ file, from, to string }{
		{"decoy.go", "func (r *run) tryDecoy(given reply) {\n", "func (r *run) tryDecoy(given reply) {\n\tr.host.Sleep(1e6)\n"},
		{"refuse.go", "\tr.roundUp()\n", ""},
	} {
		original, err := filepath.Abs(filepath.Join("../..", c.file))
		must(t, err)
		source, err := os.ReadFile(original)
		must(t, err)
		if strings.Count(string(source), c.from) != 1 {
			t.Fatalf("%s has changed: %q is not there once", original, c.from)
		}
		replaced[original] = filepath.Join(dir, c.file)
		must(t, os.WriteFile(replaced[original], []byte(strings.Replace(string(source), c.from, c.to, 1)), 0o600))
	}
	text, err := json.Marshal(map[string]any{"Replace": replaced})
	must(t, err)
	overlay := filepath.Join(dir, "overlay.json")
	must(t, os.WriteFile(overlay, text, 0o600))
	return overlay
}

// What is measured is what it is meant to be: every class is asked the same, refused in the same words, and for its own reason.
func TestEveryClassIsRefusedInTheSameWords(t *testing.T) {
	t.Parallel()
	s := newSite(t, buildHelper(t, t.TempDir(), ""))
	reasons := map[string]string{unknown: "unknown user", notEnrolled: "no device is enrolled", enrolled: "wrong code", twoDevices: "wrong code", denied: "about user", throttled: "throttled"}
	texts := map[string][]string{}
	for _, c := range classes() {
		for _, a := range s.accounts[c.accounts] {
			k, err := s.try(c, a)
			must(t, err)
			want := reasons[c.accounts]
			if c.decoy {
				want = "no right password before it"
			}
			if reason := s.Last(1)[0].Record.Reason; !strings.Contains(reason, want) {
				t.Errorf("%s, %s: refused for %q, want %q", c.service, c, reason, want)
			}
			if texts[c.service] == nil {
				texts[c.service] = k.Texts
			}
			said := 2 // the question and the refusal; of one field the module behind ours speaks
			if c.service == oneField {
				said = 1
			}
			if len(k.Texts) != said || !slices.Equal(k.Texts, texts[c.service]) {
				t.Errorf("%s, %s: %q, and before %q", c.service, c, k.Texts, texts[c.service])
			}
		}
	}
}

func TestTheOverlayOfTheDelayFitsTheSource(t *testing.T) {
	t.Parallel()
	buildHelper(t, t.TempDir(), delayed(t))
}

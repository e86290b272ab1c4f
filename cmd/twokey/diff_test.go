package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// realDiff is what diff(1) says, with our name for both files.
func realDiff(t *testing.T, before, after string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"before": before, "after": after} {
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("diff", "-u", "--label", "file", "--label", "file", dir+"/before", dir+"/after").Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		t.Fatal(err)
	}
	return string(out)
}

func numbered(from, to int) string {
	var b strings.Builder
	for i := from; i <= to; i++ {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	return b.String()
}

func TestUnifiedDiffIsWhatDiffSays(t *testing.T) {
	ten := numbered(1, 10)
	for what, c := range map[string][2]string{
		"nothing":                         {ten, ten},
		"both empty":                      {"", ""},
		"from nothing":                    {"", ten},
		"to nothing":                      {ten, ""},
		"one line of one":                 {"a\n", "b\n"},
		"a line in the middle":            {ten, strings.Replace(ten, "line 5\n", "line five\n", 1)},
		"a line goes at the beginning":    {ten, strings.TrimPrefix(ten, "line 1\n")},
		"a line goes at the end":          {ten, strings.TrimSuffix(ten, "line 10\n")},
		"a line comes at the beginning":   {ten, "line 0\n" + ten},
		"a line comes at the end":         {ten, ten + "line 11\n"},
		"a line feed comes at the end":    {strings.TrimSuffix(ten, "\n"), ten},
		"a line feed goes at the end":     {ten, strings.TrimSuffix(ten, "\n")},
		"no line feed in either":          {"a\nb", "a\nc"},
		"no line feed, a change far away": {numbered(1, 20) + "end", "line 0\n" + numbered(1, 20) + "end"},
		"two changes six lines apart":     {ten, strings.NewReplacer("line 2\n", "", "line 9\n", "").Replace(ten)},
		"two changes seven lines apart":   {ten, strings.NewReplacer("line 2\n", "", "line 10\n", "").Replace(ten)},
		"two changes far apart":           {numbered(1, 40), strings.NewReplacer("line 2\n", "", "line 30\n", "x\ny\n").Replace(numbered(1, 40))},
	} {
		want := realDiff(t, c[0], c[1])
		if got := unifiedDiff("file", []byte(c[0]), []byte(c[1])); got != want {
			t.Errorf("%s: got\n%swant\n%s", what, got, want)
		}
	}
}

// Where two differences are equally short diff(1) may choose the other: what counts is that patch makes one text of the other.
func TestADiffLeadsFromOneTextToTheOther(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	text := func() (lines []string) {
		for range random.IntN(30) {
			lines = append(lines, string(rune('a'+random.IntN(4)))+"\n")
		}
		return lines
	}
	for range 3000 {
		a, b := text(), text()
		var before, after []string
		for _, e := range diffLines(a, b) {
			if e.kind != '+' {
				before = append(before, e.line)
			}
			if e.kind != '-' {
				after = append(after, e.line)
			}
		}
		if strings.Join(before, "") != strings.Join(a, "") || strings.Join(after, "") != strings.Join(b, "") {
			t.Fatalf("from %q to %q: %q and %q", a, b, before, after)
		}
		if got, want := changes(diffLines(a, b)), len(a)+len(b)-2*longestCommon(a, b); got != want {
			t.Fatalf("from %q to %q: %d lines differ, %d would do", a, b, got, want)
		}
	}
}

func changes(edits []edit) (n int) {
	for _, e := range edits {
		if e.kind != ' ' {
			n++
		}
	}
	return n
}

// longestCommon is the length of the longest common subsequence, by the textbook.
func longestCommon(a, b []string) int {
	table := make([][]int, len(a)+1)
	for i := range table {
		table[i] = make([]int, len(b)+1)
	}
	for i := range a {
		for j := range b {
			if a[i] == b[j] {
				table[i+1][j+1] = table[i][j] + 1
			} else {
				table[i+1][j+1] = max(table[i][j+1], table[i+1][j])
			}
		}
	}
	return table[len(a)][len(b)]
}

func TestTheFirstFewAndTheOthers(t *testing.T) {
	for n, want := range map[int]string{0: "", 2: "a, a", 3: "a, a and 1 other", 4: "a, a and 2 others"} {
		if got := firstFew(slices.Repeat([]string{"a"}, n), ", ", 2); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

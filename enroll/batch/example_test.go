package batch

import (
	goparser "go/parser"
	"go/token"
	"strings"
	"testing"
)

// packageComment is the specification.
func packageComment(t *testing.T) string {
	t.Helper()
	f, err := goparser.ParseFile(token.NewFileSet(), "doc.go", nil, goparser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return f.Doc.Text()
}

// example is the first block of a section that is indented.
func example(t *testing.T, section string) string {
	t.Helper()
	_, text, found := strings.Cut(packageComment(t), "# "+section+"\n")
	if !found {
		t.Fatalf("the package comment has no section %s", section)
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		if block, indented := strings.CutPrefix(line, "\t"); indented {
			b.WriteString(block)
		} else if b.Len() > 0 && strings.TrimSpace(line) != "" {
			break
		}
	}
	return b.String()
}

func TestTheExamplesOfThePackageComment(t *testing.T) {
	for section, want := range map[string]struct {
		file          string
		users, groups int
		devices       []int
	}{
		"YAML": {"users.yaml", 3, 1, []int{2, 0, 0}},
		"CSV":  {"users.csv", 2, 0, []int{2, 0}},
	} {
		text := example(t, section)
		f, err := Parse(want.file, strings.NewReader(text), Options{})
		if err != nil || len(f.Wrong) > 0 {
			t.Fatalf("%s: %v, %v\n%s", section, err, f, text)
		}
		if len(f.Users) != want.users || len(f.Groups) != want.groups {
			t.Errorf("%s: %d users and %d groups", section, len(f.Users), len(f.Groups))
		}
		for i, n := range want.devices {
			if len(f.Users[i].Devices) != n {
				t.Errorf("%s: %s has %d devices, want %d", section, f.Users[i].Name, len(f.Users[i].Devices), n)
			}
		}
	}
}

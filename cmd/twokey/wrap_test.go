package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestLongLinesOfHelpAreWrapped(t *testing.T) {
	words := strings.TrimSpace(strings.Repeat("word ", 20))
	for what, c := range map[string]struct{ line, want string }{
		"nothing":                 {"", ""},
		"as wide as the screen":   {strings.Repeat("é", 80), strings.Repeat("é", 80)},
		"a text":                  {words, strings.TrimSpace(words[:79]) + "\n" + words[80:]},
		"an indented text":        {"   " + words, "   " + words[:74] + "\n   " + words[75:]},
		"an option":               {"   --all  " + words, "   --all  " + words[:69] + "\n          " + words[70:]},
		"a word that is too long": {strings.Repeat("x", 90), strings.Repeat("x", 90)},
	} {
		if got := wrapLine(c.line); got != c.want {
			t.Errorf("%s:\n%s\nwant:\n%s", what, got, c.want)
		}
	}
}

func TestALineThatComesInPiecesIsWrappedAsOne(t *testing.T) {
	var out strings.Builder
	w := &wrapper{to: &out}
	for i := range 30 {
		fmt.Fprintf(w, "word%02d ", i)
	}
	if out.Len() > 0 {
		t.Errorf("before its end: %q", out.String())
	}
	fmt.Fprint(w, "\nnext\n")
	lines := strings.Split(out.String(), "\n")
	if len(lines) != 5 || lines[3] != "next" || !strings.HasSuffix(lines[2], "word29") {
		t.Errorf("%q", lines)
	}
}

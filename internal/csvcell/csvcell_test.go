package csvcell

import "testing"

// The attack: a user calls himself =HYPERLINK("https://…") and waits until the list of users is opened in a spreadsheet.
func TestNoCellIsAFormula(t *testing.T) {
	for cell, want := range map[string]string{
		"":                        "",
		"alice":                   "alice",
		"Alice-Ann O'Hara":        "Alice-Ann O'Hara",
		"sshd publickey+totp":     "sshd publickey+totp",
		"alice@example.org":       "alice@example.org",
		"=1+1":                    "'=1+1",
		"'=1+1":                   "''=1+1",
		"+441234":                 "'+441234",
		"-1+1":                    "'-1+1",
		"@SUM(A1)":                "'@SUM(A1)",
		"  =1+1":                  "'  =1+1",
		`"=1+1`:                   `'"=1+1`,
		"＝1+1":                    "'＝1+1",
		"alice;=1+1":              "alice;'=1+1",
		"a;b":                     "a;b",
		"=cmd|' /C calc'!A0;-2+3": "'=cmd|' /C calc'!A0;'-2+3",
	} {
		if got := Escape(cell); got != want || Unescape(got) != cell {
			t.Errorf("%q: %q, want %q; and back: %q", cell, got, want, Unescape(got))
		}
	}
}

// unescapeSeeds are what FuzzUnescape begins with: what is escaped, what looks like it was, and separators.
var unescapeSeeds = []string{"", "=1", "'=1", "''=", "a;'-", " \"'@", "＠;", "\xff;+"}

func TestSeeds(t *testing.T) {
	escaped := 0
	for _, seed := range unescapeSeeds {
		if Escape(seed) != seed {
			escaped++
		}
	}
	if len(unescapeSeeds) != 8 || escaped != 7 {
		t.Errorf("%d seeds, of which %d are escaped", len(unescapeSeeds), escaped)
	}
}

func FuzzUnescape(f *testing.F) {
	for _, seed := range unescapeSeeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cell string) {
		if got := Unescape(Escape(cell)); got != cell {
			t.Errorf("%q came back as %q", cell, got)
		}
	})
}

package safefile

import (
	"regexp"
	"strings"
	"testing"
)

// userNames are names from everywhere, most of them hostile.
var userNames = []string{
	"alice", "Alice", "a", "_apt", "user-name", "user.name", "user@example.org", `DOM\user`, "machine$", "a+b", "k=v",
	"", ".", "..", "...", ".hidden", "/", "/etc/passwd", "../../etc/passwd", "a/b", "a\x00b", "a\nb", "a b", " ", "\t", "%",
	"%41", "%%", "%h-", "%h-00", "%2E", "%decoy", ".new-0011223344556677", "@a", "+a", "$a", "=a", "-rf", "~", "*", "müller",
	"m\u00fcller", "mu\u0308ller", "\xff", "\xc3\x28", "\xed\xa0\x80", "\ufeff", strings.Repeat("x", 200), strings.Repeat("x", 201),
	strings.Repeat("x", 300), strings.Repeat("/", 66), strings.Repeat("/", 67), strings.Repeat("ü", 100),
}

func TestThereAreSeeds(t *testing.T) {
	if len(userNames) != 53 {
		t.Errorf("%d names", len(userNames))
	}
}

func TestUserFileName(t *testing.T) {
	for user, file := range map[string]string{
		"alice": "alice", `DOM\user`: "DOM%5Cuser", "user@example.org": "user@example.org", ".": "%2E", "..": "%2E.", "/": "%2F",
		"": "%", "%": "%25", "a\nb": "a%0Ab", "\xff": "%FF", "ü": "%C3%BC", ".new-1": "%2Enew-1", "machine$": "machine$",
		strings.Repeat("x", 200): strings.Repeat("x", 200),
		strings.Repeat("x", 201): "%h-84a0678c90937f5dcf9994d5866668da6b995109c8ad845410559b48a4ecafed", // printf %201s | tr ' ' x | sha256sum
	} {
		if got := UserFileName(user); got != file {
			t.Errorf("%q becomes %q, want %q", user, got, file)
		}
	}
}

func TestUserNameRefusesWhatUserFileNameNeverGives(t *testing.T) {
	for _, file := range []string{
		"", ".", "..", ".hidden", "a/b", "%", "%%", "%4", "%41", "%2e", "%zz", "%+1", "a%", "a b", "ü", "@a", "a\x00", "%decoy",
		UserFileName(strings.Repeat("x", 300)), "%h-", strings.Repeat("x", 201), strings.Repeat("%2F", 67),
	} {
		if user, err := UserName(file); err == nil || user != "" {
			t.Errorf("%q is taken for the file of %q", file, user)
		}
	}
}

// names that are safe in a directory, on a command line and beside the files that are being written.
var safe = regexp.MustCompile(`^[A-Za-z0-9_%-][A-Za-z0-9_%.@+$=-]{0,199}$`)

func checkUserFileName(t *testing.T, user string) string {
	file := UserFileName(user)
	if !safe.MatchString(file) || strings.HasPrefix(file, tempPrefix) || plain(file) != nil {
		t.Errorf("%q becomes %q, which is not safe", user, file)
	}
	back, err := UserName(file)
	if lost := user == "" || strings.HasPrefix(file, hashMark); lost != (err != nil) || !lost && back != user {
		t.Errorf("%q becomes %q and that %q, %v", user, file, back, err)
	}
	return file
}

func TestNoTwoUsersHaveTheSameFile(t *testing.T) {
	seen := map[string]string{}
	add := func(user string) {
		file := checkUserFileName(t, user)
		if other, ok := seen[file]; ok && other != user {
			t.Fatalf("%q and %q both have %q", user, other, file)
		}
		seen[file] = user
	}
	for _, user := range userNames {
		add(user)
		add(UserFileName(user)) // a user whose name is another's file name
	}
	for i := range 1 << 16 {
		add(string([]byte{byte(i >> 8), byte(i)}))
	}
	for i := range 1 << 8 {
		add(string([]byte{byte(i)}))
	}
}

func FuzzUserFileName(f *testing.F) {
	for i, user := range userNames {
		f.Add(user, userNames[(i+1)%len(userNames)])
		f.Add(user, UserFileName(user))
	}
	f.Fuzz(func(t *testing.T, one, other string) {
		if checkUserFileName(t, one) == checkUserFileName(t, other) && one != other {
			t.Errorf("%q and %q have the same file", one, other)
		}
	})
}

func FuzzUserName(f *testing.F) {
	for _, user := range userNames {
		f.Add(user)
		f.Add(UserFileName(user))
	}
	f.Fuzz(func(t *testing.T, file string) {
		if user, err := UserName(file); err == nil && UserFileName(user) != file {
			t.Errorf("%q is taken for the file of %q", file, user)
		}
	})
}

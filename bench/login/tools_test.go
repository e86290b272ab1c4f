package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"twokey/bench/site"
	"twokey/factor"
)

func TestTheLastLineOfApplyIsRead(t *testing.T) {
	t.Parallel()
	theirs, ours, list, err := applyFigures("twokey apply: much\nfigures: theirs 275 ours 2089 list 74.7\n")
	if err != nil || theirs != 275 || ours != 2089 || list != 74.7 {
		t.Errorf("%v %v %v %v", theirs, ours, list, err)
	}
	for _, bad := range []string{"", "list: 1 s", "figures: theirs 275 ours", "figures: theirs 275 ours 2089 list 74.7\nmore"} {
		if _, _, _, err := applyFigures(bad); err == nil {
			t.Errorf("%q was taken for figures", bad)
		}
	}
	script, err := os.ReadFile("../apply")
	if err != nil || !strings.Contains(string(script), `"figures: theirs $theirs ours $ours list `) {
		t.Errorf("bench/apply has no such line, %v", err)
	}
}

func TestWhatIsSynchronisedIsReadFromATrace(t *testing.T) {
	t.Parallel()
	trace := `17 fdatasync(5</d/state/alice>)      = 0
18 fsync(4</home/a/.google_authenticator~x> <unfinished ...>
17 openat(AT_FDCWD, "/fdatasync(5</x>)", O_RDONLY) = -1 ENOENT (No such file or directory)
17 fdatasync(6</d/log/audit.jsonl>) = -1 EIO (Input/output error)
17 fdatasync(6</d/log/audit.jsonl>) = 0
`
	if got, want := synced(trace), []string{"fdatasync state/alice", "fdatasync log/audit.jsonl"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestTheOverlayFitsTheSource(t *testing.T) {
	t.Parallel()
	list, err := overlay("../..", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(list)
	if err != nil || !strings.Contains(string(content), sleepSource) {
		t.Errorf("%s, %v", content, err)
	}
}

// RFC 4226, appendix D.
var rfc4226 = []string{"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"}

func TestAPhoneShowsOneCodeAfterTheOther(t *testing.T) {
	t.Parallel()
	d := &site.Phone{User: "a", Params: factor.Params{Method: factor.HOTP, Secret: []byte("12345678901234567890"), Digits: 6, Algorithm: factor.SHA1}}
	for i, want := range rfc4226 {
		if l, err := d.Login(); err != nil || l != (site.Login{User: "a", Code: want}) {
			t.Errorf("code %d: %v, %v, want %s", i, l, err, want)
		}
	}
	d.Counter = 0
	l, err := d.Wrong()
	if err != nil || len(l.Code) != 6 || slices.Contains(rfc4226, l.Code) {
		t.Errorf("a wrong code: %v, %v", l, err)
	}
}

// compile builds one of the C programs.
func compile(t *testing.T, name string, flags ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	argv := append([]string{"-Wall", "-Wextra", "-Werror", "-o", path, filepath.Join("..", name, name+".c")}, flags...)
	if out, err := exec.Command("cc", argv...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

func TestTheFloorWritesABlockAndALine(t *testing.T) {
	t.Parallel()
	floor, dir := compile(t, "floor", "-static"), t.TempDir()
	if err := exec.Command(floor, dir).Run(); err == nil {
		t.Error("without its files it is content")
	}
	for name, size := range map[string]int{"slot": 4096, "log": 0} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if out, err := exec.Command(floor, dir).CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	slot, _ := os.ReadFile(filepath.Join(dir, "slot"))
	log, _ := os.ReadFile(filepath.Join(dir, "log"))
	if len(slot) != 4096 || len(log) != 1000 || slot[0] != 's' || log[999] != '\n' {
		t.Errorf("%d and %d bytes", len(slot), len(log))
	}
}

// At a real libpam; of a service that is a program its exit status counts.
func TestTheClientLogsIn(t *testing.T) {
	t.Parallel()
	program, dir := compile(t, "client", "-lpam"), t.TempDir()
	for service, auth := range map[string]string{"in": "pam_permit.so", "out": "pam_deny.so"} {
		lines := "auth required " + auth + "\naccount required pam_permit.so\nsession required pam_permit.so\n"
		if err := os.WriteFile(filepath.Join(dir, service), []byte(lines), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for service, in := range map[string]bool{"in": true, "out": false, "/bin/true": true, "/bin/false": false} {
		c, err := startClient(program, dir, service, 2)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			outcomes, took, err := c.batch(slices.Repeat([]site.Login{{User: "nobody", Code: "7"}}, 5))
			if err != nil || len(outcomes) != 5 || took <= 0 {
				t.Fatalf("%s: %v, %v, %v", service, outcomes, took, err)
			}
			for _, o := range outcomes {
				if (o.status == 0) != in || o.took <= 0 || o.took > took || o.selfKB < 100 {
					t.Errorf("%s: %+v in %v", service, o, took)
				}
			}
		}
		if _, err := c.one(site.Login{User: "nobody", Code: "7"}, 0); (err == nil) != in {
			t.Errorf("%s: %v", service, err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A module that fails is no module that refuses a code.
func TestAFailureIsNoRefusal(t *testing.T) {
	t.Parallel()
	program, dir := compile(t, "client", "-lpam"), t.TempDir()
	lines := "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_deny.so\n"
	if err := os.WriteFile(filepath.Join(dir, "service"), []byte(lines), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := startClient(program, dir, "service", 1)
	if err != nil {
		t.Fatal(err)
	}
	const pamSessionErr = 14
	_, err = c.one(site.Login{User: "nobody", Code: "7"}, pamAuthErr)
	if want := (statusError{"nobody", pamSessionErr, pamAuthErr}); !errors.Is(err, want) {
		t.Errorf("%v, want %v", err, want)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// At the real google-authenticator, and at services that are no check at all.
func TestAModuleHasToProveThatItChecksCodes(t *testing.T) {
	t.Parallel()
	program, dir := compile(t, "client", "-lpam"), t.TempDir()
	secret := filepath.Join(dir, "secret")
	for service, c := range map[string]struct{ auth, fails string }{
		"checks":                 {"pam_google_authenticator.so user=root secret=" + secret, ""},
		"lets everybody in":      {"pam_permit.so", "the same code again: PAM said 0 of the login of person000007, and not 7"},
		"lets nobody in":         {"pam_deny.so", "a right code: PAM said 7 of the login of person000007, and not 0"},
		"has nothing to check":   {"pam_google_authenticator.so user=root secret=" + secret + ".none nullok", "a right code: PAM said "},
		"cannot read its secret": {"pam_google_authenticator.so user=root secret=" + dir, "a right code: PAM said "},
	} {
		d := peerPhone(7, 1)
		if err := os.WriteFile(secret, []byte(googleFile(d)), 0o400); err != nil {
			t.Fatal(err)
		}
		lines := "auth required " + c.auth + "\naccount required pam_permit.so\nsession required pam_permit.so\n"
		if err := os.WriteFile(filepath.Join(dir, "service"), []byte(lines), 0o644); err != nil {
			t.Fatal(err)
		}
		client, err := startClient(program, dir, "service", 1)
		if err != nil {
			t.Fatal(err)
		}
		switch err := prove(client, d); {
		case c.fails == "" && err != nil, c.fails != "" && (err == nil || !strings.HasPrefix(err.Error(), c.fails)):
			t.Errorf("what %s: %v", service, err)
		case c.fails == "":
			if l, err := d.Login(); err != nil {
				t.Error(err)
			} else if _, err := client.one(l, pamSuccess); err != nil {
				t.Errorf("the code after that: %v", err)
			}
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAlternatingGivesEachTheSame(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program := compile(t, "client", "-lpam")
	var all []*contender
	turns := ""
	for _, name := range []string{"a", "b"} {
		c, err := startClient(program, dir, "/bin/true", 1)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, &contender{client: c, next: func() (site.Login, error) { turns += name; return site.Login{User: name, Code: "-"}, nil }})
	}
	if err := alternate(3, all...); err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if len(c.took) != 3 || len(c.cpu) != 3 || len(c.selfKB) != 3 {
			t.Errorf("%d times, not 3", len(c.took))
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if turns != "ab"+"abbaab" {
		t.Errorf("in the order %s", turns)
	}
}

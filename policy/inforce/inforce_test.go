package inforce

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"twokey/internal/safefile"
	"twokey/internal/safefile/disktest"
	"twokey/policy"
)

// stranger is a user id that is neither root nor the one that runs the tests.
const stranger = 54321

// scratch is a host with a configuration file and two data folders: one at the usual place and one elsewhere.
type scratch struct {
	t                    *testing.T
	config, usual, other string
}

func newScratch(t *testing.T) scratch {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "twokey-inforce-")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	s := scratch{t, dir + "/etc/twokey.yaml", dir + "/usual", dir + "/other"}
	for _, folder := range []string{dir + "/etc", s.usual, s.other} {
		must(t, os.Mkdir(folder, 0o700))
	}
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// in is a source whose data folder is the one given.
func in(data, rest string) string {
	return fmt.Sprintf("version: 1\n%s\npaths: {data: %s}\n", rest, data)
}

func (s scratch) write(source string) {
	s.t.Helper()
	must(s.t, os.WriteFile(s.config, []byte(source), 0o644))
}

func (s scratch) load() *Policy {
	s.t.Helper()
	p, err := load(s.config, s.usual, keep)
	must(s.t, err)
	return p
}

// kept is the compiled policy of the scratch's configuration in a data folder.
func (s scratch) kept(data string) string { return filepath.Join(data, compiledName(s.config)) }

// keeps makes the policy of a source the last good one.
func (s scratch) keeps(source string) *Policy {
	s.t.Helper()
	s.write(source)
	p := s.load()
	if p.Problem != nil || !p.Changed {
		s.t.Fatalf("%+v", p)
	}
	return p
}

// isLastGood fails the test unless the policy is that of before, with the reason.
func isLastGood(t *testing.T, p *Policy, issuer, reason string) {
	t.Helper()
	if p.Issuer != issuer || !p.LastGood || p.Changed || p.Problem == nil || !strings.Contains(p.Problem.Error(), reason) {
		t.Errorf("%+v with %+v, want the policy of %q and the problem %q", p, p.Config, issuer, reason)
	}
}

// none fails the test unless there is no policy at all.
func (s scratch) none(reason string) {
	s.t.Helper()
	p, err := load(s.config, s.usual, keep)
	if !nobody(p) || !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), reason) {
		s.t.Errorf("%+v, %v, want none because of %q", p, err, reason)
	}
}

func TestAFileThatIsAsItWasIsNotKeptAgain(t *testing.T) {
	s := newScratch(t)
	for _, data := range []string{s.usual, s.other} {
		s.keeps(in(data, "issuer: before"))
		p, err := load(s.config, s.usual, func(string, string, []byte, string) error { return errors.New("it was kept again") })
		if err != nil || p.Issuer != "before" || p.Changed || p.LastGood || p.Problem != nil {
			t.Errorf("%s: %+v, %v", data, p, err)
		}
	}
}

// What the compiled policy says of where it came from does not count: only what the source says does.
func TestACompiledPolicyThatTheSourceDoesNotSayIsReplaced(t *testing.T) {
	s := newScratch(t)
	other, err := policy.Parse([]byte("version: 1\nissuer: other\n"))
	must(t, err)
	for _, data := range []string{s.usual, s.other} {
		source := in(data, "issuer: right")
		s.write(source)
		must(t, os.WriteFile(s.kept(data), other.Compile(sha256.Sum256([]byte(source))), 0o600))
		if p := s.load(); p.Issuer != "right" || !p.Changed || p.LastGood || p.Problem != nil {
			t.Errorf("%s: %+v", data, p)
		}
		if p := s.load(); p.Issuer != "right" || p.Changed || p.Problem != nil {
			t.Errorf("%s, again: %+v", data, p)
		}
	}
}

func TestAFileThatHasChangedIsInForceAndKept(t *testing.T) {
	for _, where := range []string{"usual", "other"} {
		s := newScratch(t)
		data := filepath.Join(filepath.Dir(s.usual), where)
		first, second := in(data, "issuer: first"), in(data, "issuer: second")
		if p := s.keeps(first); p.Issuer != "first" || p.Digest != sha256.Sum256([]byte(first)) || p.Before != [32]byte{} {
			t.Errorf("first: %+v", p)
		}
		s.write(second)
		p := s.load()
		if p.Issuer != "second" || !p.Changed || p.Before != sha256.Sum256([]byte(first)) || p.Digest != sha256.Sum256([]byte(second)) {
			t.Errorf("second: %+v", p)
		}
		b, err := os.ReadFile(s.kept(data))
		if err != nil || string(b) != string(p.Compile(p.Digest)) {
			t.Errorf("kept: %q, %v", b, err)
		}
		if st, err := os.Stat(s.kept(data)); err != nil || st.Mode() != 0o600 {
			t.Errorf("kept with %v, %v", st.Mode(), err)
		}
		if p := s.load(); p.Issuer != "second" || p.Changed || p.Problem != nil {
			t.Errorf("second again: %+v", p)
		}
	}
}

func TestMustKeepTheLastGoodPolicyInForceWhenTheFileIsWrong(t *testing.T) {
	for what, c := range map[string]struct{ rest, reason string }{
		"an unknown key":             {"requires: []", `line 2, column 1: unknown key "requires"`},
		"a syntax error":             {"require: [{users: [alice]}", "not YAML"},
		"another version":            {"version: 2", "stands here again"},
		"a value that is not one":    {"default: sometimes", "line 2, column 10"},
		"a brace that stays open":    {"new_devices: {digits: 6", "not YAML"},
		"an entry in both lists":     {"require: [{users: [a]}]\nexempt: [{users: [a]}]", "line 3"},
		"a second document":          {"---\nversion: 1", "second document"},
		"a tab":                      {"\tenabled: false", "a tab"},
		"rubbish":                    {"\x00\xff\x01", "line 2, column 1"},
		"an empty value of a switch": {"enabled:", "want true or false"},
	} {
		s := newScratch(t)
		for _, data := range []string{s.usual, s.other} {
			s.keeps(in(data, "issuer: good"))
			before, err := os.ReadFile(s.kept(data))
			must(t, err)
			s.write(in(data, c.rest))
			for range 2 {
				p := s.load()
				isLastGood(t, p, "good", c.reason)
				if p.Problem != nil && !strings.HasPrefix(p.Problem.Error(), s.config+": line ") {
					t.Errorf("%s: the problem does not tell the file and line: %v", what, p.Problem)
				}
			}
			if after, err := os.ReadFile(s.kept(data)); err != nil || string(after) != string(before) {
				t.Errorf("%s: the last good policy has changed: %q, %v", what, after, err)
			}
		}
	}
}

// The configuration cannot say then where the data folder is: only the usual one can be looked into.
func TestMustKeepTheLastGoodPolicyInForceWhenTheFileCannotBeRead(t *testing.T) {
	for what, spoil := range map[string]func(t *testing.T, file string) error{
		"no such file": func(t *testing.T, file string) error { must(t, os.Remove(file)); return fs.ErrNotExist },
		"somebody else's": func(t *testing.T, file string) error {
			must(t, os.Chown(file, stranger, stranger))
			return safefile.ErrOwner
		},
		"writable by its group": func(t *testing.T, file string) error { must(t, os.Chmod(file, 0o664)); return safefile.ErrMode },
		"a link": func(t *testing.T, file string) error {
			must(t, os.Rename(file, file+".real"))
			must(t, os.Symlink(file+".real", file))
			return safefile.ErrType
		},
		"a FIFO": func(t *testing.T, file string) error {
			must(t, os.Remove(file))
			must(t, unix.Mkfifo(file, 0o644))
			return safefile.ErrType
		},
		"too large": func(t *testing.T, file string) error {
			must(t, os.Truncate(file, policy.MaxSource+1))
			return safefile.ErrSize
		},
		"in a folder that everybody changes": func(t *testing.T, file string) error {
			must(t, os.Chmod(filepath.Dir(file), 0o777))
			return safefile.ErrMode
		},
	} {
		s := newScratch(t)
		s.keeps(in(s.usual, "issuer: good"))
		reason := spoil(t, s.config)
		p := s.load()
		isLastGood(t, p, "good", "")
		if !errors.Is(p.Problem, reason) {
			t.Errorf("%s: %v, want %v", what, p.Problem, reason)
		}
		must(t, os.Remove(s.kept(s.usual)))
		if none, err := load(s.config, s.usual, keep); !nobody(none) || !errors.Is(err, ErrNone) || !errors.Is(err, reason) {
			t.Errorf("%s, without a last good policy: %+v, %v", what, none, err)
		}
	}
}

// A command that only looks must not take a change from the login that would record it.
func TestPeekShowsWhatIsInForceAndKeepsNothing(t *testing.T) {
	s := newScratch(t)
	peek := func() *Policy {
		t.Helper()
		p, err := Peek(s.config)
		must(t, err)
		return p
	}
	first := in(s.other, "issuer: first")
	s.write(first)
	for range 2 {
		if p := peek(); p.Issuer != "first" || !p.Changed || p.Problem != nil {
			t.Errorf("never kept: %+v", p)
		}
	}
	if _, err := os.Stat(s.kept(s.other)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Peek has kept something: %v", err)
	}
	s.keeps(first)
	if p := peek(); p.Issuer != "first" || p.Changed {
		t.Errorf("kept: %+v", p)
	}
	s.write(in(s.other, "issuer: second"))
	if p := peek(); p.Issuer != "second" || !p.Changed || p.Before != sha256.Sum256([]byte(first)) {
		t.Errorf("changed: %+v", p)
	}
	if p := s.load(); p.Issuer != "second" || !p.Changed {
		t.Errorf("the login after it: %+v", p)
	}
	s.write(in(s.other, "issuer: [third"))
	isLastGood(t, peek(), "second", "not YAML")
}

func TestSinceIsWhenThePolicyWasKept(t *testing.T) {
	s := newScratch(t)
	s.write(in(s.other, "issuer: good"))
	unkept, err := Peek(s.config)
	must(t, err)
	if at, err := unkept.Since(s.config); !at.IsZero() || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("never kept: %v, %v", at, err)
	}
	p := s.load()
	kept := time.Unix(1795000000, 0)
	must(t, os.Chtimes(s.kept(s.other), kept, kept))
	if at, err := p.Since(s.config); err != nil || !at.Equal(kept) {
		t.Errorf("%v, %v, want %v", at, err, kept)
	}
}

func TestMustAnswerNoneWhenThereIsNoGoodPolicy(t *testing.T) {
	s := newScratch(t)
	s.none("no such file")
	for _, source := range []string{"", "version: 2\n", "enabled: false\n", in(s.other, "enabeld: true"), in("relative", "")} {
		s.write(source)
		s.none(s.config)
	}
	must(t, os.Remove(s.usual))
	s.none(s.config)
}

// Whatever the source is, a compiled policy that is not trusted counts as none: a good source is compiled again, a bad one leaves
// no policy.
func TestMustNotPutACompiledPolicyInForceThatIsNotTrusted(t *testing.T) {
	for what, spoil := range map[string]func(t *testing.T, file string){
		"cut off":               func(t *testing.T, file string) { must(t, os.Truncate(file, 100)) },
		"empty":                 func(t *testing.T, file string) { must(t, os.Truncate(file, 0)) },
		"longer":                func(t *testing.T, file string) { edit(t, file, func(s string) string { return s + "\n" }) },
		"switched":              func(t *testing.T, file string) { edit(t, file, replaced(`"enabled":true`, `"enabled": false`)) },
		"of the form of before": func(t *testing.T, file string) { edit(t, file, replaced("policy 4 ", "policy 3 ")) },
		"too large":             func(t *testing.T, file string) { must(t, os.Truncate(file, policy.MaxCompiled+1)) },
		"foreign":               func(t *testing.T, file string) { must(t, os.Chown(file, stranger, stranger)) },
		"writable":              func(t *testing.T, file string) { must(t, os.Chmod(file, 0o620)) },
		"a link": func(t *testing.T, file string) {
			must(t, os.Rename(file, file+".real"))
			must(t, os.Symlink(file+".real", file))
		},
		"with two names": func(t *testing.T, file string) { must(t, os.Link(file, file+".real")) },
		"a FIFO": func(t *testing.T, file string) {
			must(t, os.Remove(file))
			must(t, unix.Mkfifo(file, 0o600))
		},
		"gone": func(t *testing.T, file string) { must(t, os.Remove(file)) },
	} {
		s := newScratch(t)
		s.keeps(in(s.usual, "issuer: good"))
		spoil(t, s.kept(s.usual))
		s.write(in(s.usual, "issuer: [bad"))
		s.none("last good policy")
		s.write(in(s.usual, "issuer: good"))
		if p := s.load(); p.Issuer != "good" || p.LastGood || p.Off || !p.Changed || p.Problem != nil || p.Before != [32]byte{} {
			t.Errorf("%s: %+v", what, p)
		}
		if p := s.load(); p.Changed || p.Problem != nil {
			t.Errorf("%s: compiled, and not kept: %+v", what, p)
		}
	}
}

func edit(t *testing.T, file string, change func(string) string) {
	t.Helper()
	b, err := os.ReadFile(file)
	must(t, err)
	must(t, os.WriteFile(file, []byte(change(string(b))), 0o600))
}

func replaced(old, by string) func(string) string {
	return func(s string) string { return strings.Replace(s, old, by, 1) }
}

func TestMustNotPutAnotherFilesPolicyInForce(t *testing.T) {
	s := newScratch(t)
	lenient := s
	lenient.config = s.config + ".lenient"
	strictSource := in(s.usual, "issuer: strict")
	s.keeps(strictSource)
	lenient.keeps(in(s.usual, "issuer: lenient\nenabled: false"))
	if p := s.load(); p.Changed || p.Issuer != "strict" {
		t.Errorf("the two files take turns: %+v", p)
	}
	s.write(strictSource + "typo\n")
	isLastGood(t, s.load(), "strict", "not YAML")
	must(t, os.Remove(s.kept(s.usual)))
	s.none("not YAML")
	if name := compiledName(DefaultConfig); name != "policy" {
		t.Errorf("the host's own policy is kept as %q", name)
	}
	// printf /etc/twokey/sshd.yaml | sha256sum
	if name := compiledName("/etc/twokey/sshd.yaml"); name != "policy-241c558eae761955" {
		t.Errorf("the policy of another file is kept as %q", name)
	}
}

func TestMustNotPutAPolicyOfBeforeAMoveInForceAgain(t *testing.T) {
	s := newScratch(t)
	s.keeps(in(s.usual, "issuer: before\nenabled: false"))
	s.keeps(in(s.other, "issuer: moved"))
	s.write(in(s.other, "issuer: [moved"))
	isLastGood(t, s.load(), "moved", "not YAML")
	s.write("version: 1\npaths: {data: [" + s.other)
	s.none("not YAML")
	if _, err := os.Stat(s.kept(s.usual)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the policy of before the move is still there: %v", err)
	}
	must(t, os.RemoveAll(s.usual))
	s.keeps(in(s.other, "issuer: moved again"))
}

func TestMustPutAGoodFileInForceOnAFullDisk(t *testing.T) {
	for _, fileSystem := range []string{"ext4", "tmpfs"} {
		s := newScratch(t)
		s.usual = disktest.Mount(t, fileSystem)
		first, second := in(s.usual, "issuer: first"), in(s.usual, "issuer: second")
		s.keeps(first)
		free := disktest.Fill(t, s.usual)
		s.write(second)
		for range 2 {
			p := s.load()
			if p.Issuer != "second" || p.LastGood || p.Changed || !errors.Is(p.Problem, unix.ENOSPC) {
				t.Errorf("%s: %+v", fileSystem, p)
			}
		}
		s.write(second + "typo\n")
		isLastGood(t, s.load(), "first", "not YAML")
		free()
		s.write(second)
		if p := s.load(); p.Issuer != "second" || !p.Changed || p.Problem != nil || p.Before != sha256.Sum256([]byte(first)) {
			t.Errorf("%s, with space again: %+v", fileSystem, p)
		}
	}
}

func TestMustPutAGoodFileInForceWhoseDataFolderCannotBeUsed(t *testing.T) {
	s := newScratch(t)
	must(t, os.Chmod(s.usual, 0o777))
	must(t, os.Chown(s.other, stranger, stranger))
	for data, reason := range map[string]error{
		filepath.Dir(s.usual) + "/none": fs.ErrNotExist, s.usual: safefile.ErrMode, s.other: safefile.ErrOwner,
	} {
		s.write(in(data, "issuer: good"))
		p := s.load()
		if p.Issuer != "good" || p.LastGood || p.Changed || !errors.Is(p.Problem, reason) {
			t.Errorf("%s: %+v, want %v", data, p, reason)
		}
	}
}

// Its compiled form is larger than the file may be.
func TestAConfigurationThatGrowsWhenItIsCompiledIsKeptToo(t *testing.T) {
	s := newScratch(t)
	var names []string
	for i := range 750 {
		names = append(names, fmt.Sprintf("%d%s", i, strings.Repeat("<", 250)))
	}
	s.keeps(in(s.usual, "require: [{users: ["+strings.Join(names, ", ")+"]}]"))
	if p := s.load(); p.Changed || p.Problem != nil {
		t.Errorf("compiled again: changed %v, %v", p.Changed, p.Problem)
	}
	if st, err := os.Stat(s.kept(s.usual)); err != nil || st.Size() <= policy.MaxSource {
		t.Errorf("%d bytes, %v: this test has shown nothing", st.Size(), err)
	}
}

func TestLoginsAtOnceWhileTheFileChangesSeeOneOfTheTwo(t *testing.T) {
	s := newScratch(t)
	sources := [2]string{in(s.usual, "issuer: one"), in(s.usual, "issuer: two")}
	s.keeps(sources[0])
	results := make(chan error)
	for range 8 {
		go func() {
			for range 40 {
				p, err := load(s.config, s.usual, keep)
				if err == nil && (p.LastGood || p.Problem != nil || p.Issuer != "one" && p.Issuer != "two") {
					err = fmt.Errorf("%+v", p)
				}
				if err != nil {
					results <- err
					return
				}
			}
			results <- nil
		}()
	}
	for i := range 40 {
		must(t, os.WriteFile(s.config+".new", []byte(sources[i%2]), 0o644))
		must(t, os.Rename(s.config+".new", s.config))
	}
	for range 8 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

// nobody reports whether the policy lets in nobody, enrolled or not, known or not.
func nobody(p *Policy) bool {
	if p == nil || p.Paths == (policy.Paths{}) {
		return false
	}
	for _, f := range []policy.Facts{{}, {User: "a", Known: true}, {User: "a", Known: true, Enrolled: true}} {
		if p.Decide(f).Action != policy.AskThenDeny {
			return false
		}
	}
	return !p.Observe && !p.Off
}

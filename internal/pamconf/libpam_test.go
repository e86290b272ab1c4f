package pamconf

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/msteinert/pam/v2"
)

// Random services are run through libpam, with pam_debug.so returning what its arguments say, and through this package.

// randomResult is a word for a result; incomplete is what only an event loop sees.
func randomResult(r *rand.Rand) string {
	if r.IntN(2) == 0 {
		return []string{"success", "success", "ignore", "auth_err", "new_authtok_reqd"}[r.IntN(5)]
	}
	return Result(r.IntN(int(Incomplete))).String()
}

func randomControl(r *rand.Rand) string {
	if r.IntN(2) == 0 {
		return []string{"required", "requisite", "sufficient", "optional", "REQUIRED", "nonsense"}[r.IntN(6)]
	}
	var pairs []string
	for range r.IntN(4) {
		pairs = append(pairs, randomResult(r)+[]string{"=", " = "}[r.IntN(2)]+
			[]string{"ok", "done", "bad", "die", "ignore", "reset", "1", "1", "2", "3", "0", "what"}[r.IntN(12)])
	}
	if r.IntN(3) > 0 {
		pairs = append(pairs, "default="+[]string{"ok", "done", "bad", "die", "ignore", "reset", "1", "2"}[r.IntN(8)])
	}
	return "[" + strings.Join(pairs, " ") + "]"
}

// randomLine is a line of file number n, which includes only files of higher numbers: libpam 1.5 does not survive a circle, nor
// an include without a name, and takes the actions of whatever line came before for an @include that fails. It looks for what is included in /etc/pam.d, whatever the folder of the
// service is, so that is named.
func randomLine(r *rand.Rand, folder string, n int) string {
	phase := []string{"auth", "auth", "auth", "AUTH", "-auth", "account", "session", "account", "session"}[r.IntN(9)]
	module := fmt.Sprintf("pam_debug.so auth=%s acct=%s open_session=%s", randomResult(r), randomResult(r), randomResult(r))
	include := fmt.Sprintf("%s/f%d", folder, n+1+r.IntN(3))
	switch r.IntN(24) {
	case 0:
		return "  # " + phase + " required pam_deny.so"
	case 1:
		return phase + " required \\\n\n# in between\n\t" + module
	case 2:
		return phase + " [success=1 default=ignore " + module
	case 3:
		return phase
	case 4:
		return phase + " sufficient"
	case 5:
		return "greeting " + randomControl(r) + " " + module
	case 6:
		return phase + " " + randomControl(r) + " pam_there_is_no_such_module.so"
	case 7, 8:
		return phase + " include " + include
	case 9, 10, 11:
		return phase + " substack " + include
	case 12, 13:
		if there := n + 1 + r.IntN(3); there < 5 {
			return fmt.Sprintf("@include %s/f%d", folder, there)
		}
		return ""
	case 14:
		if n == 0 && r.IntN(4) == 0 {
			return "@include " + folder + "/none"
		}
		return ""
	case 15:
		return phase + " " + randomControl(r) + " pam_permit.so"
	case 17:
		return phase + " " + randomControl(r) + " pam_deny.so"
	case 16:
		return phase + " " + randomControl(r) + " pam_debug.so [auth=" + randomResult(r) + "] # [acct=success"
	}
	return phase + " " + randomControl(r) + " " + module
}

func randomFile(r *rand.Rand, folder string, n int) string {
	var b strings.Builder
	for range 1 + r.IntN(6) {
		b.WriteString(randomLine(r, folder, n) + "\n")
	}
	if n == 0 && r.IntN(15) == 0 {
		b.WriteString("auth required pam_permit.so \\")
	}
	return b.String()
}

// debugResult is what a module of these stacks returns.
func debugResult(line Line) Result {
	argument := map[Phase]string{Auth: "auth", Account: "acct", Session: "open_session"}[line.Phase]
	switch line.Name() {
	case "pam_permit.so":
		return Success
	case "pam_deny.so":
		return map[Phase]Result{Auth: AuthErr, Account: AuthErr, Session: SessionErr}[line.Phase]
	case "pam_debug.so":
		names := resultNames()
		result := Success
		for _, arg := range line.Args {
			if word, ok := strings.CutPrefix(arg, argument+"="); ok {
				result = Result(slices.Index(names[:], word))
			}
		}
		return result
	}
	return ModuleUnknown
}

// throughLibpam are the results of the three phases.
func throughLibpam(t *testing.T, dir, service string) (codes [3]Result) {
	t.Helper()
	quiet := pam.ConversationFunc(func(pam.Style, string) (string, error) { return "", nil })
	for i, call := range []func(*pam.Transaction) error{
		func(tx *pam.Transaction) error { return tx.Authenticate(pam.Silent) },
		func(tx *pam.Transaction) error { return tx.AcctMgmt(pam.Silent) },
		func(tx *pam.Transaction) error { return tx.OpenSession(pam.Silent) },
	} {
		var code pam.Error
		tx, err := pam.StartConfDir(service, "nobody", quiet, dir)
		if errors.As(err, &code) {
			codes[i] = Result(code) // it reads the service already
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := call(tx); err != nil && !errors.As(err, &code) {
			t.Fatal(err)
		}
		codes[i] = Result(code)
		if err := tx.End(); err != nil {
			t.Fatal(err)
		}
	}
	return codes
}

func throughUs(t *testing.T, root, service string) (codes [3]Result) {
	t.Helper()
	s, err := Host{root}.Read(service)
	if err != nil {
		t.Fatal(err)
	}
	for i, phase := range []Phase{Auth, Account, Session} {
		codes[i], _ = s.Stacks[phase].Run(debugResult)
		if s.Broken != "" {
			codes[i] = Abort
		}
	}
	return codes
}

// confDir makes a host whose /etc/pam.d is also a folder for libpam, and goes by the same name from within.
func confDir(t *testing.T) (root, dir string) {
	t.Helper()
	root = t.TempDir()
	dir = filepath.Join(root, "etc", "pam.d")
	for _, folder := range []string{dir, filepath.Dir(root + root)} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(root, root+root); err != nil {
		t.Fatal(err)
	}
	return root, dir
}

func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRunComesToTheResultsOfLibpam(t *testing.T) {
	const services = 1200
	r := rand.New(rand.NewPCG(1, 20261121))
	seen := map[Result]int{}
	root, dir := confDir(t)
	for n := range services {
		files := map[string]string{"other": randomFile(r, dir, 4)}
		for i := range 5 {
			files[fmt.Sprintf("f%d", i)] = randomFile(r, dir, i)
		}
		writeFiles(t, dir, files)
		want, got := throughLibpam(t, dir, "F0"), throughUs(t, root, "F0")
		for _, code := range want {
			seen[code]++
		}
		if got != want {
			t.Fatalf("service %d: %v, libpam says %v:\n%v", n, got, want, files)
		}
	}
	if len(seen) < 20 || seen[Success] < 200 || seen[Abort] == 0 {
		t.Errorf("libpam said %v: these services show little", seen)
	}
}

// subtle are stacks of the auth phase whose results are easily got wrong; f1 and f2 are what $1 and $2 include.
var subtle = map[string]struct {
	f0, f1, f2 string
	want       Result
}{
	"reset forgets what was bad in this substack": {
		"auth required pam_permit.so\nauth substack $1\n", "auth required pam_deny.so\nauth [default=reset] pam_permit.so\n", "", Success},
	"reset goes back to what was when this substack was entered": {
		"auth required pam_deny.so\nauth substack $1\nauth required pam_permit.so\n", "auth [default=reset] pam_permit.so\n", "", AuthErr},
	"each substack has its own beginning": {
		"auth required pam_permit.so\nauth substack $1\nauth substack $2\n", "auth required pam_permit.so\n",
		"auth required pam_deny.so\nauth [default=reset] pam_permit.so\n", Success},
	"reset outside a substack forgets everything": {
		"auth required pam_deny.so\nauth [default=reset] pam_permit.so\n", "", "", PermDenied},
	"done ends a substack only": {
		"auth substack $1\nauth required pam_deny.so\n", "auth sufficient pam_permit.so\nauth required pam_permit.so\n", "", AuthErr},
	"done in an included file ends the stack": {
		"auth include $1\nauth required pam_deny.so\n", "auth sufficient pam_permit.so\n", "", Success},
	"die ends a substack only, but the stack is lost": {
		"auth substack $1\nauth sufficient pam_permit.so\n", "auth requisite pam_deny.so\n", "", AuthErr},
	"a jump goes over a substack in one": {
		"auth [success=1] pam_permit.so\nauth substack $1\nauth required pam_permit.so\n", "auth required pam_deny.so\nauth required pam_deny.so\n", "", Success},
	"a jump goes into an included file": {
		"auth [success=1] pam_permit.so\nauth include $1\n", "auth required pam_deny.so\nauth required pam_permit.so\n", "", Success},
	"a jump beyond the end fails": {
		"auth required pam_permit.so\nauth [success=1] pam_permit.so\n", "", "", PermDenied},
	"a jump beyond the end of a substack fails": {
		"auth substack $1\nauth required pam_permit.so\n", "auth [success=1] pam_permit.so\n", "", PermDenied},
	"a jump alone is no success": {
		"auth [success=1] pam_permit.so\nauth required pam_deny.so\nauth optional pam_debug.so auth=ignore\n", "", "", PermDenied},
	"ignore can be made the result":       {"auth [default=ok] pam_debug.so auth=ignore\nauth optional pam_permit.so\n", "", "", Ignore},
	"all ignore":                          {"auth required pam_debug.so auth=ignore\n", "", "", PermDenied},
	"sufficient does not outweigh a bad":  {"auth required pam_deny.so\nauth sufficient pam_permit.so\n", "", "", AuthErr},
	"the first bad result is the stack's": {"auth required pam_debug.so auth=maxtries\nauth required pam_deny.so\n", "", "", Result(11)},
	"a success after an expired password": {"auth required pam_debug.so auth=new_authtok_reqd\nauth required pam_permit.so\n", "", "", NewAuthtok},
	"a module that is not there":          {"-auth optional pam_there_is_no_such_module.so\nauth required pam_permit.so\n", "", "", Success},
	"a required one that is not there":    {"-auth required pam_there_is_no_such_module.so\nauth required pam_permit.so\n", "", "", ModuleUnknown},
}

func TestRunComesToTheResultsOfLibpamWhereTheyAreSubtle(t *testing.T) {
	root, dir := confDir(t)
	for what, c := range subtle {
		f0 := strings.NewReplacer("$1", dir+"/f1", "$2", dir+"/f2").Replace(c.f0)
		writeFiles(t, dir, map[string]string{"f0": f0, "f1": c.f1, "f2": c.f2, "other": ""})
		theirs, ours := throughLibpam(t, dir, "f0")[0], throughUs(t, root, "f0")[0]
		if theirs != c.want || ours != c.want {
			t.Errorf("%s: %v, libpam says %v, want %v", what, ours, theirs, c.want)
		}
	}
	if len(subtle) != 19 {
		t.Errorf("%d subtle stacks", len(subtle))
	}
}

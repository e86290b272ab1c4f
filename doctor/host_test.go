package doctor

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"twokey/audit"
	"twokey/policy"
	"twokey/secrets"
)

// goodFiles are those of a host with which nothing is wrong.
func goodFiles() map[string]string {
	const stack = "auth [success=1 default=ignore] pam_unix.so\n" +
		"auth requisite pam_twokey.so decoy\n" +
		"auth required pam_twokey.so after=password\n" +
		"auth required pam_permit.so\n" +
		"account required pam_twokey.so\n" +
		"account required pam_nologin.so\n" +
		"@include common-account\n"
	recommended := strings.Replace(strings.Replace(stack, "success=1", "success=2", 1), "decoy\n", "decoy\nauth requisite pam_deny.so\n", 1)
	return map[string]string{
		"etc/pam.d/sshd": stack + "session required pam_twokey.so\n@include common-session\n",
		"etc/pam.d/sudo": stack + "@include common-session\n",
		"etc/pam.d/su":   "auth sufficient pam_rootok.so\n" + recommended + "@include common-session\n",
		"etc/pam.d/login": "auth optional pam_faildelay.so delay=3000000\n" + stack +
			"session required pam_twokey.so\nsession required pam_env.so user_readenv=1\n@include common-session\n",
		"etc/pam.d/twokey-self": "auth requisite pam_unix.so\nauth required pam_twokey.so after=password\nauth required pam_permit.so\n" +
			"account required pam_unix.so\n",
		"etc/pam.d/cron":           "@include common-auth\n@include common-account\n@include common-session\n",
		"etc/pam.d/other":          "auth required pam_deny.so\naccount required pam_deny.so\nsession required pam_deny.so\n",
		"etc/pam.d/common-auth":    "auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\nauth required pam_permit.so\n",
		"etc/pam.d/common-account": "account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so\naccount requisite pam_deny.so\naccount required pam_permit.so\n",
		"etc/pam.d/common-session": "session [default=1] pam_permit.so\nsession requisite pam_deny.so\nsession required pam_permit.so\nsession required pam_unix.so\n",

		"etc/ssh/sshd_config": "# a comment\nUsePAM yes\nKbdInteractiveAuthentication yes\nPasswordAuthentication no\nPubkeyAuthentication yes\nHostKey $ROOT/etc/ssh/key\n",
		"etc/sudoers":         "Defaults env_reset\nroot ALL=(ALL:ALL) ALL\n%wheel ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n",
		"etc/sudoers.d/ops":   "backup ALL=(root) NOPASSWD: /usr/bin/rsync\n",
		"etc/login.defs":      "LOGIN_TIMEOUT\t\t60\n",

		"etc/twokey/twokey.yaml":         "version: 1\nrequire:\n  - {users: [alice]}\n",
		"var/lib/twokey/policy":          "policy",
		"var/lib/twokey/users/alice.age": "secret",
		"var/lib/twokey/state/alice":     "state",

		"usr/lib/x86_64-linux-gnu/security/pam_permit.so": "",
		"usr/lib/x86_64-linux-gnu/security/pam_twokey.so": "",
		"usr/libexec/twokey/twokey-verify":                "",
		"usr/libexec/twokey/twokey-notify":                "",

		"etc/passwd": "root:x:0:0:root:/root:/bin/bash\n_twokey:x:998:998::/nonexistent:/usr/sbin/nologin\n",
	}
}

// scratch is a host in a folder.
type scratch struct {
	t      *testing.T
	host   Host
	people []Person
}

func newScratch(t *testing.T, files map[string]string) *scratch {
	t.Helper()
	s := &scratch{t: t}
	s.host = Host{Root: t.TempDir(), Now: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC),
		Clock:      func(context.Context) (Clock, error) { return Clock{Synchronised: true, By: "a test"}, nil },
		FileSystem: func(string) (FileSystem, error) { return FileSystem{Name: "ext4", Free: 1 << 30}, nil },
		Unit:       aUnit("", Unit{})}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		s.write(name, strings.ReplaceAll(files[name], "$ROOT", s.host.Root))
	}
	for _, folder := range []string{"etc/twokey/credentials", "var/lib/twokey", "var/lib/twokey/users", "var/lib/twokey/state", "var/lib/twokey/uids", "var/log/twokey"} {
		s.must(os.MkdirAll(s.path(folder), 0o700))
		s.must(os.Chmod(s.path(folder), 0o700))
	}
	s.must(os.Symlink("alice", s.path("var/lib/twokey/uids/1001")))
	s.host.Config = s.path("etc/twokey/twokey.yaml")
	s.must(secrets.GenerateHostKey(s.path("etc/twokey/host.key")))
	_, err := audit.Create(s.path("var/log/twokey/audit.jsonl"))
	s.must(err)
	key, err := sshHostKey()
	s.must(err)
	s.must(os.WriteFile(s.path("etc/ssh/key"), key, 0o600))
	s.people = []Person{
		somebody("alice", 1001, true, "wheel"),
		somebody("bob", 1002, true, "users"),
		somebody("carol", 1003, false, "users"),
	}
	return s
}

// sshHostKey is one for all scratch hosts.
var sshHostKey = sync.OnceValues(func() ([]byte, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(block), nil
})

// somebody is an account with bash as its shell.
func somebody(name string, uid uint32, enrolled bool, group string) Person {
	return Person{Name: name, Shell: "/bin/bash", Enrolled: enrolled, Facts: func(service, from string) policy.Facts {
		return policy.Facts{User: name, UID: uid, Known: true, Service: service, RHost: from, Enrolled: enrolled,
			Time: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC), InGroup: func(g string) (bool, error) { return g == group, nil }}
	}}
}

func (s *scratch) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *scratch) path(name string) string { return filepath.Join(s.host.Root, name) }

func (s *scratch) write(name, content string) {
	s.t.Helper()
	mode := os.FileMode(0o600)
	if strings.HasPrefix(name, "etc/") && name != "etc/twokey/host.key" || strings.HasPrefix(name, "usr/") {
		mode = 0o644
	}
	switch {
	case strings.HasPrefix(name, "etc/twokey/credentials/"):
		mode = 0o600
	case strings.HasPrefix(name, "usr/libexec/"), strings.HasPrefix(name, "usr/local/"):
		mode = 0o755
	}
	s.must(os.MkdirAll(filepath.Dir(s.path(name)), 0o755))
	s.must(os.WriteFile(s.path(name), []byte(content), mode))
}

func (s *scratch) read(name string) string {
	s.t.Helper()
	b, err := os.ReadFile(s.path(name))
	s.must(err)
	return string(b)
}

// examine reads the policy anew and examines the host.
func (s *scratch) examine() *Report {
	s.t.Helper()
	h := s.host
	h.People = s.people
	if h.Policy == nil && h.Problem == nil {
		config, err := policy.Parse([]byte(s.read("etc/twokey/twokey.yaml")))
		s.must(err)
		h.Policy = config
	}
	return Examine(s.t.Context(), h)
}

// bad are the findings above info.
func bad(r *Report) (all []Finding) {
	for _, f := range r.Findings {
		if f.Severity != Info {
			all = append(all, f)
		}
	}
	return all
}

var (
	editForm   = regexp.MustCompile(`(/\S+) line (\d+): (write|put before it|put behind it|take it out)((?:,? "[^"]*")*)`)
	quotedForm = regexp.MustCompile(`"([^"]*)"`)
)

// carryOut does what a fix says: it writes the lines, the last of a file first so that the numbers hold, or runs the command.
func (s *scratch) carryOut(fix string) {
	s.t.Helper()
	if line, ok := strings.CutPrefix(fix, "run: "); ok {
		out, err := exec.Command("sh", "-c", line).CombinedOutput()
		if err != nil {
			s.t.Fatalf("%s: %v: %s", line, err, out)
		}
		return
	}
	edits := editForm.FindAllStringSubmatch(fix, -1)
	if len(edits) == 0 {
		s.t.Fatalf("nothing can be carried out: %s", fix)
	}
	slices.SortStableFunc(edits, func(a, b []string) int { return number(b) - number(a) })
	for _, e := range edits {
		lines := strings.SplitAfter(s.read(e[1]), "\n")
		at := number(e) - 1
		var added []string
		for _, q := range quotedForm.FindAllStringSubmatch(e[4], -1) {
			added = append(added, q[1]+"\n")
		}
		from, to := at, at+1
		switch e[3] {
		case "put before it":
			to = at
		case "put behind it":
			from = at + 1
		}
		s.write(strings.TrimPrefix(e[1], "/"), strings.Join(slices.Replace(lines, from, to, added...), ""))
	}
}

func number(edit []string) int {
	n, err := strconv.Atoi(edit[2])
	if err != nil {
		panic(err)
	}
	return n
}

func show(all []Finding) string {
	var b strings.Builder
	for _, f := range all {
		fmt.Fprintf(&b, "\n%s %s (not asked: %v)\n  %s\n  fix: %s", f.Severity, f.ID, f.NotAsked, f.Message, f.Fix)
	}
	return b.String()
}

// parse fixes the policy of the file as that in force.
func (s *scratch) parse() {
	s.t.Helper()
	config, err := policy.Parse([]byte(s.read("etc/twokey/twokey.yaml")))
	s.must(err)
	s.host.Policy = config
}

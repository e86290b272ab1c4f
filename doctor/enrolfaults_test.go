package doctor

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"twokey/internal/safefile"
	"twokey/internal/slotfile"
	"twokey/policy"
)

const (
	selfPAM = "etc/pam.d/twokey-self"
	yaml    = "etc/twokey/twokey.yaml"
)

// everyFault has those of logins, those of enrolment and of what users do themselves, and those of SMS and push.
func everyFault() map[string]fault {
	every := maps.Clone(faults)
	maps.Copy(every, enrolFaults)
	maps.Copy(every, phoneFaults)
	return every
}

// newcomer has alice, who is required, without a device.
func newcomer(s *scratch) { s.people[0] = somebody("alice", 1001, false, "wheel") }

// aUnit is a host on which systemd runs and all is well, but for one unit.
func aUnit(other string, is Unit) func(context.Context, string) (Unit, error) {
	return func(_ context.Context, name string) (Unit, error) {
		if name == other {
			return is, nil
		}
		return Unit{Running: true, Loaded: "loaded", File: "enabled", Listening: true}, nil
	}
}

func withUnit(name string, is Unit) func(*scratch) {
	return func(s *scratch) { s.host.Unit = aUnit(name, is) }
}

func learnt(service string) func(*scratch) {
	return func(s *scratch) { s.host.Lacking = []Lacking{{service, s.host.Now.Add(-time.Hour)}} }
}

func aDevice(left time.Duration) func(*scratch) {
	return func(s *scratch) {
		s.people[1].Devices = []Device{{Name: "card"}, {Name: "phone", Until: s.host.Now.Add(left)}}
	}
}

// aCodeFile has a file of alice's codes, which are read as they are at a login.
func aCodeFile(folder, content string) func(*scratch) {
	return func(s *scratch) {
		s.write("var/lib/twokey/"+folder+"/alice", content)
		s.must(os.Chmod(s.path("var/lib/twokey/"+folder), 0o700))
		read := func(folder, kind string) error {
			dir, err := safefile.OpenDir(s.path("var/lib/twokey/" + folder))
			if errors.Is(err, os.ErrNotExist) {
				return nil
			}
			s.must(err)
			defer dir.Close()
			if _, err := slotfile.Read(dir, "alice", kind); !errors.Is(err, os.ErrNotExist) {
				return err
			}
			return nil
		}
		s.people[0].Codes = func() (error, error) { return read("enrolling", "enrol"), read("bypass", "bypass") }
	}
}

// lines puts some into the configuration.
func lines(text string) func(*scratch) { return swap(yaml, "version: 1\n", "version: 1\n"+text) }

func plain(s *scratch) { s.write(yaml, goodFiles()[yaml]) }

// endsIt is our line when nothing behind it is asked.
const endsIt = "auth [success=done ignore=ignore default=die] pam_twokey.so\n"

var enrolFaults = map[string]fault{
	"a login has found that the account line is missing": {
		plant: all(learnt("sudo"), swap(sudoPAM, "account required pam_twokey.so\n", "")),
		id:    "account-missing", severity: Error,
		fix: `/etc/pam.d/sudo line 5: put before it "account required pam_twokey.so"`,
	},
	"the account line is missing, and nobody enrols at a login": {
		plant: all(newcomer, lines("enroll: {at_login: 'no'}\n"), swap(sudoPAM, "account required pam_twokey.so\n", "")),
		id:    "account-missing", severity: Warning,
		fix: `/etc/pam.d/sudo line 5: put before it "account required pam_twokey.so"`,
	},
	"a stolen password is enough to enrol over ssh": {
		plant: lines("enroll: {at_login: 'yes'}\n"),
		id:    "enrol-by-password", severity: Warning,
		fix: "run: twokey config set enroll.at_login with-code", mend: func(s *scratch) { plain(s); lines("enroll: {at_login: with-code}\n")(s) },
	},
	"our line ends authenticate before the password": {
		plant: swap(sudoPAM, unixOne+decoyOne+realAuth, endsIt+"auth required pam_unix.so\n"),
		id:    "enrol-without-password", severity: Error,
		fix: `/etc/pam.d/sudo line 1: write "auth required pam_twokey.so"`,
	},
	"our line is all that authenticate asks": {
		plant: swap(sudoPAM, unixOne+decoyOne+realAuth, "auth required pam_env.so\nauth required pam_twokey.so\n"),
		id:    "enrol-without-password", severity: Error,
		fix: `/etc/pam.d/sudo line 2: put before it "auth requisite pam_unix.so"`,
	},
	"our line ends authenticate over ssh before the password": {
		plant: swap(sshdPAM, unixOne+decoyOne+realAuth, endsIt+"auth required pam_unix.so\n"),
		id:    "enrol-without-password", severity: Error,
		fix: `/etc/pam.d/sshd line 1: write "auth required pam_twokey.so"`,
	},
	"our line is all that authenticate asks over ssh, where a key is enough too": {
		plant: all(swap(sshdPAM, unixOne+decoyOne+realAuth, "auth required pam_twokey.so\n"),
			swap(sshdConf, "UsePAM yes\n", "UsePAM yes\nAuthenticationMethods publickey,keyboard-interactive:pam keyboard-interactive\n")),
		id: "enrol-without-password", severity: Error,
		fix: `/etc/pam.d/sshd line 1: put before it "auth requisite pam_unix.so"`,
	},
	"users have no PAM service of their own": {
		plant: func(s *scratch) { s.must(os.Remove(s.path(selfPAM))) },
		id:    "self-service-missing", severity: Warning,
		fix:  "put it back as twokey brings it; on Debian run: apt-get install --reinstall -o Dpkg::Options::=--force-confmiss twokey",
		mend: func(s *scratch) { s.write(selfPAM, goodFiles()[selfPAM]) },
	},
	"the PAM service of users does not ask for a code": {
		plant: swap(selfPAM, realAuth, ""),
		id:    "self-service-unasked", severity: Warning,
		fix: `/etc/pam.d/twokey-self line 2: put behind it "auth required pam_twokey.so after=password"`,
	},
	"the PAM service of users is passed by": {
		plant: swap(selfPAM, "auth requisite pam_unix.so\n", "auth sufficient pam_unix.so\nauth requisite pam_deny.so\n"),
		id:    "passed-by", severity: Warning,
		fix: `/etc/pam.d/twokey-self line 1: write "auth [success=1 default=ignore] pam_unix.so"`,
	},
	"the PAM service of users promises a password that is not there": {
		plant: swap(selfPAM, "requisite", "required"),
		id:    "password-not-sure", severity: Error,
		fix: `/etc/pam.d/twokey-self line 2: write "auth required pam_twokey.so"`,
	},
	"the socket of users does not listen": {
		plant: withUnit("twokey-self.socket", Unit{Running: true, Loaded: "loaded", File: "enabled"}),
		id:    "socket-off", severity: Warning, fix: "run: systemctl enable --now twokey-self.socket", mend: withUnit("", Unit{}),
	},
	"the socket of screen lockers is not enabled": {
		plant: withUnit("twokey-verify.socket", Unit{Running: true, Loaded: "loaded", File: "disabled", Listening: true}),
		id:    "socket-off", severity: Warning, fix: "run: systemctl enable --now twokey-verify.socket", mend: withUnit("", Unit{}),
	},
	"a socket is not installed": {
		plant: withUnit("twokey-self.socket", Unit{Running: true, Loaded: "not-found"}),
		id:    "socket-off", severity: Warning, fix: "install twokey again", mend: withUnit("", Unit{}),
	},
	"a requirement has ended": {
		plant: swap(yaml, "  - {users: [alice]}\n", "  - {users: [alice]}\n  - {users: [bob], until: 2026-05-03}\n"),
		id:    "entry-ended", severity: Warning, fix: "take require[1] out of $ROOT/etc/twokey/twokey.yaml, or give it another until: twokey policy edit", mend: plain,
	},
	"an exemption has ended": {
		plant: lines("exempt: [{users: [bob], until: 2026-05-03}]\n"),
		id:    "entry-ended", severity: Warning, fix: "take exempt[0] out of $ROOT/etc/twokey/twokey.yaml, or give it another until: twokey policy edit", mend: plain,
	},
	"a device has ended": {
		plant: aDevice(0),
		id:    "device-ended", severity: Warning, fix: "run: twokey device edit --until never bob 'phone'", mend: aDevice(1000 * time.Hour),
	},
	"a device ends within three days": {
		plant: aDevice(72 * time.Hour),
		id:    "device-ends", severity: Warning, fix: "run: twokey device edit --until never bob 'phone'", mend: aDevice(72*time.Hour + time.Second),
	},
	"a provisioner is no key": {
		plant: func(s *scratch) {
			s.parse()
			s.host.Policy.Provisioners = []string{"twokey-signer1" + strings.Repeat("A", 43)}
		},
		id: "provisioner-no-key", severity: Warning,
		fix:  `take it out of provisioners in $ROOT/etc/twokey/twokey.yaml; "twokey key new-signer" prints what belongs there`,
		mend: func(s *scratch) { s.host.Policy.Provisioners = nil },
	},
	"one of the helpdesk has no device": {
		plant: lines("roles: {helpdesk: {groups: [users]}}\n"), // bob, who has one, and carol
		id:    "helpdesk-without-device", severity: Warning, fix: "run: twokey enroll carol",
		mend: func(s *scratch) { s.people[2].Enrolled = true },
	},
	"an unfinished enrolment is damaged": {
		plant: aCodeFile("enrolling", "rubbish"),
		id:    "enrolling-damaged", severity: Error, fix: "run: rm '$ROOT/var/lib/twokey/enrolling/alice'",
	},
	"bypass codes are damaged": {
		plant: aCodeFile("bypass", strings.Repeat("rubbish", 2000)),
		id:    "bypass-damaged", severity: Error, fix: "run: rm '$ROOT/var/lib/twokey/bypass/alice'",
	},
	"enrolment codes can be looked into": {
		plant: func(s *scratch) {
			s.write("var/lib/twokey/enrolling/alice", "")
			s.must(os.Chmod(s.path("var/lib/twokey/enrolling"), 0o755))
		},
		id: "file-mode", severity: Warning, fix: "run: chmod 0700 '$ROOT/var/lib/twokey/enrolling'",
	},
	"a user id's link belongs to somebody else": {
		plant: func(s *scratch) { s.must(os.Lchown(s.path("var/lib/twokey/uids/1001"), 65534, 65534)) },
		id:    "file-owner", severity: Error, fix: "run: chown -h root:root '$ROOT/var/lib/twokey/uids/1001'",
	},
	"a file stands where a user id's link was": {
		plant: func(s *scratch) {
			s.must(os.Remove(s.path("var/lib/twokey/uids/1001")))
			s.must(os.WriteFile(s.path("var/lib/twokey/uids/1001"), []byte("alice"), 0o600))
		},
		id: "file-unusable", severity: Error, fix: "run: ls -ld '$ROOT/var/lib/twokey/uids/1001'",
		mend: func(s *scratch) {
			s.must(os.Remove(s.path("var/lib/twokey/uids/1001")))
			s.must(os.Symlink("alice", s.path("var/lib/twokey/uids/1001")))
		},
	},
	"bypass codes belong to somebody else": {
		plant: func(s *scratch) {
			aCodeFile("bypass", "")(s)
			s.must(os.Chown(s.path("var/lib/twokey/bypass/alice"), 65534, 65534))
		},
		id: "file-owner", severity: Error, fix: "run: chown root:root '$ROOT/var/lib/twokey/bypass/alice'",
		mend: func(s *scratch) { s.must(os.Remove(s.path("var/lib/twokey/bypass/alice"))) },
	},
}

// What is no fault is good to know, and says when.
func TestWhatIsGoodToKnowOfEnrolment(t *testing.T) {
	for what, c := range map[string]struct {
		plant   func(*scratch)
		id, fix string
	}{
		"who has to enrol has two minutes": {newcomer, "sshd-grace-enrol", `/etc/ssh/sshd_config line 1: put before it "LoginGraceTime 180"`},
		"who has to enrol has what stands there": {all(newcomer, swap(sshdConf, "UsePAM yes\n", "UsePAM yes\nLoginGraceTime 2m\n")), "sshd-grace-enrol",
			`/etc/ssh/sshd_config line 3: write "LoginGraceTime 180"`},
		"a requirement ends in three days": {swap(yaml, "  - {users: [alice]}\n", "  - {users: [alice], until: 2026-05-06}\n"), "entry-ends",
			"if it shall go on, give it another until in $ROOT/etc/twokey/twokey.yaml: twokey policy edit"},
		"an exemption ends today": {lines("exempt: [{users: [bob], until: 2026-05-04}]\n"), "entry-ends",
			"if it shall go on, give it another until in $ROOT/etc/twokey/twokey.yaml: twokey policy edit"},
		"the account line is there again": {learnt("sudo"), "account-mended",
			"should this come again, the program never asks PAM about accounts: services: {sudo: {enroll: false}}"},
		"systemd does not answer": {func(s *scratch) {
			s.host.Unit = func(context.Context, string) (Unit, error) { return Unit{}, errors.New("no bus") }
		}, "socket-unknown", "run: systemctl status twokey-self.socket"},
	} {
		s := newScratch(t, goodFiles())
		if f, found := findingOf(s.examine(), c.id); found {
			t.Errorf("%s: before:%s", what, show([]Finding{f}))
		}
		c.plant(s)
		r := s.examine()
		f, found := findingOf(r, c.id)
		if want := strings.ReplaceAll(c.fix, "$ROOT", s.host.Root); !found || f.Severity != Info || f.Fix != want || len(bad(r)) > 0 {
			t.Errorf("%s:%s", what, show(r.Findings))
		}
		if editForm.MatchString(c.fix) {
			s.carryOut(f.Fix)
			if f, found := findingOf(s.examine(), c.id); found {
				t.Errorf("%s: the fix was carried out, and there is:%s", what, show([]Finding{f}))
			}
		}
	}
}

// Nobody reads a doctor who cries wolf.
func TestWhatIsRightOfEnrolmentIsNotCalledWrong(t *testing.T) {
	for what, plant := range map[string]func(*scratch){
		"systemd does not run":              func(s *scratch) { s.host.Unit = func(context.Context, string) (Unit, error) { return Unit{}, nil } },
		"sockets are not looked at":         func(s *scratch) { s.host.Unit = nil },
		"a socket is masked":                withUnit("twokey-self.socket", Unit{Running: true, Loaded: "masked", File: "masked"}),
		"by password alone, and not by ssh": lines("enroll: {at_login: 'yes'}\nservices: {sshd: {enroll: false}}\n"),
		"nobody is asked, and a service was found lacking": all(learnt("gdm-password"),
			withFile("etc/pam.d/gdm-password", "@include common-auth\n"), lines("services: {gdm-password: {ask: exempt}}\n")),
		"a code after a key is all that sshd asks": all(swap(sshdPAM, unixOne+decoyOne+realAuth, "auth required pam_twokey.so\n"),
			swap(sshdConf, "UsePAM yes\n", "UsePAM yes\nAuthenticationMethods publickey,keyboard-interactive:pam\n")),
		"a code after a fingerprint": swap(sudoPAM, unixOne+decoyOne+realAuth, "auth requisite pam_fprintd.so\nauth required pam_twokey.so\n"),
		"our line ends authenticate, and nobody enrols there": all(swap(sudoPAM, unixOne+decoyOne+realAuth, endsIt+"auth required pam_unix.so\n"),
			lines("services: {sudo: {enroll: false}}\n")),
		"our line ends authenticate, and nobody enrols at a login": all(swap(sudoPAM, unixOne+decoyOne+realAuth, endsIt+"auth required pam_unix.so\n"),
			lines("enroll: {at_login: 'no'}\n")),
		"a device that never ends":      aDevice(1000 * time.Hour),
		"an entry that ends in a week":  lines("exempt: [{users: [bob], until: 2026-05-11}]\n"),
		"the helpdesk has devices":      lines("roles: {helpdesk: {users: [bob]}}\n"),
		"a helpdesk that nobody can be": lines("roles: {helpdesk: {groups: [nobody]}}\n"),
	} {
		s := newScratch(t, goodFiles())
		plant(s)
		if found := bad(s.examine()); len(found) > 0 {
			t.Errorf("%s:%s", what, show(found))
		}
	}
}

// What a login has learnt is forgotten when, and only when, the stack has the line that was missing.
func TestServicesAreMendedWhenTheAccountLineIsThere(t *testing.T) {
	s := newScratch(t, goodFiles())
	learnt("sudo")(s)
	if got := s.examine().Mended; !slices.Equal(got, []string{"sudo"}) {
		t.Errorf("with the line: %q", got)
	}
	for what, line := range map[string]string{
		"without it": "", "in vain": "account optional pam_twokey.so\n", "passed by": "account sufficient pam_unix.so\naccount required pam_twokey.so\n",
	} {
		s := newScratch(t, goodFiles())
		learnt("sudo")(s)
		swap(sudoPAM, "account required pam_twokey.so\n", line)(s)
		if r := s.examine(); len(r.Mended) > 0 || len(bad(r)) != 1 || bad(r)[0].Severity != Error {
			t.Errorf("%s: mended %q, found:%s", what, r.Mended, show(bad(r)))
		}
	}
	s.host.User = "carol"
	if got := s.examine(); len(got.Mended) != 1 {
		t.Errorf("narrowed to somebody: %q", got.Mended)
	}
}

// In the service of users nothing is said of account and session lines, nor of a decoy: nobody comes in by it.
func TestTheServiceOfUsersIsAProofAndNoLogin(t *testing.T) {
	s := newScratch(t, goodFiles())
	s.host.Service = policy.SelfService
	r := s.examine()
	want := Service{Name: policy.SelfService, Ask: "prompt", Asked: AskedAlways, After: "pam_unix", Account: WiredNotNeeded, Session: WiredNotNeeded}
	if len(r.Findings) > 0 || len(r.Services) != 1 || asJSON(t, r.Services[0]) != asJSON(t, want) {
		t.Errorf("%+v, found:%s", r.Services, show(r.Findings))
	}
}

func TestTheMachineIsAskedOnlyWhereSystemdRuns(t *testing.T) {
	_, missing := os.Stat("/run/systemd/system")
	u, err := MachineUnit(t.Context(), "no-such-unit-of-twokey.socket")
	if err != nil || u.Running != (missing == nil) || u.Running && u.Loaded != "not-found" || u.Listening {
		t.Errorf("%+v, %v", u, err)
	}
}

func TestWhatSystemctlShows(t *testing.T) {
	for text, want := range map[string]Unit{
		"LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n":    {true, "loaded", "enabled", true},
		"LoadState=loaded\nActiveState=inactive\nUnitFileState=disabled\n": {true, "loaded", "disabled", false},
		"LoadState=not-found\nActiveState=inactive\nUnitFileState=\n":      {true, "not-found", "", false},
		"LoadState=masked\nActiveState=failed\nUnitFileState=masked":       {true, "masked", "masked", false},
		"":                 {Running: true},
		"rubbish\n=\n\x00": {Running: true},
	} {
		if got := unitOf(text); got != want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
}

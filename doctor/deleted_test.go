package doctor

import (
	"slices"
	"testing"
)

func findingOf(r *Report, id string) (Finding, bool) {
	i := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.ID == id })
	if i < 0 {
		return Finding{}, false
	}
	return r.Findings[i], true
}

func TestAStackThatLetsEverybodyInWithoutOurLinesIsNamedAndMended(t *testing.T) {
	for what, c := range map[string]struct{ auth, fix string }{
		"pam_unix, our lines, pam_permit": {unixOne + decoyOne + realAuth + permit,
			`/etc/pam.d/login line 1: write "auth [success=2 default=ignore] pam_unix.so"; ` +
				`/etc/pam.d/login line 2: put behind it "auth requisite pam_deny.so"`},
		"two ways to a password": {"auth [success=2 default=ignore] pam_sss.so\n" + unixOne + decoyOne + realAuth + permit,
			`/etc/pam.d/login line 1: write "auth [success=3 default=ignore] pam_sss.so"; ` +
				`/etc/pam.d/login line 2: write "auth [success=2 default=ignore] pam_unix.so"; ` +
				`/etc/pam.d/login line 3: put behind it "auth requisite pam_deny.so"`},
		"a jump that ends before the decoy": {"auth [success=1 default=ignore] pam_localuser.so\nauth required pam_faildelay.so\n" + unixOne + decoyOne + realAuth + permit,
			`/etc/pam.d/login line 3: write "auth [success=2 default=ignore] pam_unix.so"; ` +
				`/etc/pam.d/login line 4: put behind it "auth requisite pam_deny.so"`},
	} {
		s := newScratch(t, goodFiles())
		s.host.Service = "login"
		s.write("etc/pam.d/login", c.auth+accounts+sessions)
		f, found := findingOf(s.examine(), "permit-without-deny")
		if !found || f.Severity != Info || f.Fix != c.fix {
			t.Errorf("%s:\n%s, want\n%s", what, f.Fix, c.fix)
			continue
		}
		s.carryOut(f.Fix)
		r := s.examine()
		if _, found := findingOf(r, "permit-without-deny"); found || len(bad(r)) > 0 {
			t.Errorf("%s: the fix was carried out, and there is:%s", what, show(r.Findings))
		}
	}
}

func TestAStackThatIsClosedWithoutOurLinesIsNotNamed(t *testing.T) {
	for what, auth := range map[string]string{
		"the stack of the README":         readme,
		"pam_unix is requisite":           "auth requisite pam_unix.so\n" + realAuth + permit,
		"pam_unix is required":            "auth required pam_unix.so\nauth required pam_twokey.so\n" + permit,
		"behind common-auth":              "@include common-auth\n" + realAuth,
		"root need not know his password": "auth sufficient pam_rootok.so\n" + readme,
		"a finger after a wrong password": "auth [success=2 default=ignore] pam_unix.so\nauth [success=1 default=ignore] pam_fprintd.so\n" +
			"auth requisite pam_deny.so\nauth required pam_twokey.so\n" + permit,
		"a finger in place of a password": "auth [success=3 default=ignore] pam_fprintd.so\n" + readme,
	} {
		s := newScratch(t, goodFiles())
		s.host.Service = "login"
		s.write("etc/pam.d/login", auth+accounts+sessions)
		if f, found := findingOf(s.examine(), "permit-without-deny"); found {
			t.Errorf("%s:%s", what, show([]Finding{f}))
		}
	}
}

// What cannot be mended by two lines gets no lines that leave it open, or close it.
func TestAStackThatTwoLinesDoNotMendIsComparedWithTheReadme(t *testing.T) {
	for what, auth := range map[string]string{
		"there is no decoy": "auth [success=ignore default=2] pam_unix.so\n" + realAuth + "auth sufficient pam_permit.so\n" +
			"auth requisite pam_deny.so\n" + permit,
		"pam_deny would be reached after a right password": "auth [success=ignore default=1] pam_unix.so\nauth [default=1] pam_faildelay.so\n" +
			decoyOne + realAuth + permit,
		"pam_deny would be jumped over": "auth [success=ignore default=1] pam_unix.so\nauth [success=1 ignore=1 default=die] pam_twokey.so after=password\n" +
			decoyOne + permit + permit,
	} {
		s := newScratch(t, goodFiles())
		s.host.Service = "login"
		s.write("etc/pam.d/login", auth+accounts+sessions)
		r := s.examine()
		f, found := findingOf(r, "permit-without-deny")
		if !found || f.Fix != "compare /etc/pam.d/login with the recommended stack in the README" || len(bad(r)) > 0 {
			t.Errorf("%s: %s%s", what, f.Fix, show(bad(r)))
		}
	}
}

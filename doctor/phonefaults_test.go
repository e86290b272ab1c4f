package doctor

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	notifyPath = "usr/libexec/twokey/twokey-notify"
	sendText   = "usr/local/bin/send-text"
	ntfyToken  = "etc/twokey/credentials/ntfy.token"

	bySMS  = "sms: {provider: command, command: [/usr/local/bin/send-text, --flash]}\n"
	byPush = "push: {provider: ntfy, url: 'https://ntfy.example.org', token_file: ntfy.token}\n"
	byDuo  = "push: {provider: duo, api_host: api-00000000.duosecurity.com, integration_key: DI000000000000000000, secret_key_file: duo.key}\n"

	someToken = "tk_01234567890123456789\n"
)

// phoned is a host with SMS and push, and nothing wrong with them, before something else is planted.
func phoned(plants ...func(*scratch)) func(*scratch) {
	return all(append([]func(*scratch){lines(bySMS + byPush), withFile(sendText, "#!/bin/sh\ncat >/dev/null\n"), withFile(ntfyToken, someToken),
		withFile("etc/login.defs", "LOGIN_TIMEOUT 120\n")}, plants...)...)
}

// has gives bob devices of these methods.
func has(methods ...string) func(*scratch) {
	return func(s *scratch) {
		s.people[1].Devices = nil
		for _, method := range methods {
			s.people[1].Devices = append(s.people[1].Devices, Device{Name: "my " + method, Method: method})
		}
	}
}

func chmod(name string, mode os.FileMode) func(*scratch) {
	return func(s *scratch) { s.must(os.Chmod(s.path(name), mode)) }
}

func chown(name string) func(*scratch) {
	return func(s *scratch) { s.must(os.Chown(s.path(name), 65534, 65534)) }
}

func link(target, name string) func(*scratch) {
	return func(s *scratch) { s.must(os.Symlink(target, s.path(name))) }
}

func remove(name string) func(*scratch) {
	return func(s *scratch) { s.must(os.Remove(s.path(name))) }
}

const (
	putBack = "put the program back, or name another: twokey sms setup --provider command"
	addUser = "useradd --prefix '$ROOT' --system --no-create-home --shell /usr/sbin/nologin _twokey"
)

var phoneFaults = map[string]fault{
	"there is no user who sends messages": {
		plant: phoned(swap("etc/passwd", "_twokey:x:998:998::/nonexistent:/usr/sbin/nologin\n", "")),
		id:    "notify-user-missing", severity: Error, fix: "run: " + addUser,
	},
	"the user who sends messages is in root's group": {
		plant: phoned(swap("etc/passwd", "998:998", "998:0"), withFile("etc/group", "root:x:0:\nnogroup:x:65534:\n")),
		id:    "notify-user-root", severity: Error, fix: "run: usermod --prefix '$ROOT' --gid nogroup _twokey",
	},
	"the user who sends messages is root": {
		plant: phoned(swap("etc/passwd", "998:998", "0:0")),
		id:    "notify-user-root", severity: Error, fix: "/etc/passwd line 2: take it out; run: " + addUser, mend: swap("etc/passwd", "_twokey:x:0:0", "_twokey:x:998:998"),
	},
	"the program that sends messages is missing": {
		plant: phoned(remove(notifyPath)),
		id:    "notify-unusable", severity: Error, fix: "install twokey again", mend: withFile(notifyPath, ""),
	},
	"the program that sends messages belongs to somebody else": {
		plant: phoned(chown(notifyPath)),
		id:    "notify-unusable", severity: Error, fix: "run: chown root:root '$ROOT/usr/libexec/twokey/twokey-notify'",
	},
	"the program that sends messages can be written by others": {
		plant: phoned(chmod(notifyPath, 0o777)),
		id:    "notify-unusable", severity: Error, fix: "run: chmod go-w '$ROOT/usr/libexec/twokey/twokey-notify'",
	},
	"the program that sends messages cannot be started": {
		plant: phoned(chmod(notifyPath, 0o744)),
		id:    "notify-unusable", severity: Error, fix: "run: chmod 0755 '$ROOT/usr/libexec/twokey/twokey-notify'",
	},
	"the folder of the program that sends messages is root's alone": {
		plant: phoned(chmod("usr/libexec/twokey", 0o700)),
		id:    "notify-unusable", severity: Error, fix: "run: chmod 0755 '$ROOT/usr/libexec/twokey'",
	},
	"a service has the helper of another version": {
		plant: phoned(withFile("opt/twokey-0/twokey-verify", ""), swap(sudoPAM, realAuth, "auth required pam_twokey.so after=password helper=/opt/twokey-0/twokey-verify\n")),
		id:    "notify-elsewhere", severity: Warning, fix: `/etc/pam.d/sudo line 3: write "auth required pam_twokey.so after=password"`,
	},

	"a credential is missing": {
		plant: phoned(remove(ntfyToken)),
		id:    "credential-missing", severity: Error, fix: "run: twokey push setup", mend: withFile(ntfyToken, someToken),
	},
	"a credential is empty": {
		plant: phoned(withFile(ntfyToken, "\n")),
		id:    "credential-wrong", severity: Error, fix: "run: twokey push setup", mend: withFile(ntfyToken, someToken),
	},
	"a credential has two lines": {
		plant: phoned(withFile(ntfyToken, "user: twokey\ntoken: "+someToken)),
		id:    "credential-wrong", severity: Error, fix: "run: twokey push setup", mend: withFile(ntfyToken, someToken),
	},
	"a credential can be read by everybody": {
		plant: phoned(chmod(ntfyToken, 0o644)),
		id:    "file-mode", severity: Error, fix: "run: chmod 0600 '$ROOT/etc/twokey/credentials/ntfy.token'",
	},
	"a credential belongs to somebody else": {
		plant: phoned(chown(ntfyToken)),
		id:    "file-owner", severity: Error, fix: "run: chown root:root '$ROOT/etc/twokey/credentials/ntfy.token'",
	},

	"the program that sends text messages is missing": {
		plant: phoned(remove(sendText)),
		id:    "sms-command-unusable", severity: Error, fix: putBack, mend: withFile(sendText, "#!/bin/sh\n"),
	},
	"the program that sends text messages can be written by others": {
		plant: phoned(chmod(sendText, 0o777)),
		id:    "sms-command-unusable", severity: Error, fix: "run: chmod go-w '$ROOT/usr/local/bin/send-text'",
	},
	"the program that sends text messages cannot be started": {
		plant: phoned(chmod(sendText, 0o644)),
		id:    "sms-command-unusable", severity: Error, fix: "run: chmod 0755 '$ROOT/usr/local/bin/send-text'",
	},

	"the program that sends text messages is a link that others can change": {
		plant: phoned(remove(sendText), withFile("usr/bin/send", "#!/bin/sh\n"), chmod("usr/bin/send", 0o755), link("../../bin/send", sendText), chmod("usr/local/bin", 0o777)),
		id:    "sms-command-unusable", severity: Error, fix: "run: namei -l '$ROOT/usr/local/bin/send-text'", mend: chmod("usr/local/bin", 0o755),
	},
	"the program that sends text messages is a link to one that others can write": {
		plant: phoned(remove(sendText), withFile("usr/bin/send", "#!/bin/sh\n"), chmod("usr/bin/send", 0o777), link("../../bin/send", sendText)),
		id:    "sms-command-unusable", severity: Error, fix: "run: chmod go-w '$ROOT/usr/local/bin/send-text'",
	},

	"the program that sends text messages is a link to one in somebody's folder": {
		plant: phoned(remove(sendText), withFile("usr/theirs/send", "#!/bin/sh\n"), chmod("usr/theirs/send", 0o755), link("../../theirs/send", sendText), chown("usr/theirs")),
		id:    "sms-command-unusable", severity: Error, fix: "run: namei -l '$ROOT/usr/theirs/send'", mend: func(s *scratch) { s.must(os.Chown(s.path("usr/theirs"), 0, 0)) },
	},
	"the program that sends text messages is a link to one in a folder of root's alone": {
		plant: phoned(remove(sendText), withFile("usr/theirs/send", "#!/bin/sh\n"), chmod("usr/theirs/send", 0o755), link("../../theirs/send", sendText), chmod("usr/theirs", 0o700)),
		id:    "sms-command-unusable", severity: Error, fix: "run: chmod 0755 '$ROOT/usr/theirs'",
	},
	"sms has a provider and does not count": {
		plant: phoned(lines("methods: [totp, push, recovery]\n")),
		id:    "provider-unused", severity: Warning, fix: "run: twokey config set methods '[totp, push, sms, recovery]'",
		mend: swap(yaml, "methods: [totp, push, recovery]\n", ""),
	},
	"push has a provider and does not count, and somebody has nothing else": {
		plant: phoned(lines("methods: [totp, sms]\n"), has("push"), func(s *scratch) { s.host.User = "carol" }),
		id:    "provider-unused", severity: Warning, fix: "run: twokey config set methods '[totp, sms, push]'",
		mend: swap(yaml, "methods: [totp, sms]\n", ""),
	},
	"somebody has nothing but sms, which has no provider any more": {
		plant: all(lines(byPush), withFile(ntfyToken, someToken), withFile("etc/login.defs", "LOGIN_TIMEOUT 120\n"), has("sms")),
		id:    "nothing-but-a-phone", severity: Error, fix: "run: twokey reset bob", mend: has("totp"),
	},
	"somebody has nothing but sms and push, which have no providers any more": {
		plant: has("sms", "push"),
		id:    "nothing-but-a-phone", severity: Error, fix: "run: twokey reset bob", mend: has("hotp"),
	},
	"somebody has sms beside an app, and it has no provider": {
		plant: has("totp", "sms"),
		id:    "device-without-provider", severity: Warning, fix: "run: twokey sms setup", mend: phoned(),
	},

	"somebody has nothing but sms without a provider, and is asked nowhere": {
		plant: all(has("sms"), lines("exempt: [{users: [bob]}]\n")),
		id:    "device-without-provider", severity: Warning, fix: "run: twokey sms setup", mend: has("totp"),
	},

	"a service promises no password": {
		plant: phoned(swap(sudoPAM, realAuth, "auth required pam_twokey.so\n")),
		id:    "codes-only", severity: Warning, fix: `/etc/pam.d/sudo line 3: write "auth required pam_twokey.so after=password"`,
	},
	"a service promises no password, and somebody has nothing but a phone": {
		plant: phoned(has("push"), swap(sudoPAM, realAuth, "auth required pam_twokey.so\n")),
		id:    "codes-only", severity: Error, fix: `/etc/pam.d/sudo line 3: write "auth required pam_twokey.so after=password"`,
	},
	"a service with one field, and somebody has nothing but a phone": {
		plant: phoned(has("push"), func(s *scratch) {
			s.write(yaml, s.read(yaml)+"services:\n  vsftpd: {ask: appended}\n")
			s.write("etc/pam.d/vsftpd", "auth required pam_twokey.so\nauth required pam_unix.so\naccount required pam_twokey.so\naccount required pam_unix.so\nsession required pam_twokey.so\n")
		}),
		id: "codes-only", severity: Error, fix: "run: twokey device add --method totp bob", mend: has("push", "totp"),
	},
	"a service without a password, and somebody has nothing but a phone": {
		plant: phoned(lines("enroll: {at_login: 'no'}\n"), has("push"), swap(sudoPAM, unixOne+decoyOne+realAuth, "auth required pam_fprintd.so\nauth required pam_twokey.so\n")),
		id:    "codes-only", severity: Error, mend: has("push", "totp"),
		fix: "have a password asked before, by the recommended stack in the README, or give everybody an app: twokey device add --method totp",
	},

	"sshd does not wait for the phone": {
		plant: phoned(swap(sshdConf, "UsePAM yes\n", "UsePAM yes\nLoginGraceTime 80\n")),
		id:    "sshd-grace-short", severity: Warning, fix: `/etc/ssh/sshd_config line 3: write "LoginGraceTime 120"`,
	},
	"login does not wait for the phone": {
		plant: phoned(withFile("etc/login.defs", "LOGIN_TIMEOUT 60\n")),
		id:    "login-timeout-short", severity: Warning, fix: `/etc/login.defs line 1: write "LOGIN_TIMEOUT 120"`,
	},
	"login does not wait for the phone, by itself": {
		plant: phoned(withFile("etc/login.defs", "UMASK 022\n")),
		id:    "login-timeout-short", severity: Warning, fix: "run: echo LOGIN_TIMEOUT 120 >>'$ROOT/etc/login.defs'",
	},
	"the clock is so wrong that Duo refuses": {
		plant: all(lines("discrepancy: 20\n"+byDuo), withFile("etc/twokey/credentials/duo.key", strings.Repeat("k", 40)), withFile("etc/login.defs", "LOGIN_TIMEOUT 120\n"),
			aClock(Clock{By: "chrony", Synchronised: true, Known: true, Offset: 6 * time.Minute})),
		id: "clock-wrong", severity: Error, fix: "run: chronyc makestep", mend: aClock(Clock{Synchronised: true}),
	},
}

// Nobody reads a doctor who cries wolf.
func TestWhatIsRightOfPhonesIsNotCalledWrong(t *testing.T) {
	for what, plant := range map[string]func(*scratch){
		"sms and push":                                               phoned(),
		"somebody has nothing but a phone":                           phoned(has("push")),
		"the program that sends text messages is a link":             phoned(remove(sendText), withFile("usr/bin/send", "#!/bin/sh\n"), chmod("usr/bin/send", 0o755), link("../../bin/send", sendText)),
		"the program that sends text messages is for its user alone": phoned(chmod(sendText, 0o750), func(s *scratch) { s.must(os.Chown(s.path(sendText), 0, 998)) }),
		"a short wait":                                               phoned(swap(yaml, "token_file: ntfy.token", "token_file: ntfy.token, wait: 30s"), withFile("etc/login.defs", "LOGIN_TIMEOUT 60\n")),
		"without end":                                                phoned(withFile("etc/login.defs", "LOGIN_TIMEOUT 0\n")),
		"nothing has a provider, and nobody a device":                func(*scratch) {},
		"no provider, and no program":                                all(remove(notifyPath), withFile("etc/passwd", "")),
		"a device of sms that has ended": func(s *scratch) {
			s.people[1].Devices = []Device{{Name: "old", Method: "sms", Until: s.host.Now.Add(-time.Hour)}}
			s.host.User = "alice" // that it has ended is told of bob
		},
		"a code after a key": phoned(lines("enroll: {at_login: 'no'}\n"), swap(sudoPAM, unixOne+decoyOne+realAuth, "auth required pam_fprintd.so\nauth required pam_twokey.so\n")),
	} {
		s := newScratch(t, goodFiles())
		plant(s)
		if found := bad(s.examine()); len(found) > 0 {
			t.Errorf("%s:%s", what, show(found))
		}
	}
}

// What is not wrong and yet surprises.
func TestAServiceWithoutAPasswordIsSaidToTakeCodesOnly(t *testing.T) {
	s := newScratch(t, goodFiles())
	phoned(lines("enroll: {at_login: 'no'}\n"), swap(sudoPAM, unixOne+decoyOne+realAuth, "auth required pam_fprintd.so\nauth required pam_twokey.so\n"))(s)
	f, found := findingOf(s.examine(), "codes-only")
	if !found || f.Severity != Info || !strings.Contains(f.Message, "codes only: 'push', 'sms' are not offered") {
		t.Errorf("%+v", f)
	}
}

// MUST NOT show what is in a credential file.
func TestNothingOfACredentialIsShown(t *testing.T) {
	s := newScratch(t, goodFiles())
	phoned(withFile(ntfyToken, "tk_asecret\tk_more\n\n"))(s)
	r := s.examine()
	if len(bad(r)) != 1 || slices.ContainsFunc(r.Findings, func(f Finding) bool { return strings.Contains(f.Message+f.Fix, "asecret") }) {
		t.Errorf("found:%s", show(r.Findings))
	}
}

package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"
)

// fault is one thing that is wrong with an otherwise good host.
type fault struct {
	plant    func(s *scratch)
	id       string
	severity Severity
	notAsked bool
	fix      string           // the whole fix; $ROOT is the scratch folder
	mend     func(s *scratch) // nil: what the fix says is carried out
}

// swap replaces a part of a file, which must be there once.
func swap(file, old, new string) func(*scratch) {
	return func(s *scratch) {
		s.t.Helper()
		content := s.read(file)
		if strings.Count(content, old) != 1 {
			s.t.Fatalf("%s has %d of %q", file, strings.Count(content, old), old)
		}
		s.write(file, strings.Replace(content, old, new, 1))
	}
}

func withFile(file, content string) func(*scratch) {
	return func(s *scratch) { s.write(file, content) }
}

func all(plants ...func(*scratch)) func(*scratch) {
	return func(s *scratch) {
		for _, plant := range plants {
			plant(s)
		}
	}
}

// onFileSystem is a host whose folders lie on this.
func onFileSystem(f FileSystem) func(*scratch) {
	return func(s *scratch) {
		s.host.FileSystem = func(string) (FileSystem, error) { return f, nil }
		if s.host.Policy == nil {
			// data and log are one folder, so that there is one finding
			swap("etc/twokey/twokey.yaml", "version: 1\n", "version: 1\npaths: {audit: /var/lib/twokey/audit.jsonl}\n")(s)
			s.must(os.Rename(s.path("var/log/twokey/audit.jsonl"), s.path("var/lib/twokey/audit.jsonl")))
			s.must(os.Rename(s.path("var/log/twokey/audit.head"), s.path("var/lib/twokey/audit.head")))
		}
	}
}

func goodFileSystem(s *scratch) {
	s.host.FileSystem = func(string) (FileSystem, error) { return FileSystem{Name: "xfs", Free: 1 << 40}, nil }
}

func aClock(c Clock) func(*scratch) {
	return func(s *scratch) { s.host.Clock = func(context.Context) (Clock, error) { return c, nil } }
}

// oneField is a service that asks for password and code together.
func oneField(auth string) func(*scratch) {
	return func(s *scratch) {
		s.write("etc/twokey/twokey.yaml", goodFiles()["etc/twokey/twokey.yaml"]+"services:\n  vsftpd: {ask: appended}\n")
		s.write("etc/pam.d/vsftpd", auth+"account required pam_twokey.so\naccount required pam_unix.so\nsession required pam_twokey.so\n")
	}
}

const (
	sshdPAM  = "etc/pam.d/sshd"
	sudoPAM  = "etc/pam.d/sudo"
	sshdConf = "etc/ssh/sshd_config"
	realAuth = "auth required pam_twokey.so after=password\n"
	decoyOne = "auth requisite pam_twokey.so decoy\n"
	unixOne  = "auth [success=1 default=ignore] pam_unix.so\n"
)

var faults = map[string]fault{
	"a login service does not call the module": {
		plant: withFile("etc/pam.d/gdm-password", "@include common-auth\n@include common-account\n@include common-session\n"),
		id:    "not-wired", severity: Error, notAsked: true,
		fix: `/etc/pam.d/gdm-password line 1: put behind it "auth required pam_twokey.so after=password"; ` +
			`/etc/pam.d/gdm-password line 2: put before it "account required pam_twokey.so"; ` +
			`/etc/pam.d/gdm-password line 3: put before it "session required pam_twokey.so"; ` +
			`or say in the policy that nobody is asked here: services: {gdm-password: {ask: exempt}}`,
	},
	"two login services do not call the module, of which one includes the other": {
		plant: all(withFile("etc/pam.d/su", "auth sufficient pam_rootok.so\n@include common-auth\n@include common-account\n"),
			withFile("etc/pam.d/su-l", "auth include su\naccount include su\n")),
		id: "not-wired", severity: Error, notAsked: true,
		fix: `/etc/pam.d/su line 2: put behind it "auth required pam_twokey.so after=password"; ` +
			`/etc/pam.d/su line 3: put before it "account required pam_twokey.so"; ` +
			`or say in the policy that nobody is asked here: services: {su: {ask: exempt}}`,
	},
	"a login service that includes sufficient lines does not call the module": {
		plant: all(withFile(sudoPAM, "auth include system-auth\naccount include system-auth\nsession include system-auth\n"),
			withFile("etc/pam.d/system-auth", "auth required pam_env.so\nauth required pam_faildelay.so delay=2000000\n"+
				"auth [default=1 ignore=ignore success=ok] pam_usertype.so isregular\nauth [default=1 ignore=ignore success=ok] pam_localuser.so\n"+
				"auth sufficient pam_unix.so nullok\nauth [default=1 ignore=ignore success=ok] pam_usertype.so isregular\n"+
				"auth sufficient pam_sss.so forward_pass\nauth required pam_deny.so\n"+
				"account required pam_unix.so\naccount sufficient pam_localuser.so\naccount required pam_permit.so\n"+
				"session required pam_limits.so\nsession required pam_unix.so\n")),
		id: "not-wired", severity: Error, notAsked: true,
		fix: `/etc/pam.d/sudo line 1: write "auth substack system-auth"; /etc/pam.d/sudo line 1: put behind it "auth required pam_twokey.so"; ` +
			`/etc/pam.d/sudo line 2: put before it "account required pam_twokey.so"; ` +
			`or say in the policy that nobody is asked here: services: {sudo: {ask: exempt}}`,
	},
	"the auth lines are gone, account and session are there": {
		plant: all(swap(sudoPAM, unixOne+decoyOne+realAuth+"auth required pam_permit.so\n", "@include common-auth\n")),
		id:    "auth-missing", severity: Error, notAsked: true,
		fix: `/etc/pam.d/sudo line 1: put behind it "auth required pam_twokey.so after=password"`,
	},
	"a sufficient line stands before ours": {
		plant: swap(sshdPAM, unixOne+decoyOne, "auth sufficient pam_unix.so\nauth requisite pam_deny.so\n"),
		id:    "passed-by", severity: Error, notAsked: true,
		fix: `/etc/pam.d/sshd line 1: write "auth [success=1 default=ignore] pam_unix.so"`,
	},
	"a sufficient line stands in an included file": {
		plant: all(swap(sshdPAM, unixOne+decoyOne+realAuth, "@include corp-auth\nauth required pam_twokey.so\n"),
			withFile("etc/pam.d/corp-auth", "auth required pam_env.so\nauth sufficient pam_sss.so [a b]\nauth required pam_deny.so\n")),
		id: "passed-by", severity: Error, notAsked: true,
		fix: `/etc/pam.d/sshd line 1: write "auth substack corp-auth"`,
	},
	"a sufficient line stands in an included file, and a password is promised": {
		plant: all(swap(sshdPAM, unixOne+decoyOne, "@include corp-auth\n"),
			withFile("etc/pam.d/corp-auth", "auth required pam_env.so\nauth sufficient pam_sss.so [a b]\nauth requisite pam_deny.so\n")),
		id: "passed-by", severity: Error, notAsked: true,
		fix: `/etc/pam.d/sshd line 1: write "auth required pam_env.so", "auth [success=1 default=ignore] pam_sss.so [a b]", "auth requisite pam_deny.so"`,
	},
	"a jump goes over ours": {
		plant: swap(sshdPAM, unixOne, "auth [success=2 default=ignore] pam_unix.so\n"),
		id:    "passed-by", severity: Error, notAsked: true,
		fix: `/etc/pam.d/sshd line 1: write "auth [success=1 default=ignore] pam_unix.so"`,
	},
	"a fingerprint is enough": {
		plant: swap(sudoPAM, unixOne, "auth sufficient pam_fprintd.so\n"+unixOne),
		id:    "passed-by", severity: Error, notAsked: true,
		fix:  `/etc/pam.d/sudo line 1: write "auth [success=2 default=ignore] pam_fprintd.so"`,
		mend: func(s *scratch) { s.write(sudoPAM, goodFiles()[sudoPAM]) },
	},
	"our line is optional": {
		plant: swap(sshdPAM, realAuth, "auth optional pam_twokey.so after=password\n"),
		id:    "failure-ignored", severity: Error, notAsked: true,
		fix: `/etc/pam.d/sshd line 3: write "auth required pam_twokey.so after=password"`,
	},
	"our line lets in when the module is not there": {
		plant: swap(sshdPAM, realAuth, "auth [success=ok ignore=ignore module_unknown=ignore default=die] pam_twokey.so after=password\n"),
		id:    "failure-ignored", severity: Error, notAsked: true,
		fix: `/etc/pam.d/sshd line 3: write "auth required pam_twokey.so after=password"`,
	},
	"no pam_permit stands behind ours": {
		plant: swap(sshdPAM, "auth required pam_permit.so\n", ""),
		id:    "permit-missing", severity: Error,
		fix: `/etc/pam.d/sshd line 3: put behind it "auth required pam_permit.so"`,
	},
	"the decoy stands alone, and a right password jumps over it": {
		plant: swap(sshdPAM, realAuth, ""),
		id:    "decoy-alone", severity: Error, notAsked: true,
		fix: `/etc/pam.d/sshd line 2: put behind it "auth required pam_twokey.so after=password"`,
	},
	"the decoy stands alone, and nobody gets in": {
		plant: swap(sshdPAM, unixOne+decoyOne+realAuth, "auth requisite pam_unix.so\n"+decoyOne),
		id:    "decoy-alone", severity: Error,
		fix:  `/etc/pam.d/sshd line 2: put behind it "auth required pam_twokey.so after=password"`,
		mend: func(s *scratch) { s.write(sshdPAM, goodFiles()[sshdPAM]) },
	},
	"the decoy is called after a right password too": {
		plant: swap(sshdPAM, unixOne, "auth required pam_unix.so\n"),
		id:    "nobody-gets-in", severity: Error,
		fix:  "compare /etc/pam.d/sshd with the recommended stack in the README",
		mend: swap(sshdPAM, "auth required pam_unix.so\n", unixOne),
	},
	"after=password without a password before": {
		plant: swap(sshdPAM, unixOne+decoyOne, "auth required pam_unix.so\n"),
		id:    "password-not-sure", severity: Error,
		fix: `/etc/pam.d/sshd line 2: write "auth required pam_twokey.so"`,
	},
	"after=password behind a password that does not know everybody": {
		plant: all(lines("enroll: {at_login: 'no'}\n"), swap(sshdPAM, unixOne+decoyOne, "auth requisite pam_sss.so ignore_unknown_user\n")),
		id:    "password-not-sure", severity: Error,
		fix: `/etc/pam.d/sshd line 2: write "auth required pam_twokey.so"`,
	},
	"a misspelt argument": {
		plant: swap(sshdPAM, realAuth, "auth required pam_twokey.so after=pasword\n"),
		id:    "unknown-argument", severity: Error,
		fix: `/etc/pam.d/sshd line 3: write "auth required pam_twokey.so after=password"`,
	},
	"an argument that there is not": {
		plant: swap(sshdPAM, "account required pam_twokey.so", "account required pam_twokey.so nullok"),
		id:    "unknown-argument", severity: Error,
		fix: `/etc/pam.d/sshd line 5: write "account required pam_twokey.so"`,
	},
	"the account line is missing": {
		plant: swap(sudoPAM, "account required pam_twokey.so\n", ""),
		id:    "account-missing", severity: Warning,
		fix: `/etc/pam.d/sudo line 5: put before it "account required pam_twokey.so"`,
	},
	"the account line is missing, and somebody must enrol": {
		plant: all(newcomer, swap(sudoPAM, "account required pam_twokey.so\n", "")),
		id:    "account-missing", severity: Error,
		fix: `/etc/pam.d/sudo line 5: put before it "account required pam_twokey.so"`,
	},
	"a service with one field checks the password too early": {
		plant: oneField("auth required pam_unix.so\nauth required pam_twokey.so\n"),
		id:    "appended-too-late", severity: Error,
		fix:  `/etc/pam.d/vsftpd line 1: put before it "auth required pam_twokey.so"; /etc/pam.d/vsftpd line 2: take it out`,
		mend: oneField("auth required pam_twokey.so\nauth required pam_unix.so\n"),
	},
	"a service with one field does not call the module": {
		plant: all(oneField("auth required pam_unix.so\n"), swap("etc/pam.d/vsftpd", "account required pam_twokey.so\n", ""),
			swap("etc/pam.d/vsftpd", "session required pam_twokey.so\n", "session required pam_unix.so\n")),
		id: "not-wired", severity: Error, notAsked: true,
		fix: `/etc/pam.d/vsftpd line 1: put before it "auth required pam_twokey.so"; ` +
			`/etc/pam.d/vsftpd line 2: put before it "account required pam_twokey.so"; ` +
			`/etc/pam.d/vsftpd line 3: put before it "session required pam_twokey.so"; ` +
			`or say in the policy that nobody is asked here: services: {vsftpd: {ask: exempt}}`,
	},
	"a service with one field asks for the password again": {
		plant: oneField("auth required pam_twokey.so\nauth required pam_sss.so domains=a\n"),
		id:    "appended-asks-again", severity: Error,
		fix: `/etc/pam.d/vsftpd line 2: write "auth required pam_sss.so domains=a try_first_pass"`,
	},
	"the account line stands behind common-account": {
		plant: swap(sshdPAM, "account required pam_twokey.so\naccount required pam_nologin.so\n@include common-account\n",
			"account required pam_nologin.so\n@include common-account\naccount required pam_twokey.so\n"),
		id: "account-passed-by", severity: Warning,
		fix: `/etc/pam.d/sshd line 5: put before it "account required pam_twokey.so"; /etc/pam.d/sshd line 7: take it out`,
	},
	"the session line is missing": {
		plant: swap(sshdPAM, "session required pam_twokey.so\n", ""),
		id:    "session-missing", severity: Warning,
		fix: `/etc/pam.d/sshd line 8: put before it "session required pam_twokey.so"`,
	},
	"the session line is missing, which should refuse keys": {
		plant: all(swap(sshdPAM, "session required pam_twokey.so\n", ""),
			swap("etc/twokey/twokey.yaml", "version: 1\n", "version: 1\nssh_keys_alone: deny\n")),
		id: "session-missing", severity: Error, notAsked: true,
		fix: `/etc/pam.d/sshd line 8: put before it "session required pam_twokey.so"`,
	},
	"the session line is optional, which should refuse keys": {
		plant: all(swap(sshdPAM, "session required pam_twokey.so\n", "session optional pam_twokey.so\n"),
			swap("etc/twokey/twokey.yaml", "version: 1\n", "version: 1\nssh_keys_alone: deny\n")),
		id: "session-failure-ignored", severity: Error, notAsked: true,
		fix: `/etc/pam.d/sshd line 8: write "session required pam_twokey.so"`,
	},
	"users set the environment before they are asked": {
		plant: swap("etc/pam.d/login", "session required pam_twokey.so\nsession required pam_env.so user_readenv=1\n",
			"session required pam_env.so envfile=/etc/default/locale user_readenv=1\nsession required pam_twokey.so\n"),
		id: "user-environment", severity: Warning,
		fix: `/etc/pam.d/login line 9: write "session required pam_env.so envfile=/etc/default/locale"`,
	},
	"a line that libpam cannot use": {
		plant: swap("etc/pam.d/login", "@include common-account\n", "account include corp-account\n@include common-account\n"),
		id:    "broken-line", severity: Warning,
		fix: `/etc/pam.d/login line 8: take it out`,
	},
	"a service that ends within a line": {
		plant: func(s *scratch) {
			s.write("etc/pam.d/login", s.read("etc/pam.d/login")+"session required pam_unix.so \\")
		},
		id: "service-broken", severity: Error,
		fix:  "mend the file, then run doctor again",
		mend: withFile("etc/pam.d/login", goodFiles()["etc/pam.d/login"]),
	},

	"sshd without PAM": {
		plant: swap(sshdConf, "UsePAM yes", "UsePAM no"),
		id:    "sshd-without-pam", severity: Error, notAsked: true,
		fix: `/etc/ssh/sshd_config line 2: write "UsePAM yes"`,
	},
	"sshd cannot ask, and takes passwords": {
		plant: swap(sshdConf, "KbdInteractiveAuthentication yes\nPasswordAuthentication no", "KbdInteractiveAuthentication no\nPasswordAuthentication yes"),
		id:    "sshd-cannot-ask", severity: Error,
		fix: `/etc/ssh/sshd_config line 3: write "KbdInteractiveAuthentication yes"; /etc/ssh/sshd_config line 4: write "PasswordAuthentication no"`,
	},
	"sshd cannot ask those from one network": {
		plant: func(s *scratch) {
			s.write(sshdConf, s.read(sshdConf)+"Match Address 198.51.100.0/24\n\tKbdInteractiveAuthentication no\n\tPasswordAuthentication=yes\n")
		},
		id: "sshd-cannot-ask", severity: Error,
		fix: `/etc/ssh/sshd_config line 8: write "KbdInteractiveAuthentication yes"; /etc/ssh/sshd_config line 9: write "PasswordAuthentication no"`,
	},
	"sshd takes passwords by their own method": {
		plant: swap(sshdConf, "PasswordAuthentication no\n", ""),
		id:    "sshd-password-method", severity: Warning,
		fix: `/etc/ssh/sshd_config line 1: put before it "PasswordAuthentication no"`,
	},
	"AuthenticationMethods that keys pass by": {
		plant: swap(sshdConf, "UsePAM yes\n", "UsePAM yes\nAuthenticationMethods publickey,keyboard-interactive publickey\n"),
		id:    "sshd-method-passes-by", severity: Warning,
		fix: `/etc/ssh/sshd_config line 3: write "AuthenticationMethods publickey,keyboard-interactive"`,
	},
	"LoginGraceTime is too short": {
		plant: swap(sshdConf, "UsePAM yes\n", "UsePAM yes\nLoginGraceTime 30s\n"),
		id:    "sshd-grace-short", severity: Warning,
		fix: `/etc/ssh/sshd_config line 3: write "LoginGraceTime 120"`,
	},
	"sshd names clients where the policy names networks": {
		plant: all(swap(sshdConf, "UsePAM yes\n", "UsePAM yes\nUseDNS yes\n"),
			swap("etc/twokey/twokey.yaml", "version: 1\n", "version: 1\nexempt:\n  - {users: [bob], from: [bastion.example, 10.0.0.0/8]}\n")),
		id: "use-dns", severity: Warning,
		fix: `/etc/ssh/sshd_config line 3: write "UseDNS no"`,
	},
	"sshd's configuration is wrong": {
		plant: swap(sshdConf, "UsePAM yes", "UsePAM perhaps"),
		id:    "sshd-unreadable", severity: Error,
		fix:  "mend the configuration until this says nothing: /usr/sbin/sshd -t -f $ROOT/etc/ssh/sshd_config",
		mend: swap(sshdConf, "UsePAM perhaps", "UsePAM yes"),
	},
	"who must enrol gets sftp only": {
		plant: func(s *scratch) {
			s.people = append(s.people, somebody("dave", 1004, false, "users"))
			swap("etc/twokey/twokey.yaml", "[alice]", "[alice, dave]")(s)
			swap(sshdConf, "UsePAM yes\n", "UsePAM yes\nForceCommand internal-sftp\n")(s)
		},
		id: "enrol-unseen", severity: Warning,
		fix:  "run: twokey enroll dave",
		mend: func(s *scratch) { s.people[3].Enrolled = true },
	},
	"who must enrol has no shell": {
		plant: func(s *scratch) { s.people[0].Enrolled, s.people[0].Shell = false, "/usr/sbin/nologin" },
		id:    "enrol-unseen", severity: Warning,
		fix:  "run: twokey enroll alice",
		mend: func(s *scratch) { s.people[0].Enrolled = true },
	},
	"login gives up too soon": {
		plant: withFile("etc/login.defs", "# login\n\nLOGIN_TIMEOUT 20\n"),
		id:    "login-timeout-short", severity: Warning,
		fix: `/etc/login.defs line 3: write "LOGIN_TIMEOUT 60"`,
	},

	"NOPASSWD for a group": {
		plant: swap("etc/sudoers.d/ops", "backup", "%wheel"),
		id:    "sudo-without-pam", severity: Error, notAsked: true,
		fix: `/etc/sudoers.d/ops line 1: write "%wheel ALL=(root) /usr/bin/rsync"`,
	},
	"NOPASSWD for somebody who need not enrol": {
		plant: swap("etc/sudoers.d/ops", "backup", "bob"),
		id:    "sudo-without-pam", severity: Warning,
		fix: `/etc/sudoers.d/ops line 1: write "bob ALL=(root) /usr/bin/rsync"`,
	},
	"sudo asks nobody": {
		plant: swap("etc/sudoers", "Defaults env_reset", "Defaults env_reset, !authenticate"),
		id:    "sudo-without-pam", severity: Error, notAsked: true,
		fix: `/etc/sudoers line 1: write "Defaults env_reset"`,
	},
	"sudo remembers for ever": {
		plant: swap("etc/sudoers", "Defaults env_reset", "Defaults env_reset\nDefaults\ttimestamp_timeout = -1"),
		id:    "sudo-without-pam", severity: Error, notAsked: true,
		fix: `/etc/sudoers line 2: write "Defaults timestamp_timeout=15"`,
	},

	"the host key can be read by a group": {
		plant: func(s *scratch) { s.must(os.Chmod(s.path("etc/twokey/host.key"), 0o640)) },
		id:    "file-mode", severity: Error, fix: "run: chmod 0600 '$ROOT/etc/twokey/host.key'",
	},
	"the host key is gone": {
		plant: func(s *scratch) { s.must(os.Rename(s.path("etc/twokey/host.key"), s.path("etc/backup"))) },
		id:    "file-missing", severity: Error, fix: "put it back from a backup; on a host that was never set up run: twokey init",
		mend: func(s *scratch) { s.must(os.Rename(s.path("etc/backup"), s.path("etc/twokey/host.key"))) },
	},
	"the host key is damaged": {
		plant: func(s *scratch) {
			s.must(os.Rename(s.path("etc/twokey/host.key"), s.path("etc/backup")))
			s.write("etc/twokey/host.key", "key")
		},
		id: "host-key-damaged", severity: Error, fix: "put the host key back from a backup; without it nobody's secret can be read",
		mend: func(s *scratch) { s.must(os.Rename(s.path("etc/backup"), s.path("etc/twokey/host.key"))) },
	},
	"the head of the audit log is damaged": {
		plant: func(s *scratch) {
			s.must(os.Rename(s.path("var/log/twokey/audit.head"), s.path("etc/backup")))
			s.write("var/log/twokey/audit.head", strings.Repeat("head", 2048))
		},
		id: "audit-head-damaged", severity: Error, fix: "run: twokey audit verify",
		mend: func(s *scratch) { s.must(os.Rename(s.path("etc/backup"), s.path("var/log/twokey/audit.head"))) },
	},
	"a user's secrets belong to somebody else": {
		plant: func(s *scratch) { s.must(os.Chown(s.path("var/lib/twokey/users/alice.age"), 65534, 65534)) },
		id:    "file-owner", severity: Error, fix: "run: chown root:root '$ROOT/var/lib/twokey/users/alice.age'",
	},
	"the configuration can be written by others": {
		plant: func(s *scratch) { s.must(os.Chmod(s.path("etc/twokey/twokey.yaml"), 0o666)) },
		id:    "file-mode", severity: Error, fix: "run: chmod 0644 '$ROOT/etc/twokey/twokey.yaml'",
	},
	"the data folder can be looked into": {
		plant: func(s *scratch) { s.must(os.Chmod(s.path("var/lib/twokey"), 0o755)) },
		id:    "file-mode", severity: Warning, fix: "run: chmod 0700 '$ROOT/var/lib/twokey'",
	},
	"the head of the audit log is gone": {
		plant: func(s *scratch) { s.must(os.Rename(s.path("var/log/twokey/audit.head"), s.path("etc/backup"))) },
		id:    "file-missing", severity: Error, fix: "put it back from a backup; on a host that was never set up run: twokey init",
		mend: func(s *scratch) { s.must(os.Rename(s.path("etc/backup"), s.path("var/log/twokey/audit.head"))) },
	},
	"the helper can be written by a group": {
		plant: func(s *scratch) { s.must(os.Chmod(s.path("usr/libexec/twokey/twokey-verify"), 0o775)) },
		id:    "helper-unusable", severity: Error, fix: "run: chmod go-w '$ROOT/usr/libexec/twokey/twokey-verify'",
	},
	"the module is not where libpam looks": {
		plant: func(s *scratch) { s.must(os.Remove(s.path("usr/lib/x86_64-linux-gnu/security/pam_twokey.so"))) },
		id:    "module-unusable", severity: Error, fix: "install twokey again",
		mend: withFile("usr/lib/x86_64-linux-gnu/security/pam_twokey.so", ""),
	},
	"the data lies on a network file system": {
		plant: onFileSystem(FileSystem{Name: "NFS", Remote: true, Free: 1 << 40}),
		id:    "file-system-remote", severity: Error, fix: "give twokey a folder on a local ext4 or xfs: paths in the configuration", mend: goodFileSystem,
	},
	"the data lies on btrfs": {
		plant: onFileSystem(FileSystem{Name: "btrfs", CopyOnWrite: true, Free: 1 << 40}),
		id:    "file-system-copies", severity: Warning, fix: "give twokey a folder on a local ext4 or xfs: paths in the configuration", mend: goodFileSystem,
	},
	"the data lies in memory": {
		plant: onFileSystem(FileSystem{Name: "tmpfs", Volatile: true, Free: 1 << 40}),
		id:    "file-system-volatile", severity: Error, fix: "give twokey a folder on a local ext4 or xfs: paths in the configuration", mend: goodFileSystem,
	},
	"the disk is full": {
		plant: onFileSystem(FileSystem{Name: "ext4", Free: 4096}),
		id:    "disk-full", severity: Error, fix: "run: df -h '$ROOT/var/lib/twokey'", mend: goodFileSystem,
	},
	"the disk is nearly full": {
		plant: onFileSystem(FileSystem{Name: "ext4", Free: 8 << 20}),
		id:    "disk-nearly-full", severity: Warning, fix: "run: df -h '$ROOT/var/lib/twokey'", mend: goodFileSystem,
	},
	"the last good policy is in force": {
		plant: func(s *scratch) { s.host.Problem = errors.New("twokey.yaml:3:1: there is no key"); s.parse() },
		id:    "last-good-policy", severity: Error, fix: "run: twokey policy check", mend: func(s *scratch) { s.host.Problem = nil },
	},
	"there is no policy": {
		plant: func(s *scratch) { s.host.Problem = fs.ErrNotExist },
		id:    "no-policy", severity: Error, fix: "run: twokey init", mend: func(s *scratch) { s.host.Problem = nil },
	},
	"the clock is not kept right": {
		plant: aClock(Clock{By: "the kernel"}),
		id:    "clock-unsynchronised", severity: Warning, fix: "run: timedatectl set-ntp true", mend: aClock(Clock{Synchronised: true}),
	},
	"the clock is wrong": {
		plant: aClock(Clock{By: "chrony", Synchronised: true, Known: true, Offset: -3 * time.Minute}),
		id:    "clock-wrong", severity: Error, fix: "run: chronyc makestep", mend: aClock(Clock{Synchronised: true, Known: true, Offset: time.Second}),
	},
}

func TestThereAreAtLeastTwentyFaults(t *testing.T) {
	if n := len(everyFault()); n < 20 || n != len(faults)+len(enrolFaults)+len(phoneFaults) || n != 126 {
		t.Errorf("%d faults", n)
	}
}

func TestNothingIsWrongWithAGoodHost(t *testing.T) {
	r := newScratch(t, goodFiles()).examine()
	if !r.OK() || r.NotAsked() || len(bad(r)) > 0 {
		t.Errorf("found:%s", show(bad(r)))
	}
}

func TestEachFaultIsFoundAloneAndItsFixMendsIt(t *testing.T) {
	for what, f := range everyFault() {
		t.Run(what, func(t *testing.T) {
			s := newScratch(t, goodFiles())
			f.plant(s)
			found := bad(s.examine())
			if len(found) != 1 {
				t.Fatalf("%d findings, want one:%s", len(found), show(found))
			}
			got := found[0]
			if got.ID != f.id || got.Severity != f.severity || got.NotAsked != f.notAsked {
				t.Errorf("want %s %s (not asked: %v), got:%s", f.severity, f.id, f.notAsked, show(found))
			}
			if want := strings.ReplaceAll(f.fix, "$ROOT", s.host.Root); got.Fix != want {
				t.Errorf("fix:\n%s, want\n%s", got.Fix, want)
			}
			if f.mend != nil {
				f.mend(s)
			} else {
				s.carryOut(got.Fix)
			}
			if found := bad(s.examine()); len(found) > 0 {
				t.Errorf("the fix was carried out, and there is:%s\n%s", show(found), s.read(sshdPAM))
			}
		})
	}
}

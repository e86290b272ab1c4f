package policy

import (
	"slices"
	"strings"
	"testing"
)

// A key of ssh-keygen, and what ssh-keygen -l says of it.
const (
	aKey      = "AAAAC3NzaC1lZDI1NTE5AAAAIGlbAmSKtuSMRKmU5a1DPuWArWDJMfrKsgZxSBrEp3ZA"
	itsFinger = "SHA256:wI6/GMnVFmsQ7WcF22Uqt5jfClAW1D2GtASdK22lvXU"
)

// sshAuths are what sshd writes into SSH_AUTH_INFO_0, and what nobody should.
var sshAuths = map[string]struct {
	info, methods, fingerprint string
	keyAlone                   bool
}{
	"nothing":                           {"", "", "", false},
	"a plain key":                       {"publickey ssh-ed25519 " + aKey + "\n", "publickey", itsFinger, true},
	"a plain key without the line feed": {"publickey ssh-ed25519 " + aKey, "publickey", itsFinger, true},
	"a key in a security key":           {"publickey sk-ssh-ed25519@openssh.com " + aKey + "\n", "security-key", itsFinger, true},
	"an ECDSA key in a security key":    {"publickey sk-ecdsa-sha2-nistp256@openssh.com " + aKey, "security-key", itsFinger, true},
	"a certificate":                     {"publickey ssh-ed25519-cert-v01@openssh.com " + aKey, "certificate", itsFinger, true},
	"a certificate in a security key":   {"publickey sk-ssh-ed25519-cert-v01@openssh.com " + aKey, "security-key certificate", itsFinger, true},
	"a password":                        {"password\n", "password", "", false},
	"keyboard-interactive by PAM":       {"keyboard-interactive/pam\n", "keyboard-interactive", "", false},
	"Kerberos":                          {"gssapi-with-mic\n", "gssapi-with-mic", "", true},
	"a host's key":                      {"hostbased ssh-ed25519 " + aKey + "\n", "hostbased", "", true},
	"a key, then keyboard-interactive":  {"publickey ssh-ed25519 " + aKey + "\nkeyboard-interactive/pam\n", "publickey keyboard-interactive", itsFinger, false},
	"two keys: the first is the one":    {"publickey ssh-ed25519 " + aKey + "\npublickey ssh-rsa AAAA\n", "publickey", itsFinger, true},
	"Kerberos while keys are exchanged": {"gssapi-keyex\n", "gssapi-with-mic", "", true},
	"Kerberos twice":                    {"gssapi-keyex\ngssapi-with-mic\n", "gssapi-with-mic", "", true},
	"Kerberos and a password":           {"gssapi-keyex\npassword\n", "gssapi-with-mic password", "", false},
	"a method that is not known":        {"none\nmagic ssh-ed25519 " + aKey + "\n", "", "", true},
	"that, and a password":              {"magic\npassword\n", "password", "", false},
	"a key that is cut off":             {"publickey ssh-ed25519\n", "", "", true},
	"a key that is no base64":           {"publickey ssh-ed25519 ???\n", "publickey", "", true},
	"a word in capitals":                {"PUBLICKEY ssh-ed25519 " + aKey, "", "", true},
	"blank lines and carriage returns":  {"\n \r\npassword\r\n", "password", "", false},
	"a name that only looks like sk":    {"publickey ssh-sk-rsa " + aKey, "publickey", itsFinger, true},
}

func TestParseSSHAuth(t *testing.T) {
	for what, test := range sshAuths {
		got := ParseSSHAuth(test.info)
		if strings.Join(got.Methods, " ") != test.methods || got.Fingerprint != test.fingerprint || got.KeyAlone() != test.keyAlone {
			t.Errorf("%s: %+v, alone %v", what, got, got.KeyAlone())
		}
	}
}

func FuzzParseSSHAuth(f *testing.F) {
	for _, test := range sshAuths {
		f.Add(test.info)
	}
	f.Fuzz(func(t *testing.T, info string) {
		got := ParseSSHAuth(info)
		for i, m := range got.Methods {
			if !slices.Contains(SSHAuthMethods(), m) || slices.Contains(got.Methods[:i], m) {
				t.Fatalf("%q", got.Methods)
			}
		}
		if got.Fingerprint != "" && (len(got.Fingerprint) != 50 || len(got.Methods) == 0) {
			t.Fatalf("%+v", got)
		}
	})
}

func TestIsConsole(t *testing.T) {
	for _, test := range []struct {
		rhost, tty string
		want       bool
	}{
		{"", "tty1", true}, {"", "/dev/tty1", true}, {"", "tty63", true}, {"", "/dev/ttyS0", true}, {"", "hvc0", true}, {"", "console", true}, {"", "/dev/console", true},
		{"192.0.2.1", "tty1", false}, {"localhost", "/dev/console", false},
		{"", "", false}, {"", "pts/0", false}, {"", "/dev/pts/3", false}, {"", ":0", false}, {"", "ssh", false}, {"", "tty", false}, {"", "ttyS", false},
		{"", "tty1x", false}, {"", "ttyUSB0", false}, {"", "cron", false}, {"", "/dev//tty1", false}, {"", "ttyp0", false}, {"", "/tmp/tty1", false},
	} {
		if got := IsConsole(test.rhost, test.tty); got != test.want {
			t.Errorf("%q, %q: %v", test.rhost, test.tty, got)
		}
	}
}

func TestWays(t *testing.T) {
	for _, w := range []Way{Prompt, Appended, Earlier, Never, NotALogin} {
		if got, ok := ParseWay(w.String()); !ok || got != w {
			t.Errorf("%v becomes %v, %v", w, got, ok)
		}
	}
	if _, ok := ParseWay("Prompt"); ok || Way(99).String() != "never" || Way(-1).String() != "never" {
		t.Error("something without a meaning is not the strictest")
	}
	if !slices.IsSorted(BuiltinNotLogins()) || slices.Contains(BuiltinNotLogins(), "sshd") {
		t.Error("the built-in list")
	}
	var none *Config
	if none.WayOf("cron") != Prompt {
		t.Error("without a policy something is exempt")
	}
}

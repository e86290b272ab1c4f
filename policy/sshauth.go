package policy

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
)

// SSHAuth is by which methods a client has proved itself to sshd so far.
type SSHAuth struct {
	Methods     []string // each once, in the order in which they come: the words of [SSHAuthMethods]
	Fingerprint string   // SHA256:... of the first key as ssh-keygen -l shows it, or of a certificate as a whole; "": none
	Unknown     bool     // there was something that no word of these is for
}

// SSHAuthMethods lists the words that ssh_auth knows. A key is exactly "publickey", unless it lies in a security key (sk-, FIDO),
// comes with a certificate (cert-v01), or both. "gssapi-with-mic" is Kerberos, also where it is proved while keys are exchanged
// (gssapi-keyex, a patch that Debian's sshd and others have).
func SSHAuthMethods() []string {
	return []string{"publickey", "security-key", "certificate", "gssapi-with-mic", "hostbased", "password", "keyboard-interactive"}
}

// ParseSSHAuth reads sshd's SSH_AUTH_INFO_0 (sshd_config(5), ExposeAuthInfo): one line for each method that has succeeded, such as
// "publickey ssh-ed25519 AAAA...", "password", "keyboard-interactive/pam". Lines that it does not know give no method.
func ParseSSHAuth(info string) SSHAuth {
	var a SSHAuth
	add := func(method string) {
		if !slices.Contains(a.Methods, method) {
			a.Methods = append(a.Methods, method)
		}
	}
	for line := range strings.Lines(info) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		method, _, _ := strings.Cut(words[0], "/")
		switch {
		case method == "publickey" && len(words) >= 3:
			for _, kind := range keyKinds(words[1]) {
				add(kind)
			}
			if a.Fingerprint == "" {
				a.Fingerprint = fingerprint(words[2])
			}
		case method == "gssapi-keyex":
			add("gssapi-with-mic")
		case method != "publickey" && slices.Contains(SSHAuthMethods(), method):
			add(method)
		default:
			a.Unknown = true
		}
	}
	return a
}

// Typed reports whether a person has typed something: a password, or answers to questions.
func (a SSHAuth) Typed() bool {
	return slices.Contains(a.Methods, "password") || slices.Contains(a.Methods, "keyboard-interactive")
}

// KeyAlone reports whether something has succeeded, and nothing of it was typed by a person. What is not known counts as a key.
func (a SSHAuth) KeyAlone() bool { return (len(a.Methods) > 0 || a.Unknown) && !a.Typed() }

// keyKinds tells by the name of a key's algorithm (OpenSSH's PROTOCOL.u2f and PROTOCOL.certkeys) which words it is.
func keyKinds(algorithm string) []string {
	var kinds []string
	if strings.HasPrefix(algorithm, "sk-") {
		kinds = append(kinds, "security-key")
	}
	if strings.Contains(algorithm, "-cert-v01@") {
		kinds = append(kinds, "certificate")
	}
	if kinds == nil {
		return []string{"publickey"}
	}
	return kinds
}

// fingerprint of a key in base64; "" if it is none.
func fingerprint(key string) string {
	blob, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(blob)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// IsConsole reports whether PAM_RHOST and PAM_TTY say that the user sits at the machine: no host, and a virtual console, a serial
// line, or the console of a virtual machine. A pseudo-terminal and an X display may be anybody's. Whoever asks makes sure that the two are
// true: su and sudo name a terminal that their caller chose.
func IsConsole(rhost, tty string) bool {
	if rhost != "" {
		return false
	}
	tty = strings.TrimPrefix(tty, "/dev/")
	if tty == "console" {
		return true
	}
	for _, prefix := range []string{"ttyS", "tty", "hvc"} {
		if digits, found := strings.CutPrefix(tty, prefix); found {
			return digits != "" && strings.Trim(digits, "0123456789") == ""
		}
	}
	return false
}

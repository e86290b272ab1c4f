package policy

import (
	"strings"
	"testing"
)

// aSigner is a public key whose private one nobody has.
const aSigner = "twokey-signer1Ahj-4QKmah9yS6JVo1lzky6hsKqdNLiMrCbpYMzy3uY"

// roleRefusals are wrong in the keys of enrolment at login, bypass codes, roles and provisioners.
var roleRefusals = []refusal{
	{"at_login as a truth value", "version: 1\nenroll: {at_login: true}\n", 2, 20, "want with-code, \"yes\" or \"no\", found the truth value true: put the word in quotes"},
	{"at_login as the other truth value", "version: 1\nenroll: {at_login: False}\n", 2, 20, "found the truth value False"},
	{"at_login as another word", "version: 1\nenroll: {at_login: code}\n", 2, 20, "want with-code, yes or no, found the text \"code\""},
	{"at_login with an underscore", "version: 1\nenroll: {at_login: with_code}\n", 2, 20, "(did you mean \"with-code\"?)"},
	{"at_login in capitals", "version: 1\nenroll: {at_login: Yes}\n", 2, 20, "found the text \"Yes\""},
	{"at_login left empty", "version: 1\nenroll: {at_login: }\n", 2, 20, "found nothing"},
	{"at_login as a list", "version: 1\nenroll: {at_login: [with-code]}\n", 2, 20, "found a list"},
	{"at_login at the left margin", "version: 1\nat_login: with-code\n", 2, 1, "unknown key \"at_login\": it belongs to enroll"},
	{"enroll that is a word", "version: 1\nenroll: with-code\n", 2, 9, "want keys and values"},
	{"enroll that is empty", "version: 1\nenroll: {}\n", 2, 9, "this is empty: leave it out"},
	{"enroll of a service with one field", "version: 1\nservices: {vsftpd: {ask: appended, enroll: true}}\n", 2, 44, "enroll goes with ask: prompt alone, and vsftpd is ask: appended"},
	{"the same in the other order", "version: 1\nservices: {vsftpd: {enroll: true, ask: appended}}\n", 2, 29, "enroll goes with ask: prompt alone"},
	{"no enrolment where nobody can be asked", "version: 1\nservices: {x: {ask: never, enroll: false}}\n", 2, 36, "enroll goes with ask: prompt alone, and x is ask: never"},
	{"enroll of a service with an earlier success", "version: 1\nservices: {x: {ask: earlier, enroll: true}}\n", 2, 38, "x is ask: earlier"},
	{"enroll of what is no login", "version: 1\nservices: {x: {ask: exempt, enroll: true}}\n", 2, 37, "x is ask: exempt"},
	{"enroll of what is no login by itself", "version: 1\nservices: {cron: {enroll: true}}\n", 2, 27, "enroll goes with ask: prompt alone, and cron is ask: exempt"},
	{"enroll beside a way that does not exist", "version: 1\nservices: {x: {ask: promt, enroll: true}}\n", 2, 21, "(did you mean \"prompt\"?)"},
	{"enroll of a service as a word", "version: 1\nservices: {x: {enroll: 'yes'}}\n", 2, 24, "want true or false, found the text \"yes\""},
	{"at_login of a service", "version: 1\nservices: {x: {at_login: 'yes'}}\n", 2, 16, "unknown key \"at_login\": it belongs to enroll"},
	{"how one proves who one is", "version: 1\nservices: {twokey-self: {ask: exempt}}\n", 2, 12, "how twokey-self asks is fixed: leave it out"},
	{"that one enrols there", "version: 1\nservices: {twokey-self: {enroll: true}}\n", 2, 12, "how twokey-self asks is fixed"},
	{"bypass that is empty", "version: 1\nbypass: {}\n", 2, 9, "this is empty: leave it out"},
	{"bypass that is a time", "version: 1\nbypass: 24h\n", 2, 9, "want keys and values, found the text \"24h\""},
	{"a bypass of no time", "version: 1\nbypass: {longest: 0s}\n", 2, 19, "whole seconds from 5m to 720h, found the text \"0s\""},
	{"a bypass that is too short", "version: 1\nbypass: {longest: 299s}\n", 2, 19, "from 5m to 720h"},
	{"a bypass that is too long", "version: 1\nbypass: {longest: 720h1s}\n", 2, 19, "from 5m to 720h"},
	{"a bypass in days", "version: 1\nbypass: {longest: 7d}\n", 2, 19, "found the text \"7d\""},
	{"a bypass without a unit", "version: 1\nbypass: {longest: 24}\n", 2, 19, "found the number 24"},
	{"requesters as a list", "version: 1\nbypass: {requesters: [alice]}\n", 2, 22, "want users or groups such as {groups: [team-leads]}, found a list"},
	{"requesters that are nobody", "version: 1\nbypass: {requesters: {}}\n", 2, 22, "this is empty: leave it out"},
	{"requesters at the left margin", "version: 1\nrequesters: {users: [alice]}\n", 2, 1, "unknown key \"requesters\": it belongs to bypass"},
	{"a misspelt key of bypass", "version: 1\nbypass: {request: {users: [a]}}\n", 2, 10, "unknown key \"request\""},
	{"a pattern as a requester", "version: 1\nbypass: {requesters: {users: ['*']}}\n", 2, 31, "there are no patterns"},
	{"roles that are empty", "version: 1\nroles: {}\n", 2, 8, "this is empty: leave it out"},
	{"roles as a list", "version: 1\nroles: [helpdesk]\n", 2, 8, "want keys and values, found a list"},
	{"a role as a name", "version: 1\nroles: {helpdesk: carol}\n", 2, 19, "want users or groups such as {groups: [helpdesk]}, found the text \"carol\""},
	{"a role as a list", "version: 1\nroles: {auditor: [carol]}\n", 2, 18, "want users or groups such as {groups: [audit]}, found a list"},
	{"a role that is nothing", "version: 1\nroles: {protected: }\n", 2, 20, "want users or groups such as {groups: [wheel]}, found nothing"},
	{"a role of nobody", "version: 1\nroles: {helpdesk: {}}\n", 2, 19, "this is empty: leave it out"},
	{"a role with an empty list", "version: 1\nroles: {helpdesk: {users: []}}\n", 2, 27, "found an empty list: leave the key out"},
	{"a role that does not exist", "version: 1\nroles: {admin: {users: [a]}}\n", 2, 9, "unknown key \"admin\""},
	{"a misspelt role", "version: 1\nroles: {auditors: {users: [a]}}\n", 2, 9, "unknown key \"auditors\" (did you mean \"auditor\"?)"},
	{"a role twice", "version: 1\nroles: {helpdesk: {users: [a]}, helpdesk: {users: [b]}}\n", 2, 33, "stands here again, first on line 2"},
	{"a name of a role twice", "version: 1\nroles: {helpdesk: {users: [a, b, a]}}\n", 2, 34, "\"a\" stands here again"},
	{"a negation in a role", "version: 1\nroles: {helpdesk: {users: ['!a']}}\n", 2, 28, "there are no negations"},
	{"a group in the manner of sudoers in a role", "version: 1\nroles: {helpdesk: {users: ['%ops']}}\n", 2, 28, "write a group's name under groups"},
	{"services in a role", "version: 1\nroles: {helpdesk: {users: [a], services: [sshd]}}\n", 2, 32, "unknown key \"services\""},
	{"a number in a role", "version: 1\nroles: {helpdesk: {users: [1]}}\n", 2, 28, "want text, found the number 1: put it in quotes"},
	{"helpdesk at the left margin", "version: 1\nhelpdesk: {users: [a]}\n", 2, 1, "unknown key \"helpdesk\": it belongs to roles"},
	{"provisioners that are empty", "version: 1\nprovisioners: []\n", 2, 15, "found an empty list: leave the key out"},
	{"a provisioner without a list", "version: 1\nprovisioners: twokey-signer1Ahj-4QKmah9yS6JVo1lzky6hsKqdNLiMrCbpYMzy3uY\n", 2, 15, "want a list of public keys such as [twokey-signer1...], found the text"},
	{"a provisioner of another kind", "version: 1\nprovisioners: [age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgp]\n", 2, 16, "want a public key as twokey key new-signer prints it"},
	{"a provisioner as ssh writes keys", "version: 1\nprovisioners: ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEFo']\n", 2, 16, "want a public key as twokey key new-signer prints it"},
	{"a provisioner that is cut off", "version: 1\nprovisioners: [twokey-signer1Ahj-4QKmah9yS6JVo1lzky6hsKqdNLiMrCbpYMzy3u]\n", 2, 16, "and 43 characters, found 42"},
	{"a provisioner with a letter more", "version: 1\nprovisioners: [twokey-signer1Ahj-4QKmah9yS6JVo1lzky6hsKqdNLiMrCbpYMzy3uYA]\n", 2, 16, "found 44"},
	{"a provisioner with padding", "version: 1\nprovisioners: ['twokey-signer1Ahj-4QKmah9yS6JVo1lzky6hsKqdNLiMrCbpYMzy3uY=']\n", 2, 16, "found 44"},
	{"a provisioner in the other alphabet of base64", "version: 1\nprovisioners: [twokey-signer1Ahj+4QKmah9yS6JVo1lzky6hsKqdNLiMrCbpYMzy3uY]\n", 2, 16, "found 43"},
	{"a provisioner whose last bits are set", "version: 1\nprovisioners: [twokey-signer1Ahj-4QKmah9yS6JVo1lzky6hsKqdNLiMrCbpYMzy3uZ]\n", 2, 16, "found 43"},
	{"a provisioner with a line feed in it", "version: 1\nprovisioners: [\"twokey-signer1Ahj-4Q\\nKmah9yS6JVo1lzky6hsKqdNLiMrCbpYMzy3uY\"]\n", 2, 16, "found 44"},
	{"a provisioner with capitals before", "version: 1\nprovisioners: [TWOKEY-SIGNER1Ahj-4QKmah9yS6JVo1lzky6hsKqdNLiMrCbpYMzy3uY]\n", 2, 16, "want a public key"},
	{"a provisioner that is a placeholder", "version: 1\nprovisioners: [twokey-signer1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA]\n", 2, 16, "this key is all zeros: it is a placeholder"},
	{"a provisioner twice", "version: 1\nprovisioners: [twokey-signer1Ahj-4QKmah9yS6JVo1lzky6hsKqdNLiMrCbpYMzy3uY, twokey-signer1Ahj-4QKmah9yS6JVo1lzky6hsKqdNLiMrCbpYMzy3uY]\n", 2, 75, "this key stands here again"},
	{"a provisioner as a number", "version: 1\nprovisioners: [1]\n", 2, 16, "want text, found the number 1"},
}

// Somebody may have put the private key there: what is not a key is in no error, and so in no log.
func TestWhatIsNoPublicKeyIsNotShown(t *testing.T) {
	for _, secret := range []string{"twokey-signer1-secret-f00ba4", "AGE-SECRET-KEY-1F00BA4", "twokey-signer1" + strings.Repeat("f00ba4", 8)} {
		_, err := Parse([]byte("version: 1\nprovisioners: [" + secret + "]\n"))
		if err == nil || strings.Contains(strings.ToLower(err.Error()), "f00ba4") {
			t.Errorf("%v", err)
		}
	}
}

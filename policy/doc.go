// Package policy decides who must show a second factor. It parses and checks
// twokey.yaml (decode.go), keeps it in a compiled form (compile.go), decides one
// login from facts (decide.go), and changes the file without losing its comments
// (edit.go, surgery.go). It is pure: bytes and facts in, values out; it opens no
// file, asks no clock and resolves no name.
//
// # The configuration, twokey.yaml
//
// One YAML document of at most 1 MiB, UTF-8 without a byte order mark, with line
// feeds and no tabs as indentation. Everything is strict: an unknown or repeated key, a value of another type
// or out of range, an anchor, an alias, a tag or a second document is an error
// with line and column. Every key but version may be left out.
//
//	key           value                                     default
//	version       1                                         must be there
//	enabled       true, false                               true
//	observe       true, false                               false
//	issuer        text without a colon, up to 256 bytes     "": the host's name
//	contact       text, 1 to 256 bytes                      your administrator
//	help_url      http:// or https:// address, or ""        ""
//	default       required, optional, exempt, deny          optional
//	require       list of entries                           nobody
//	exempt        list of entries                           nobody
//	new_devices   digits: 4 to 12                           6
//	              period: 10s to 300s, whole seconds        30s
//	              algorithm: SHA1, SHA256, SHA512           SHA1
//	discrepancy   0 to 480 periods before and after         1
//	paths         data                                      /var/lib/twokey
//	              audit                                     /var/log/twokey/audit.jsonl
//	              key                                       /etc/twokey/host.key
//	              credentials                               /etc/twokey/credentials
//
// An entry has one or more of the lists users, groups and services. Users and
// groups are two ways to say who: an entry with both means whoever stands in
// either. Services narrow it: {users: [bob], services: [sshd]} means bob on sshd
// only. An entry with services alone means everybody on these services. A list
// is never empty; at most 500 different groups are named; there are no negations and no patterns. The same user, group or
// service both required and exempt, neither narrowed by services, is an error.
//
// Names are 1 to 256 bytes of printable characters and are compared byte by byte:
// users with the account's own name (pw_name), groups with the names that
// [Facts.InGroup] knows, services with PAM's service name, which libpam turns
// to lower case (pam_start, pam_set_item).
//
// A newer version of twokey adds keys under the same version number; what a key
// means never changes under it.
//
// # Precedence
//
// In one sentence: the switch, exempt, an account that does not exist, the first
// entry of require, default. [Config.Decide] has the details.
//
// # The compiled form
//
// What the login helper keeps as the last good policy, at most 8 MiB:
//
//	twokey-policy 1 sha256:<64 lower-case hex digits of the source's SHA-256>
//	<the configuration with all defaults filled in, as JSON on one line>
//
// each line ended by a line feed, nothing after it. The JSON has the keys of the
// table in that order, without blanks; require, exempt and an entry's lists are
// left out when they are empty. It is a configuration itself (JSON is YAML), and
// [Load] checks it as [Parse] checks a file. Every policy has one compiled form;
// any other spelling is refused. Another layout will have another number in the
// first line.
//
// This configuration
//
//	version: 1
//	default: optional
//	require:
//	  - {groups: [wheel]}        # administrators
//	exempt:
//	  - {users: [bob], services: [xrdp-sesman]}
//
// is compiled, with 64 zeros instead of its digest and the long line broken here
// after the commas, to
//
//	twokey-policy 1 sha256:0000000000000000000000000000000000000000000000000000000000000000
//	{"version":1,"enabled":true,"observe":false,
//	"issuer":"","contact":"your administrator","help_url":"",
//	"default":"optional",
//	"require":[{"groups":["wheel"]}],
//	"exempt":[{"users":["bob"],"services":["xrdp-sesman"]}],
//	"new_devices":{"digits":6,"period":"30s","algorithm":"SHA1"},
//	"discrepancy":1,
//	"paths":{"data":"/var/lib/twokey","audit":"/var/log/twokey/audit.jsonl",
//	"key":"/etc/twokey/host.key","credentials":"/etc/twokey/credentials"}}
package policy

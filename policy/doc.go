// Package policy decides who must show a second factor. It parses and checks
// twokey.yaml (decode*.go), keeps it in a compiled form (compile.go), decides one
// login from facts (decide.go, stages.go), has the words that people see
// (messages*.go), names what is dangerous ([Config.Warnings]: warnings*.go,
// never.go), lists the settings (settings.go), changes the file without losing its
// comments ([Change], such as [SetKey]: edit*.go, setkey.go, setsection.go, surgery.go), and tells
// by what a change lets people in with less (loosen.go). It is pure: bytes and
// facts in, values out; it opens no file of ours, asks no clock and resolves no
// name. The rules of the time zones come from the host where it has them, else from
// the copy that is built in.
//
// # The configuration, twokey.yaml
//
// One YAML document of at most 1 MiB, UTF-8 without a byte order mark, with line
// feeds and no tabs as indentation. Everything is strict: an unknown or repeated key, a value of another type
// or out of range, an anchor, an alias, a tag or a second document is an error
// with line and column. Every key but version may be left out.
//
//	key            value                                     default
//	version        1                                         must be there
//	enabled        true, false                               true
//	off_until      moment: switched off until then, from     none
//	               720h before it on
//	observe        true, false                               false
//	language       de, en                                    en
//	messages       key: text, see [Message]                  none
//	issuer         text without a colon, up to 256 bytes     "": the host's name
//	contact        text, 1 to 256 bytes                      your administrator
//	help_url       http:// or https:// address, or ""        ""
//	default        required, optional, exempt, deny          optional
//	require        list of entries                           nobody
//	exempt         list of entries                           nobody
//	rules          list of rules                             none
//	services       PAM service: {ask: way,                   see [BuiltinNotLogins]
//	               enroll: true, false}                      see [BuiltinEnroll]
//	enroll         at_login: with-code, "yes", "no"          with-code
//	               notice: true, false                       true
//	new_devices    digits: 4 to 12                           6
//	               period: 10s to 300s                       30s
//	               algorithm: SHA1, SHA256, SHA512           SHA1
//	discrepancy    0 to 480 periods before and after         1
//	remember       0s to 720h                                0s
//	shared         list of addresses and networks            none
//	ssh_keys_alone accept, deny                              accept
//	open_within    10s to 24h                                1h
//	methods        list of totp, hotp, push, sms, recovery   all, in this order
//	methods_default none, last: what an empty answer takes   none
//	sms            see "SMS" below                           none
//	push           see "Push" below                          none
//	bypass         requesters: who                           nobody
//	               longest: 5m to 720h                       24h
//	roles          helpdesk, auditor, protected: who         nobody
//	provisioners   list of public keys                       none
//	on_fault       deny, allow-console                       deny
//	managed_by     text, up to 256 bytes                     "": nobody
//	mail           server: host:port                         localhost:25
//	               from: address                             must be there
//	               to: address with %USER% in it             must be there
//	               user, password_file: text                 "": without a login
//	paths          data                                      /var/lib/twokey
//	               audit                                     /var/log/twokey/audit.jsonl
//	               key                                       /etc/twokey/host.key
//	               credentials                               /etc/twokey/credentials
//
// A length of time is whole seconds with a unit, 90s, 30m or 12h. A moment is in
// UTC, 2026-11-21T23:30:00Z. A day, 2026-12-31, begins at 00:00 and ends at 24:00
// by the clock on the wall of the host. The password_file of mail lies in the
// folder of the credentials.
//
// Who is users, groups or both, {users: [carol], groups: [helpdesk]}: whoever is one
// of the users or in one of the groups, each named once. A public key is twokey-signer1
// and the 32 bytes of an ed25519 key (RFC 8032, section 5.1.5) in base64url without
// padding (RFC 4648, section 5): 43 characters.
//
// # SMS
//
// How codes get to phones as text messages. A key belongs to the provider beside it,
// and with another one it is an error; "" is every provider. A file is the name of one
// in paths.credentials. Twilio signs in with auth_token_file alone, or with the two keys
// of api_key, and sends from sender or messaging_service_sid.
//
//	provider                 twilio, command, smtp                    must be there
//	account_sid      twilio  AC and 32 hexadecimal digits             must be there
//	auth_token_file  twilio  file                                     this,
//	api_key_sid      twilio  SK and 32 hexadecimal digits             or these
//	api_key_secret_file twilio file                                   two
//	sender           twilio  a number (E.164), or 1 to 11 letters,    this,
//	                         digits, blanks, -, _ and &, with a
//	                         letter among them
//	messaging_service_sid twilio MG and 32 hexadecimal digits         or this
//	url              twilio  address                                  https://api.twilio.com
//	command          command list: a program with its absolute path   must be there
//	                         and its arguments, 32 words at most; no
//	                         shell reads them; on its standard input
//	                         number, line feed, text
//	server           smtp    host:port                                localhost:25
//	from             smtp    address                                  must be there
//	to               smtp    address with %NUMBER% (the digits        must be there
//	                         without the plus), %USER% or both in it
//	user, password_file smtp text, file                               "": without a login
//	message          ""      line of at most 320 characters with      Your %ISSUER% verification
//	                         %CODE% in it; %ISSUER%, %HOST%,          code is: %CODE%
//	                         %MINUTES% are filled in too
//	digits           ""      6 to 10                                  6
//	valid_for        ""      1m to 15m                                5m
//	per_hour         ""      1 to 10000 messages of the host          100
//	connect          ""      1s to 10s, not above timeout             3s
//	timeout          ""      2s to 30s, the whole request             8s
//
// # Push
//
// How a question gets to a phone, to be answered there.
//
//	provider                 ntfy, duo                                must be there
//	url              ntfy    address                                  must be there
//	                 duo     address, for proxies and tests           https:// and api_host
//	token_file       ntfy    file: publishes challenges, reads        must be there
//	                         answers
//	answer_token_file ntfy   another file: travels in the message,    "": everyone may write
//	                         for the phone's answer                   to the topics of answers
//	match_number     ntfy    true, false                              true
//	api_host         duo     api-XXXXXXXX.duosecurity.com             must be there
//	integration_key  duo     DI and 18 capitals and digits            must be there
//	secret_key_file  duo     file                                     must be there
//	wait             ""      10s to 85s: for the answer               60s
//	connect, timeout ""      as for sms                               3s, 8s
//
// Such an address is https://, a host and perhaps a port; http:// only for 127.0.0.0/8,
// [::1] and localhost.
//
// # Entries of require and exempt
//
// An entry has one or more of these lists. Users and groups are two ways to say
// who: an entry with both means whoever stands in either. Services narrow it:
// {users: [bob], services: [sshd]} means bob on sshd only. An entry with services
// alone means everybody on these services.
//
//	users, groups, services   names
//	until                     day: the last one on which it counts
//	starts                    day: the first one on which it counts; require only
//	by                        day: until it ends who has no device is let in, with a notice; require only
//	system_accounts           true: whoever but root has a uid below UID_MIN and no login shell; exempt only
//	from                      addresses, networks and names, as in a rule; exempt only. It narrows, and alone it means everybody from there
//
// The same user, group or service both required and exempt, neither narrowed by
// services, from, starts or until, is an error.
//
// # Rules
//
// A rule has then, a decision, and at least one condition. All of its conditions
// must be met, each by one of its items; users and groups together are one
// condition.
//
//	name                      text; no two rules have the same
//	users, groups, services   names
//	from                      addresses, networks such as 192.0.2.0/24 and 2001:db8::/32, or names
//	ssh_auth                  by what the client has proved itself to sshd: publickey (a key that is neither
//	                          of the two that follow), security-key, certificate, gssapi-with-mic, hostbased,
//	                          password, keyboard-interactive
//	tty                       [console] or [remote], see [IsConsole]
//	weekdays                  mon, tue, wed, thu, fri, sat, sun: of the moment of the login
//	hours                     08:00-18:00; 22:00-06:00 goes over midnight; a day ends at 24:00
//	zone                      of weekdays and hours: Europe/Berlin; default: that of the host
//	then                      required, optional, exempt, deny
//	methods, remember         as above, for the logins that the rule decides and asks
//	enroll                    by-admin: nobody enrols by himself at such a login
//
// From is compared with PAM_RHOST. A network matches the addresses in it, an IPv4 address also where
// it is written as IPv6 (::ffff:192.0.2.1), and a login without PAM_RHOST is in no network. A name is
// compared as it is, but for capital letters, and never resolved: it matches
// only where the application puts names into PAM_RHOST (sshd with UseDNS yes), and no network matches
// there. Who has the reverse zone of an address chooses the name.
//
// # Ways of asking
//
// A service that services does not list prompts, or is no login if it is one of [BuiltinNotLogins].
//
//	prompt     it shows a question of ours
//	appended   it has one field, which holds the password and the code behind it
//	earlier    it cannot ask: in with a success from the same source within open_within
//	never      it cannot ask: closed to everyone who is enrolled or required
//	exempt     it is no login: nobody is asked, whatever require says
//
// Enroll says whether one can enrol at the logins of a service: that it shows texts of
// many lines and runs PAM's account phase. It goes with ask: prompt alone, which it
// stands for where ask is left out. The service [SelfService] cannot be listed.
//
// # Names
//
// Names are 1 to 256 bytes of printable characters and are compared byte by byte:
// users with the account's own name (pw_name), groups with the names that
// [Facts.InGroup] knows, services with PAM's service name, which libpam turns
// to lower case (pam_start, pam_set_item). A list is never empty; entries and rules
// name at most 500 different groups; there are no negations and no patterns.
//
// A newer version of twokey adds keys under the same version number; what a key
// means never changes under it.
//
// # Precedence
//
// In one sentence: switch, deny rules, exempt, the first other rule, require,
// default; then the service's way of asking. A service that is no login stands
// before the entries of exempt, and a deny rule reaches it only where its services
// name it. An account that does not exist is refused after exempt. At [SelfService]
// nothing of this counts but the deny rules, also while twokey is switched off. [Config.Decide] has the
// details.
//
// # The compiled form
//
// What the login helper keeps as the last good policy, at most 8 MiB:
//
//	twokey-policy 4 sha256:<64 lower-case hex digits of the source's SHA-256>
//	<the configuration with all defaults filled in, as JSON on one line>
//
// each line ended by a line feed, nothing after it. The JSON has the keys of the
// tables in their order (an entry: users, groups, services, system_accounts, from,
// starts, by, until; who: users, groups), without blanks, and lengths of time in seconds; what is
// empty and has no default is left out, but for issuer, help_url and managed_by; sms
// and push have the keys of their provider. It is a configuration itself (JSON is YAML), and
// [Load] checks it as [Parse] checks a file. Every policy has one compiled form;
// any other spelling is refused. Another layout will have another number in the
// first line; a policy of form 1, 2 or 3 is refused, and compiled anew from the file. Where
// the file is wrong at that moment there is then no policy, and every login is denied.
//
// This configuration
//
//	version: 1
//	default: optional
//	require:
//	  - {groups: [wheel], by: 2026-12-31}        # administrators
//	exempt:
//	  - {users: [bob], services: [xrdp-sesman]}
//	rules:
//	  - {name: night, groups: [staff], hours: [22:00-06:00], zone: Europe/Berlin, then: deny}
//	services:
//	  vsftpd: {ask: appended}
//	  kiosk: {enroll: false}
//	roles: {helpdesk: {groups: [helpdesk]}}
//	push: {provider: ntfy, url: https://ntfy.example.org, token_file: ntfy.token}
//
// is compiled, with 64 zeros instead of its digest and the long line broken here
// after the commas, to
//
//	twokey-policy 4 sha256:0000000000000000000000000000000000000000000000000000000000000000
//	{"version":1,"enabled":true,"observe":false,"language":"en",
//	"issuer":"","contact":"your administrator","help_url":"",
//	"default":"optional",
//	"require":[{"groups":["wheel"],"by":"2026-12-31"}],
//	"exempt":[{"users":["bob"],"services":["xrdp-sesman"]}],
//	"rules":[{"name":"night","groups":["staff"],
//	"hours":["22:00-06:00"],"zone":"Europe/Berlin","then":"deny"}],
//	"services":{"kiosk":{"enroll":false},"vsftpd":{"ask":"appended"}},
//	"enroll":{"at_login":"with-code","notice":true},
//	"new_devices":{"digits":6,"period":"30s","algorithm":"SHA1"},
//	"discrepancy":1,"remember":"0s",
//	"ssh_keys_alone":"accept","open_within":"3600s",
//	"methods":["totp","hotp","push","sms","recovery"],
//	"methods_default":"none",
//	"push":{"provider":"ntfy","url":"https://ntfy.example.org",
//	"token_file":"ntfy.token","match_number":true,
//	"wait":"60s","connect":"3s","timeout":"8s"},
//	"bypass":{"longest":"86400s"},
//	"roles":{"helpdesk":{"groups":["helpdesk"]}},
//	"on_fault":"deny","managed_by":"",
//	"paths":{"data":"/var/lib/twokey","audit":"/var/log/twokey/audit.jsonl",
//	"key":"/etc/twokey/host.key","credentials":"/etc/twokey/credentials"}}
package policy

package policy

// Default gives the configuration that a new installation begins with: switched
// on, nobody asked before he has enrolled a device.
func Default() []byte { return []byte(initial) }

const initial = `# The configuration of twokey: who must show a second factor on this host.
#
# Nothing secret is in here. A key that twokey does not know, or a value that it
# cannot use, is an error with its line; until it is mended the last good policy
# stays in force.
#
#     twokey policy check           is this file right, and what is dangerous in it
#     twokey policy explain USER    is this user asked, and which line says so
#
# The commands "twokey enable", "disable", "policy" and "config set" change this
# file and keep its comments.

version: 1

# The switch. false: nobody is asked and nobody is turned away, on any service.
# Devices stay enrolled. "twokey disable --for 2h" writes off_until instead.
enabled: true
# off_until: 2026-11-21T23:30:00Z

# true: decide everything and record who would have been refused, but refuse
# nobody. For trying out the lists below before they count.
observe: false

# Everybody whom neither list and no rule below is about:
#   optional   asked as soon as a device is enrolled, else let in
#   required   asked; without a device refused
#   exempt     never asked
#   deny       always refused
default: optional

# What the authenticator app shows beside the account. Else the host's name.
# issuer: Example Ltd

# Whom a refused user should turn to, and where he can read more.
# contact: the IT desk, +44 20 7946 0958
# help_url: https://intranet.example.org/2fa

# The texts that users see: en or de, and single ones in your own words.
# language: de
# messages: {refused: "Please call %CONTACT%."}

# Who must, and who need not. An entry names users, groups, or both: whoever is in
# either. With services it counts on these only; services alone mean everybody on
# them. Days end at 24:00: by is the last day without a device, starts the first
# and until the last day of an entry. Exempt goes before require, and can name
# system accounts and sources. "twokey policy require" and "twokey policy exempt"
# write entries here.
#
# require:
#   - {groups: [sudo], by: 2026-12-31}
#   - {users: [alice, 'EXAMPLE\bob'], services: [sshd]}
# exempt:
#   - {system_accounts: true}
#   - {users: [backup], services: [sshd], from: [192.0.2.10]}

# Special cases. A rule that denies goes before exempt, the first of the others
# that matches after it. All conditions of a rule must be met: users or groups,
# services, from, ssh_auth, tty, weekdays, hours.
#
# rules:
#   - {name: hardware keys suffice, services: [sshd], ssh_auth: [security-key], then: exempt}
#   - {name: office, groups: [staff], from: [192.0.2.0/24, '2001:db8::/32'], then: optional}
#   - {name: nights, groups: [guests], hours: ['22:00-06:00'], zone: Europe/London, then: deny}

# How a service can ask. One that is not listed prompts; cron and its like are no
# logins by themselves ("twokey policy list" shows them).
#   appended   one field: the password and the code behind it
#   earlier    cannot ask: in with a success from the same source within open_within
#   never      cannot ask: closed to everyone who is required or enrolled
#   exempt     no login: nobody is asked
#
# With enroll: true one can enrol at its logins too, as at those of sshd and login.
#
# services:
#   vsftpd: {ask: appended}
#   cockpit: {ask: earlier}
#   xrdp-sesman: {ask: never}
# open_within: 1h

# After a success, the same user, source, service and SSH key is not asked again
# for this long (never in sudo and su), but not from addresses that many share.
# remember: 12h
# shared: [127.0.0.0/8, '::1', 198.51.100.7]

# deny: required users do not get in by an SSH key alone.
# ssh_keys_alone: deny

# What counts as a second factor, in the order offered. methods_default: last lets an
# empty answer take push or SMS, if that is what worked last.
# methods: [totp, push, sms, recovery]
# methods_default: last

# Codes by SMS, the weakest of all, and questions on the phone; only behind a right
# password. "twokey sms setup" and "twokey push setup" write these.
# sms: {provider: command, command: [/usr/local/bin/send-sms]}
# push: {provider: ntfy, url: 'https://ntfy.example.org', token_file: ntfy.token, answer_token_file: ntfy-answer.token}

# Who is required and has no device enrols at his next login: with-code, with the
# enrolment code that "twokey policy require", "reset" or "enroll --code" has printed;
# "yes", with his password alone; "no", not at a login. A notice when a session opens
# tells users of it who need not; and how "twokey remind" mails them.
# enroll: {at_login: with-code, notice: true}
# mail: {server: 'localhost:25', from: twokey@example.org, to: '%USER%@example.org'}

# What a device gets when it is enrolled: 4 to 12 digits, a new code every 10s to
# 300s, SHA1, SHA256 or SHA512. Several common apps know only these values.
# new_devices: {digits: 6, period: 30s, algorithm: SHA1}

# So many codes before and after the present one are right too, for clocks that
# are a little off. Each makes guessing easier.
# discrepancy: 1

# Who may ask for a bypass code, for himself or for another, and how long one works.
# bypass: {requesters: {groups: [team-leads]}, longest: 24h}

# Who may run some commands without being root: the helpdesk lists, unlocks, resets and
# gives bypass codes, but not to those who are protected; an auditor reads the audit log.
# roles: {helpdesk: {groups: [helpdesk]}, auditor: {users: [oscar]}, protected: {groups: [sudo]}}

# The public keys of those who write users' files elsewhere (twokey key new-signer).
# provisioners: [twokey-signer1Ahj-4QKmah9yS6JVo1lzky6hsKqdNLiMrCbpYMzy3uY]

# When state or audit log cannot be written: deny everybody, or let the console in.
# on_fault: allow-console

# The program that writes this file: the commands above then leave it alone.
# managed_by: ansible

# Where things lie. To move them, stop logins, move the files, then change this.
# paths: {data: /var/lib/twokey, audit: /var/log/twokey/audit.jsonl, key: /etc/twokey/host.key, credentials: /etc/twokey/credentials}
`

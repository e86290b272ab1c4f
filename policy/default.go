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
# The commands "twokey enable", "disable" and "policy" change this file and keep
# its comments.

version: 1

# The switch. false: nobody is asked and nobody is turned away, on any service.
# Devices stay enrolled.
enabled: true

# true: decide everything and record who would have been refused, but refuse
# nobody. For trying out the lists below before they count.
observe: false

# Everybody whom neither list below names:
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

# What a device gets when it is enrolled: 4 to 12 digits, a new code every 10s to
# 300s, SHA1, SHA256 or SHA512. Several common apps know only these values.
# new_devices: {digits: 6, period: 30s, algorithm: SHA1}

# So many codes before and after the present one are right too, for clocks that
# are a little off. Each makes guessing easier.
# discrepancy: 1

# Where things lie. To move them, stop logins, move the files, then change this.
# paths: {data: /var/lib/twokey, audit: /var/log/twokey/audit.jsonl, key: /etc/twokey/host.key, credentials: /etc/twokey/credentials}

# Who must, and who need not. An entry names users, groups, or both: whoever is in
# either. With services it counts on these only; services alone mean everybody on
# them. Exempt goes before require. "twokey policy require" and "twokey policy
# exempt" write entries here.
#
# require:
#   - {groups: [sudo]}
#   - {users: [alice, 'EXAMPLE\bob'], services: [sshd]}
# exempt:
#   - {users: [backup], services: [sshd]}
#   - {services: [cron]}
`

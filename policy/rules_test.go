package policy

import (
	"strings"
	"testing"
	"time"
)

const berlin = "Europe/Berlin"

func (f Facts) from(rhost string) Facts    { f.RHost = rhost; return f }
func (f Facts) by(methods ...string) Facts { f.SSHAuth = methods; return f }
func (f Facts) system() Facts              { f.System = true; return f }
func (f Facts) console() Facts             { f.Console, f.RHost = true, ""; return f }

// at is a time on the host's clock, which is in Berlin.
func (f Facts) at(when string) Facts { return f.in(berlin, when) }

func (f Facts) in(zone, when string) Facts {
	location, err := time.LoadLocation(zone)
	if err != nil {
		panic(err)
	}
	f.Time, err = time.ParseInLocation("2006-01-02 15:04:05", when, location)
	if err != nil {
		panic(err)
	}
	return f
}

func config(key string, items ...string) string {
	return "version: 1\n" + key + ":\n  - " + strings.Join(items, "\n  - ") + "\n"
}

func rules(items ...string) string    { return config("rules", items...) }
func requires(items ...string) string { return config("require", items...) }

// exempts is a host that requires everybody else.
func exempts(items ...string) string { return config("exempt", items...) + "default: required\n" }

// asking is a host with one service that asks in this way, where alice is required, bob exempt and the others optional.
func asking(way string) string {
	return "version: 1\nrequire: [{users: [alice]}]\nexempt: [{users: [bob]}]\nservices: {door: {ask: " + way + "}}\n"
}

var (
	friday   = "2026-11-20 17:05:00"
	saturday = "2026-11-21 17:05:00"
)

// decisions are about what came with rules, days, sources and the ways of asking; those of TestDecide are about the lists.
var decisions = map[string]struct {
	config   string
	facts    Facts
	decision Decision
	action   Action
	rule     string
}{
	"a deny rule goes before an exemption":                           {exempts("{users: [dave]}") + "rules: [{users: [dave], then: deny}]\n", known("dave").with(), Deny, AskThenDeny, "rules[0]"},
	"a deny rule goes before rules that stand above it":              {rules("{users: [dave], then: exempt}", "{users: [dave], then: deny}"), known("dave"), Deny, AskThenDeny, "rules[1]"},
	"of two deny rules the first is named":                           {rules("{users: [dave], then: deny}", "{services: [sshd], then: deny}"), known("dave"), Deny, AskThenDeny, "rules[0]"},
	"a deny rule that does not match leaves the exemption":           {exempts("{users: [dave]}") + "rules: [{users: [eve], then: deny}]\n", known("dave"), Exempt, Ignore, "exempt[0]"},
	"a deny rule for everybody does not stop cron":                   {rules("{hours: [00:00-24:00], then: deny}"), known("dave").on("cron").at(friday), Exempt, Ignore, "service exempt"},
	"a deny rule that names cron stops cron":                         {rules("{hours: [00:00-24:00], services: [cron], then: deny}"), known("dave").on("cron").at(friday), Deny, AskThenDeny, "rules[0]"},
	"a deny rule for everybody does not stop what services exempt":   {rules("{from: [192.0.2.0/24], then: deny}") + "services: {nagios: {ask: exempt}}\n", known("dave").on("nagios"), Exempt, Ignore, "service exempt"},
	"a deny rule for everybody stops unknown accounts":               {rules("{from: [192.0.2.0/24], then: deny}"), known("x").unknown(), Deny, AskThenDeny, "rules[0]"},
	"a deny rule for a name is not about an unknown account":         {rules("{users: [x], then: deny}"), known("x").unknown(), Deny, AskThenDeny, "unknown account"},
	"switched off, deny rules are silent":                            {"enabled: false\n" + rules("{users: [dave], then: deny}"), known("dave"), Exempt, Ignore, "switched off"},
	"a deny rule whose group cannot be looked up refuses":            {rules("{groups: [broken], then: deny}"), known("dave").with(), Deny, AskThenDeny, "rules[0]"},
	"a deny rule whose group cannot be looked up refuses the exempt": {exempts("{users: [dave]}") + "rules: [{groups: [broken], then: deny}]\n", known("dave"), Deny, AskThenDeny, "rules[0]"},
	"a deny rule for another service needs no lookup":                {rules("{groups: [broken], services: [su], then: deny}"), known("dave"), Optional, Ignore, "default"},

	"switched off for a while, nobody is asked":           {"version: 1\ndefault: deny\noff_until: 2026-11-20T16:06:00Z\n", known("dave").at(friday), Exempt, Ignore, "switched off"},
	"at the end of the while it is on":                    {"version: 1\ndefault: required\noff_until: 2026-11-20T16:05:00Z\n", known("dave").with().at(friday), Required, Ask, "default"},
	"the clock was set back: no old while comes again":    {"version: 1\ndefault: required\noff_until: 2026-12-20T16:10:01Z\n", known("dave").with().at(friday), Required, Ask, "default"},
	"the longest while, on a clock that is a little off":  {"version: 1\ndefault: deny\noff_until: 2026-12-20T16:10:00Z\n", known("dave").at(friday), Exempt, Ignore, "switched off"},
	"switched off for a while, and the time is not known": {"version: 1\ndefault: required\noff_until: 2026-11-20T16:06:00Z\n", known("dave").with(), Required, Ask, "default"},

	"cron is no login":                                    {"version: 1\ndefault: required\n", known("dave").on("cron"), Exempt, Ignore, "service exempt"},
	"samba is no login for a required user":               {requires("{users: [alice]}"), known("alice").with().on("samba"), Exempt, Ignore, "service exempt"},
	"systemd-user needs no lookup":                        {exempts("{groups: [broken]}"), known("alice").on("systemd-user"), Exempt, Ignore, "service exempt"},
	"cron is no login for an account that does not exist": {"version: 1\ndefault: deny\n", known("x").unknown().on("crond"), Exempt, Ignore, "service exempt"},
	"dovecot asks where services says so":                 {"version: 1\ndefault: required\nservices: {dovecot: {ask: appended}}\n", known("alice").with().on("dovecot"), Required, Ask, "default"},
	"what services exempts is no login":                   {asking("exempt"), known("alice").with().on("door"), Exempt, Ignore, "service exempt"},

	"never: closed to who is enrolled":              {asking("never"), known("dave").with().on("door"), Optional, AskThenDeny, "default"},
	"never: closed to who is required":              {asking("never"), known("alice").on("door"), Required, AskThenDeny, "require[0]"},
	"never: closed to who is required and enrolled": {asking("never"), known("alice").with().on("door"), Required, AskThenDeny, "require[0]"},
	"never: open to the others":                     {asking("never"), known("dave").on("door"), Optional, Ignore, "default"},
	"never: open to who is exempt":                  {asking("never"), known("bob").with().on("door"), Exempt, Ignore, "exempt[0]"},
	"never: closed to who was reset":                {asking("never"), known("dave").reset().on("door"), Required, AskThenDeny, "default"},
	"never: closed to accounts that do not exist":   {asking("never"), known("x").unknown().on("door"), Deny, AskThenDeny, "unknown account"},
	"never: open to who has time until the day by":  {replaced(asking("never"), "[alice]", "[alice], by: 2026-11-20"), known("alice").on("door").at(friday), Required, Ignore, "require[0]"},
	"never: closed the day after":                   {replaced(asking("never"), "[alice]", "[alice], by: 2026-11-20"), known("alice").on("door").at(saturday), Required, AskThenDeny, "require[0]"},
	"earlier: who is enrolled needs a success":      {asking("earlier"), known("dave").with().on("door"), Optional, Ask, "default"},
	"earlier: who is required cannot come in":       {asking("earlier"), known("alice").on("door"), Required, AskThenDeny, "require[0]"},
	"earlier: open to the others":                   {asking("earlier"), known("dave").on("door"), Optional, Ignore, "default"},
	"appended: who is enrolled is asked":            {asking("appended"), known("alice").with().on("door"), Required, Ask, "require[0]"},
	"appended: who is exempt is not":                {asking("appended"), known("bob").with().on("door"), Exempt, Ignore, "exempt[0]"},

	"system accounts are exempt":                              {exempts("{system_accounts: true}"), known("www-data").system(), Exempt, Ignore, "exempt[0]"},
	"other accounts are not":                                  {exempts("{system_accounts: true}"), known("dave"), Required, AskThenDeny, "default"},
	"system accounts are exempt on one service":               {exempts("{system_accounts: true, services: [sshd]}"), known("www-data").system().on("su"), Required, AskThenDeny, "default"},
	"and nobody else there":                                   {exempts("{system_accounts: true, services: [sshd], from: [192.0.2.0/24]}"), known("dave"), Required, AskThenDeny, "default"},
	"an address in IPv6 writing in the file":                  {exempts("{from: ['::ffff:192.0.2.9']}"), known("dave").from("192.0.2.9"), Exempt, Ignore, "exempt[0]"},
	"system accounts or a user":                               {exempts("{system_accounts: true, users: [dave]}"), known("dave"), Exempt, Ignore, "exempt[0]"},
	"an unknown account is no system account":                 {exempts("{system_accounts: true}"), known("x").unknown().system(), Deny, AskThenDeny, "unknown account"},
	"exempt from a network":                                   {exempts("{users: [dave], from: [192.0.2.0/24]}"), known("dave").from("192.0.2.255"), Exempt, Ignore, "exempt[0]"},
	"not from outside of it":                                  {exempts("{users: [dave], from: [192.0.2.0/24]}"), known("dave").from("192.0.3.0"), Required, AskThenDeny, "default"},
	"nobody else from there":                                  {exempts("{users: [dave], from: [192.0.2.0/24]}"), known("eve").from("192.0.2.1"), Required, AskThenDeny, "default"},
	"a login from no host is from no network":                 {exempts("{from: [0.0.0.0/0, '::/0']}"), known("dave").from(""), Required, AskThenDeny, "default"},
	"everybody from the bastion is exempt":                    {exempts("{from: [192.0.2.9]}"), known("dave").from("192.0.2.9"), Exempt, Ignore, "exempt[0]"},
	"an unknown account from the bastion is not asked either": {exempts("{from: [192.0.2.9]}"), known("x").unknown().from("192.0.2.9"), Exempt, Ignore, "exempt[0]"},
	"an unknown account is exempt by a source, not by a name": {exempts("{users: [x], from: [192.0.2.9]}"), known("x").unknown().from("192.0.2.9"), Deny, AskThenDeny, "unknown account"},
	"an IPv4 address in IPv6 is the IPv4 address":             {exempts("{from: [192.0.2.9]}"), known("dave").from("::ffff:192.0.2.9"), Exempt, Ignore, "exempt[0]"},
	"a network in IPv6 writing is the IPv4 network":           {exempts("{from: ['::ffff:192.0.2.0/120']}"), known("dave").from("192.0.2.9"), Exempt, Ignore, "exempt[0]"},
	"an IPv4 address is not in ::/0":                          {exempts("{from: ['::/0']}"), known("dave").from("::ffff:192.0.2.9"), Required, AskThenDeny, "default"},
	"an IPv6 network":                                         {exempts("{from: ['2001:db8::/32']}"), known("dave").from("2001:DB8:0::1"), Exempt, Ignore, "exempt[0]"},
	"a link-local address without its interface":              {exempts("{from: ['fe80::1']}"), known("dave").from("fe80::1%eth0"), Exempt, Ignore, "exempt[0]"},
	"a name is compared without regard to capitals":           {exempts("{from: [bastion.example.org]}"), known("dave").from("Bastion.Example.ORG"), Exempt, Ignore, "exempt[0]"},
	"a part of a name is another name":                        {exempts("{from: [example.org]}"), known("dave").from("evil.example.org"), Required, AskThenDeny, "default"},
	"a name is never resolved":                                {exempts("{from: [localhost]}"), known("dave").from("127.0.0.1"), Required, AskThenDeny, "default"},
	"an address with more behind it is no address":            {exempts("{from: [192.0.2.9]}"), known("dave").from("192.0.2.9.example.org"), Required, AskThenDeny, "default"},
	"an exemption counts on its last day until 24:00":         {exempts("{users: [dave], until: 2026-11-20}"), known("dave").at("2026-11-20 23:59:59"), Exempt, Ignore, "exempt[0]"},
	"and not any more from then on":                           {exempts("{users: [dave], until: 2026-11-20}"), known("dave").at("2026-11-21 00:00:00"), Required, AskThenDeny, "default"},
	"an exemption that ends, and the time is not known":       {exempts("{users: [dave], until: 2026-11-20}"), known("dave"), Deny, AskThenDeny, "exempt[0]"},

	"before starts nobody is required":                   {requires("{users: [alice], starts: 2026-11-21}"), known("alice").at("2026-11-20 23:59:59"), Optional, Ignore, "default"},
	"from 00:00 of starts on he is":                      {requires("{users: [alice], starts: 2026-11-21}"), known("alice").at("2026-11-21 00:00:00"), Required, AskThenDeny, "require[0]"},
	"required on the last day":                           {requires("{users: [alice], until: 2026-11-20}"), known("alice").at("2026-11-20 23:59:59"), Required, AskThenDeny, "require[0]"},
	"and not after it":                                   {requires("{users: [alice], until: 2026-11-20}"), known("alice").at("2026-11-21 00:00:00"), Optional, Ignore, "default"},
	"until the day by he is let in without a device":     {requires("{users: [alice], by: 2026-11-20}"), known("alice").at("2026-11-20 23:59:59"), Required, Ignore, "require[0]"},
	"after the day by he is refused":                     {requires("{users: [alice], by: 2026-11-20}"), known("alice").at("2026-11-21 00:00:00"), Required, AskThenDeny, "require[0]"},
	"who has a device is asked before the day by too":    {requires("{users: [alice], by: 2026-11-20}"), known("alice").with().at(friday), Required, Ask, "require[0]"},
	"who was reset has no time until the day by":         {requires("{users: [alice], by: 2026-11-20}"), known("alice").reset().at(friday), Required, AskThenDeny, "require[0]"},
	"there is no day by where the time is not known":     {requires("{users: [alice], by: 2026-11-20}"), known("alice"), Required, AskThenDeny, "require[0]"},
	"a start, and the time is not known":                 {requires("{users: [alice], starts: 2026-11-20}"), known("alice"), Deny, AskThenDeny, "require[0]"},
	"days are those of the host: in Tokyo it is over":    {requires("{users: [alice], by: 2026-11-20}"), known("alice").in("Asia/Tokyo", "2026-11-21 00:30:00"), Required, AskThenDeny, "require[0]"},
	"days are those of the host: in New York it is not":  {requires("{users: [alice], by: 2026-11-20}"), known("alice").in("America/New_York", "2026-11-20 10:30:00"), Required, Ignore, "require[0]"},
	"a day that begins at 01:00 (Cairo puts clocks on)":  {requires("{users: [alice], starts: 2026-04-24}"), known("alice").in("Africa/Cairo", "2026-04-24 01:00:00"), Required, AskThenDeny, "require[0]"},
	"the first entry that counts is the one that counts": {requires("{users: [alice], until: 2026-11-19}", "{users: [alice], services: [sshd]}"), known("alice").at(friday), Required, AskThenDeny, "require[1]"},

	"a rule goes before require":                       {requires("{users: [alice]}") + "rules: [{users: [alice], from: [192.0.2.0/24], then: optional}]\n", known("alice"), Optional, Ignore, "rules[0]"},
	"a rule goes before default":                       {rules("{users: [dave], then: required}"), known("dave"), Required, AskThenDeny, "rules[0]"},
	"exempt goes before a rule that requires":          {exempts("{users: [dave]}") + "rules: [{users: [dave], then: required}]\n", known("dave"), Exempt, Ignore, "exempt[0]"},
	"the first rule that matches decides":              {rules("{users: [eve], then: required}", "{services: [sshd], then: exempt}", "{users: [dave], then: required}"), known("dave"), Exempt, Ignore, "rules[1]"},
	"a rule is called by its name":                     {rules("{name: office, users: [dave], then: required}"), known("dave"), Required, AskThenDeny, "rule office"},
	"a rule that exempts lets no unknown account pass": {rules("{services: [sshd], then: exempt}"), known("x").unknown(), Deny, AskThenDeny, "unknown account"},
	"users and groups of a rule: the group matches":    {rules("{users: [eve], groups: [staff], then: required}"), known("dave", "staff"), Required, AskThenDeny, "rules[0]"},
	"users and groups of a rule: nobody else matches":  {rules("{users: [eve], groups: [staff], then: required}"), known("dave"), Optional, Ignore, "default"},
	"all conditions must be met: who, but not where":   {rules("{groups: [staff], from: [10.0.0.0/8], then: exempt}"), known("dave", "staff").with(), Optional, Ask, "default"},
	"all conditions must be met: where, but not who":   {rules("{groups: [staff], from: [192.0.2.0/24], then: exempt}"), known("dave").with(), Optional, Ask, "default"},
	"all conditions must be met: both":                 {rules("{groups: [staff], from: [192.0.2.0/24], then: exempt}"), known("dave", "staff").with(), Exempt, Ignore, "rules[0]"},
	"a rule for the office whose lookup fails refuses": {rules("{groups: [broken], from: [192.0.2.0/24], then: exempt}"), known("dave").with(), Deny, AskThenDeny, "rules[0]"},
	"after a reset an optional rule requires":          {rules("{services: [sshd], then: optional}"), known("dave").reset(), Required, AskThenDeny, "rules[0]"},
	"a security key is enough":                         {rules("{ssh_auth: [security-key], then: exempt}"), known("dave").with().by("security-key"), Exempt, Ignore, "rules[0]"},
	"a plain key is not":                               {rules("{ssh_auth: [security-key], then: exempt}"), known("dave").with().by("publickey"), Optional, Ask, "default"},
	"a rule for plain keys is not about security keys": {rules("{ssh_auth: [publickey], then: required}"), known("dave").by("security-key"), Optional, Ignore, "default"},
	"a certificate in a security key is both":          {rules("{ssh_auth: [certificate], then: exempt}"), known("dave").with().by("security-key", "certificate"), Exempt, Ignore, "rules[0]"},
	"Kerberos and a password: one of them is listed":   {rules("{ssh_auth: [gssapi-with-mic], then: exempt}"), known("dave").with().by("password", "gssapi-with-mic"), Exempt, Ignore, "rules[0]"},
	"nothing was shown to sshd":                        {rules("{ssh_auth: [publickey, password], then: exempt}"), known("dave").with(), Optional, Ask, "default"},
	"at the console":                                   {rules("{tty: [console], then: exempt}"), known("dave").with().console(), Exempt, Ignore, "rules[0]"},
	"not at the console":                               {rules("{tty: [console], then: exempt}"), known("dave").with(), Optional, Ask, "default"},
	"a rule for remote terminals":                      {rules("{tty: [remote], then: required}"), known("dave"), Required, AskThenDeny, "rules[0]"},
	"is not about the console":                         {rules("{tty: [remote], then: required}"), known("dave").console(), Optional, Ignore, "default"},
	"a weekday":                                        {rules("{weekdays: [mon, fri], then: required}"), known("dave").at(friday), Required, AskThenDeny, "rules[0]"},
	"another weekday":                                  {rules("{weekdays: [mon, fri], then: required}"), known("dave").at(saturday), Optional, Ignore, "default"},
	"hours begin with their first minute":              {rules("{hours: [08:00-18:00], then: required}"), known("dave").at("2026-11-20 08:00:00"), Required, AskThenDeny, "rules[0]"},
	"and not a second before":                          {rules("{hours: [08:00-18:00], then: required}"), known("dave").at("2026-11-20 07:59:59"), Optional, Ignore, "default"},
	"hours last to the last second":                    {rules("{hours: [08:00-18:00], then: required}"), known("dave").at("2026-11-20 17:59:59"), Required, AskThenDeny, "rules[0]"},
	"and end with their end":                           {rules("{hours: [08:00-18:00], then: required}"), known("dave").at("2026-11-20 18:00:00"), Optional, Ignore, "default"},
	"hours to 24:00 last to midnight":                  {rules("{hours: [08:00-09:00, 20:00-24:00], then: required}"), known("dave").at("2026-11-20 23:59:59"), Required, AskThenDeny, "rules[0]"},
	"hours over midnight, before it":                   {rules("{hours: [22:00-06:00], then: required}"), known("dave").at("2026-11-20 22:00:00"), Required, AskThenDeny, "rules[0]"},
	"hours over midnight, after it":                    {rules("{hours: [22:00-06:00], then: required}"), known("dave").at("2026-11-21 05:59:59"), Required, AskThenDeny, "rules[0]"},
	"hours over midnight, at noon":                     {rules("{hours: [22:00-06:00], then: required}"), known("dave").at("2026-11-20 12:00:00"), Optional, Ignore, "default"},
	"Friday's night ends on Saturday at 00:00":         {rules("{weekdays: [fri], hours: [22:00-06:00], then: required}"), known("dave").at("2026-11-21 00:00:00"), Optional, Ignore, "default"},
	"and began on Friday at 00:00":                     {rules("{weekdays: [fri], hours: [22:00-06:00], then: required}"), known("dave").at("2026-11-20 05:59:59"), Required, AskThenDeny, "rules[0]"},
	"hours are those of the zone":                      {rules("{hours: [08:00-18:00], zone: Asia/Tokyo, then: required}"), known("dave").at("2026-11-20 09:59:59"), Required, AskThenDeny, "rules[0]"},
	"and not those of the host":                        {rules("{hours: [08:00-18:00], zone: Asia/Tokyo, then: required}"), known("dave").at("2026-11-20 10:00:00"), Optional, Ignore, "default"},
	"a weekday is that of the zone":                    {rules("{weekdays: [sat], zone: Asia/Tokyo, then: required}"), known("dave").at(friday), Required, AskThenDeny, "rules[0]"},
	"in spring 02:30 does not come":                    {rules("{hours: [02:00-03:00], zone: Europe/Berlin, then: required}"), known("dave").in("UTC", "2026-03-29 01:30:00"), Optional, Ignore, "default"},
	"in spring 01:59 is the minute before 03:00":       {rules("{hours: [01:00-02:00], zone: Europe/Berlin, then: required}"), known("dave").in("UTC", "2026-03-29 00:59:59"), Required, AskThenDeny, "rules[0]"},
	"in autumn 02:30 comes in summer time":             {rules("{hours: [02:00-03:00], zone: Europe/Berlin, then: required}"), known("dave").in("UTC", "2026-10-25 00:30:00"), Required, AskThenDeny, "rules[0]"},
	"in autumn 02:30 comes again in winter time":       {rules("{hours: [02:00-03:00], zone: Europe/Berlin, then: required}"), known("dave").in("UTC", "2026-10-25 01:30:00"), Required, AskThenDeny, "rules[0]"},
	"hours that exempt, and the time is not known":     {rules("{hours: [08:00-18:00], then: exempt}"), known("dave").with(), Deny, AskThenDeny, "rules[0]"},
	"hours that do not matter, and no time":            {rules("{users: [eve], hours: [08:00-18:00], then: exempt}"), known("dave").with(), Optional, Ask, "default"},
}

func TestDecisions(t *testing.T) {
	if len(decisions) < 100 {
		t.Errorf("%d decisions, want 100 at least", len(decisions))
	}
	for sentence, test := range decisions {
		t.Run(sentence, func(t *testing.T) {
			got := mustParse(t, test.config).Decide(test.facts)
			if got.Decision != test.decision || got.Action != test.action || got.Rule != test.rule {
				t.Errorf("got %v, %v by %q (%s)\nwant %v, %v by %q", got.Decision, got.Action, got.Rule, got.Reason, test.decision, test.action, test.rule)
			}
			way := mustParse(t, test.config).WayOf(test.facts.Service)
			needs := got.Decision == Required && got.Action == AskThenDeny && !test.facts.Enrolled && way != Never
			if got.NeedsDevice != needs || got.Way != way {
				t.Errorf("NeedsDevice %v, want %v; way %v, want %v", got.NeedsDevice, needs, got.Way, way)
			}
			if grace := got.Decision == Required && got.Action == Ignore; grace == got.Grace.IsZero() {
				t.Errorf("let in until %v", got.Grace)
			}
		})
	}
}

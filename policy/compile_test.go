package policy

import (
	"crypto/sha256"
	"os"
	"regexp"
	"strings"
	"testing"
)

var zeros [sha256.Size]byte

// indented finds the examples of a package comment.
func indented(t *testing.T, from, to string) string {
	t.Helper()
	src, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(src), "// "+from+"\n//\n")
	text, _, ended := strings.Cut(after, "//\n// "+to)
	if to == "" {
		text, _, ended = strings.Cut(after, "package policy")
	}
	if !found || !ended {
		t.Fatalf("the package comment has no example after %q", from)
	}
	return regexp.MustCompile(`(?m)^//\t?`).ReplaceAllString(text, "")
}

func TestTheExampleOfThePackageCommentHasTheseBytes(t *testing.T) {
	source := indented(t, "This configuration", "is compiled")
	compiled := indented(t, "after the commas, to", "")
	first, rest, _ := strings.Cut(compiled, "\n")
	compiled = first + "\n" + strings.ReplaceAll(rest, "\n", "") + "\n"
	c, err := Parse([]byte(source))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(c.Compile(zeros)); got != compiled {
		t.Errorf("got\n%swant\n%s", got, compiled)
	}
	if _, _, err := Load([]byte(compiled)); err != nil {
		t.Error(err)
	}
}

// everyKey uses each key with a value that is not the default.
const everyKey = `version: 1
enabled: false
off_until: 2026-11-21T23:30:00Z
observe: true
language: de
messages: {refused: "Nein. %CONTACT% <hilft>."}
issuer: "R&D <Ltd> Ünïcode 🔑"
contact: the IT desk, "Bob's"
help_url: https://intranet.example.org/2fa?a=1&b=2
default: deny
require:
  - {users: [alice, 'DOM\bob', user@example.org, "o'neill"], groups: [wheel, "domain admins"]}
  - {services: [sshd, systemd-user], starts: 2026-11-01, by: "2026-12-31", until: 2027-01-31}
exempt:
  - {users: ["123", "true"], services: [xrdp-sesman], until: 2026-12-31}
  - {system_accounts: true, from: [192.0.2.0/24, '2001:DB8::1', Bastion.example.org]}
rules:
  - {name: nights, users: [eve], groups: [guests], services: [sshd], from: ['::/0'], ssh_auth: [certificate, publickey], tty: [remote],
     weekdays: [sun, mon], hours: [22:00-06:00, 12:00-24:00], zone: Europe/Berlin, then: required, methods: [recovery, totp], remember: 0s, enroll: by-admin}
  - {tty: [console], then: exempt}
services: {vsftpd: {ask: appended}, cockpit: {ask: earlier}, xrdp-sesman: {ask: never}, nagios: {ask: exempt}, dovecot: {ask: prompt, enroll: false}, kiosk: {enroll: true}}
enroll: {at_login: yes, notice: false}
new_devices: {digits: 8, period: 1m30s, algorithm: SHA512}
discrepancy: 480
remember: 1.5h
shared: [198.51.100.7, '2001:db8::/32']
ssh_keys_alone: deny
open_within: 5m
methods: [recovery, totp, sms, push]
methods_default: last
sms: {provider: twilio, account_sid: AC0123456789abcdef0123456789abcdef, api_key_sid: SK0123456789abcdef0123456789abcdef, api_key_secret_file: twilio.key,
  messaging_service_sid: MG0123456789abcdef0123456789abcdef, url: "http://127.0.0.1:8080", message: "%CODE% for %ISSUER% on %HOST%, %MINUTES% min",
  digits: 8, valid_for: 10m, per_hour: 20, connect: 2s, timeout: 20s}
push: {provider: ntfy, url: "https://ntfy.example.org:8443", token_file: ntfy.token, answer_token_file: ntfy-answer.token, match_number: false,
  wait: 85s, connect: 1s, timeout: 30s}
bypass: {requesters: {users: [lena], groups: [team-leads]}, longest: 48h}
roles: {helpdesk: {groups: [helpdesk]}, auditor: {users: [oscar, "1"]}, protected: {users: [lena], groups: [sysops, "domain admins"]}}
provisioners: [twokey-signer1k7vPYNBxlL0sKWA1v8J7dzUK35I_ZwGdZkOslN1x7E4, twokey-signer1Ahj-4QKmah9yS6JVo1lzky6hsKqdNLiMrCbpYMzy3uY]
on_fault: allow-console
managed_by: ansible
mail: {server: "mail.example.org:587", from: 2fa@example.org, to: "%USER%@example.org", user: twokey, password_file: mail.password}
paths: {data: /srv/2fa, audit: /srv/log/a.jsonl, key: /srv/k, credentials: /srv/c}
`

func TestLoadGivesBackWhatWasCompiled(t *testing.T) {
	for _, src := range []string{"version: 1\n", everyKey, string(Default())} {
		c := mustParse(t, src)
		digest := sha256.Sum256([]byte(src))
		compiled := c.Compile(digest)
		loaded, got, err := Load(compiled)
		if err != nil {
			t.Fatalf("%v\n%s", err, compiled)
		}
		if got != digest {
			t.Errorf("digest %x, want %x", got, digest)
		}
		if again := loaded.Compile(digest); string(again) != string(compiled) {
			t.Errorf("got\n%swant\n%s", again, compiled)
		}
	}
}

func TestLoadRefusesEveryOtherSpelling(t *testing.T) {
	good := string(mustParse(t, everyKey).Compile(sha256.Sum256([]byte(everyKey))))
	change := func(old, new string) string {
		if strings.Count(good, old) != 1 {
			t.Fatalf("%q is not there once", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	upper := regexp.MustCompile(`sha256:[0-9a-f]+`).ReplaceAllStringFunc(good, strings.ToUpper)
	upper = strings.Replace(upper, "SHA256:", "sha256:", 1)
	bad := map[string]string{
		"nothing":                      "",
		"the first line alone":         good[:strings.Index(good, "\n")+1],
		"no last line feed":            good[:len(good)-1],
		"one more line feed":           good + "\n",
		"something behind":             good + "{}\n",
		"cut off in the middle":        good[:len(good)/2],
		"another format":               change("twokey-policy", "twokey-police"),
		"the form of before":           change("twokey-policy 4", "twokey-policy 3"),
		"the first form":               change("twokey-policy 4", "twokey-policy 1"),
		"another version of the form":  change("twokey-policy 4", "twokey-policy 5"),
		"another version of the keys":  change(`"version":1`, `"version":2`),
		"a short digest":               change("sha256:", "sha256"),
		"a digest in capitals":         upper,
		"a digest with one digit more": regexp.MustCompile(`sha256:`).ReplaceAllString(good, "sha256:0"),
		"an unknown key":               change(`"observe":true,`, `"observe":true,"x":1,`),
		"a key twice":                  change(`"observe":true,`, `"observe":true,"observe":true,`),
		"a key missing":                change(`"observe":true,`, ``),
		"keys in another order":        change(`"observe":true,"language":"de",`, `"language":"de","observe":true,`),
		"a blank":                      change(`"observe":true`, `"observe": true`),
		"YAML and not JSON":            change(`"observe":true`, `observe: true`),
		"a comment":                    good[:len(good)-1] + " # x\n",
		"another spelling of a letter": change(`"wheel"`, `"w\u0068eel"`),
		"an empty list":                change(`["wheel","domain admins"]`, `[]`),
		"a number out of range":        change(`"digits":8,"period"`, `"digits":80,"period"`),
		"a period in minutes":          change(`"period":"90s"`, `"period":"1m30s"`),
		"a name with a line feed":      change(`"wheel"`, `"whe\nel"`),
		"a negation":                   change(`"wheel"`, `"!wheel"`),
		"a day with a time":            change(`"starts":"2026-11-01"`, `"starts":"2026-11-01T00:00:00Z"`),
		"a moment of another zone":     change(`"2026-11-21T23:30:00Z"`, `"2026-11-22T00:30:00+01:00"`),
		"a time in hours":              change(`"remember":"5400s"`, `"remember":"1.5h"`),
		"services in another order":    change(`"cockpit":{"ask":"earlier"},"dovecot":{"ask":"prompt","enroll":false}`, `"dovecot":{"ask":"prompt","enroll":false},"cockpit":{"ask":"earlier"}`),
		"enroll before ask":            change(`{"ask":"prompt","enroll":false}`, `{"enroll":false,"ask":"prompt"}`),
		"at_login in another word":     change(`"at_login":"yes"`, `"at_login":true`),
		"at_login left out":            change(`"at_login":"yes",`, ``),
		"a bypass in hours":            change(`"longest":"172800s"`, `"longest":"48h"`),
		"methods_default left out":     change(`"methods_default":"last",`, ``),
		"a message's time in minutes":  change(`"valid_for":"600s"`, `"valid_for":"10m"`),
		"a message's time in words":    change(`"connect":"2s"`, `"connect":"2"`),
		"match_number left out":        change(`"match_number":false,`, ``),
		"a key of another provider":    change(`"url":"http://127.0.0.1:8080"`, `"url":"http://127.0.0.1:8080","server":"localhost:25"`),
		"a provider's key left empty":  change(`"api_key_sid"`, `"auth_token_file":"","api_key_sid"`),
		"push before sms":              regexp.MustCompile(`("sms":\{.*?\}),("push":\{.*?\})`).ReplaceAllString(good, "$2,$1"),
		"no push at all":               regexp.MustCompile(`"push":\{.*?\}`).ReplaceAllString(good, `"push":{}`),
		"a bypass without longest":     change(`,"longest":"172800s"`, ``),
		"requesters of nobody":         change(`{"users":["lena"],"groups":["team-leads"]}`, `{}`),
		"roles in another order":       change(`"helpdesk":{"groups":["helpdesk"]},"auditor":{"users":["oscar","1"]}`, `"auditor":{"users":["oscar","1"]},"helpdesk":{"groups":["helpdesk"]}`),
		"a role with groups first":     change(`{"users":["lena"],"groups":["sysops","domain admins"]}`, `{"groups":["sysops","domain admins"],"users":["lena"]}`),
		"a signer that is cut off":     change(`lN1x7E4"`, `lN1x7E"`),
		"a rule without then":          change(`,"then":"exempt"`, ``),
		"an empty message table":       change(`"messages":{"refused":"Nein. %CONTACT% \u003chilft\u003e."}`, `"messages":{}`),
		"mail left empty":              change(`"user":"twokey","password_file":"mail.password"`, `"user":"","password_file":""`),
		"a network out of range":       change(`"192.0.2.0/24"`, `"192.0.2.0/33"`),
		"a default written out":        change(`{"tty":["console"]`, `{"name":"","tty":["console"]`),
		"too long":                     good + strings.Repeat(" ", MaxCompiled),
	}
	for why, compiled := range bad {
		t.Run(why, func(t *testing.T) {
			c, digest, err := Load([]byte(compiled))
			if err == nil || c != nil || digest != zeros {
				t.Errorf("got %v, %x, error %v; want an error alone", c, digest, err)
			}
		})
	}
}

func TestLoadSaysWhatIsWrong(t *testing.T) {
	good := string(mustParse(t, everyKey).Compile(zeros))
	for compiled, want := range map[string]string{
		"twokey-policy 1" + good[15:]:                      "the first line is of another format or version",
		strings.Replace(good, "00000000", "", 1):           "the first line has no SHA-256 digest",
		strings.Replace(good, "00000000", "0000000000", 1): "the first line has no SHA-256 digest",
		good + strings.Repeat(" ", MaxCompiled):            "the limit is 8388608",
		strings.Replace(good, `"deny"`, `"no"`, 1):         "want required, optional, exempt or deny",
		strings.Replace(good, `"observe":true,`, "", 1):    "not written by twokey, or damaged",
	} {
		if _, _, err := Load([]byte(compiled)); err == nil || !strings.HasPrefix(err.Error(), "compiled policy: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// What is accepted as a source must also be accepted when it is compiled, however
// much longer it becomes. The less-than sign grows most: 2 bytes to 9.
func TestASourceGrowsByLessThanTheCapsAllow(t *testing.T) {
	for _, item := range []string{"{users: [a]},", "{users: [<]},", "{users: [" + strings.Repeat("<,", 500) + "]},"} {
		src := "version: 1\nrequire: [" + strings.Repeat(item, 20000/len(item)) + "]\n"
		compiled := mustParse(t, src).Compile(zeros)
		if grown := float64(len(compiled)) / float64(len(src)); grown > MaxCompiled/MaxSource {
			t.Errorf("%.20s grows to %.1f times its size", item, grown)
		}
	}
}

func mustParse(t *testing.T, src string) *Config {
	t.Helper()
	c, err := Parse([]byte(src))
	if err != nil {
		t.Fatalf("%v in\n%s", err, src)
	}
	return c
}

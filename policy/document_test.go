package policy

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// document is the compiled form's second line as encoding/json writes it: the keys in the order of the package comment.
type document struct {
	Version  int                `json:"version"`
	Enabled  bool               `json:"enabled"`
	OffUntil time.Time          `json:"off_until,omitzero"`
	Observe  bool               `json:"observe"`
	Language string             `json:"language"`
	Messages map[Message]string `json:"messages,omitempty"`
	Issuer   string             `json:"issuer"`
	Contact  string             `json:"contact"`
	HelpURL  string             `json:"help_url"`
	Default  string             `json:"default"`
	Require  []Entry            `json:"require,omitempty"`
	Exempt   []Entry            `json:"exempt,omitempty"`
	Rules    []Rule             `json:"rules,omitempty"`
	Services map[string]wayLine `json:"services,omitempty"`
	Enroll   enrollLine         `json:"enroll"`

	NewDevices   deviceLine `json:"new_devices"`
	Discrepancy  int        `json:"discrepancy"`
	Remember     string     `json:"remember"`
	Shared       []string   `json:"shared,omitempty"`
	SSHKeysAlone string     `json:"ssh_keys_alone"`
	OpenWithin   string     `json:"open_within"`
	Methods      []string   `json:"methods"`

	MethodsDefault string `json:"methods_default"`
	SMS            *SMS   `json:"sms,omitempty"`
	Push           *Push  `json:"push,omitempty"`

	Bypass       bypassLine `json:"bypass"`
	Roles        rolesLine  `json:"roles,omitzero"`
	Provisioners []string   `json:"provisioners,omitempty"`
	OnFault      string     `json:"on_fault"`
	ManagedBy    string     `json:"managed_by"`
	Mail         Mail       `json:"mail,omitzero"`
	Paths        Paths      `json:"paths"`
}

type enrollLine struct {
	AtLogin string `json:"at_login"`
	Notice  bool   `json:"notice"`
}

type bypassLine struct {
	Requesters Who    `json:"requesters,omitzero"`
	Longest    string `json:"longest"`
}

type rolesLine struct {
	Helpdesk  Who `json:"helpdesk,omitzero"`
	Auditor   Who `json:"auditor,omitzero"`
	Protected Who `json:"protected,omitzero"`
}

// deviceLine is NewDevices with the period as it is written: "30s".
type deviceLine struct {
	Digits    int    `json:"digits"`
	Period    string `json:"period"`
	Algorithm string `json:"algorithm"`
}

func (c *Config) document() document {
	doc := document{
		Version: 1, Enabled: !c.Off, OffUntil: c.OffUntil, Observe: c.Observe, Language: c.Language, Messages: c.Messages,
		Issuer: c.Issuer, Contact: c.Contact, HelpURL: c.HelpURL, Default: c.Default.String(), Require: c.Require, Exempt: c.Exempt, Rules: c.Rules,
		Services: map[string]wayLine{}, Enroll: enrollLine{c.AtLogin, c.Notice},
		NewDevices:  deviceLine{c.NewDevices.Digits, seconds(c.NewDevices.Period), c.NewDevices.Algorithm},
		Discrepancy: c.Discrepancy, Remember: seconds(c.Remember), Shared: c.Shared, SSHKeysAlone: c.SSHKeysAlone,
		OpenWithin: seconds(c.OpenWithin), Methods: c.Methods, MethodsDefault: c.MethodsDefault,
		SMS: c.SMS, Push: c.Push,
		Bypass: bypassLine{c.Bypass.Requesters, seconds(c.Bypass.Longest)}, Roles: rolesLine(c.Roles), Provisioners: c.Provisioners,
		OnFault: c.OnFault, ManagedBy: c.ManagedBy, Mail: c.Mail, Paths: c.Paths,
	}
	for service, way := range c.Services {
		doc.Services[service] = wayLine{Ask: way.String()}
	}
	for service, can := range c.EnrollOn {
		doc.Services[service] = wayLine{doc.Services[service].Ask, &can}
	}
	return doc
}

// compiledByLibrary is what Compile must give.
func compiledByLibrary(t *testing.T, c *Config, digest [sha256.Size]byte) string {
	t.Helper()
	line, err := json.Marshal(c.document())
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s%x\n%s\n", firstLine, digest, line)
}

func checkCompiled(t *testing.T, c *Config) {
	t.Helper()
	if got, want := string(c.Compile(zeros)), compiledByLibrary(t, c, zeros); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestThePolicyIsCompiledAsEncodingJSONWouldWriteIt(t *testing.T) {
	for what, c := range map[string]*Config{
		"nothing at all":            {},
		"the defaults":              mustParse(t, "version: 1\n"),
		"the initial configuration": mustParse(t, string(Default())),
		"every key":                 mustParse(t, everyKey),
		"lists of nothing":          {Require: []Entry{{}}, Exempt: []Entry{}, Rules: []Rule{}, Shared: []string{}, Methods: []string{}, Provisioners: []string{}},
		"entries of nothing":        {Require: []Entry{{Users: []string{}}, {}, {From: []string{""}}}, Exempt: []Entry{{SystemAccounts: true}, {Until: Date{2026, 12, 31}}}},
		"requesters that are none":  {Bypass: Bypass{Requesters: Who{Users: []string{}}}},
		"roles that are none":       {Roles: Roles{Auditor: Who{Groups: []string{}}}},
		"one role of three":         {Roles: Roles{Protected: Who{Users: []string{"a", "b"}}}},
		"a service of both":         {Services: map[string]Way{"b": Never, "a": Prompt}, EnrollOn: map[string]bool{"b": true, "c": false}},
		"mail without a login":      {Mail: Mail{To: "%USER%@example.org"}},
		"numbers below zero":        {Discrepancy: -1, Remember: -time.Second, NewDevices: NewDevices{Digits: -7}},
		"rules of nothing":          {Rules: []Rule{{}, {Weekdays: []time.Weekday{time.Sunday}, Hours: []Hours{{0, 1440}, {1320, 360}}}, {Remember: new(time.Duration), EnrollByAdmin: true}}},
		"a time":                    {OffUntil: time.Date(2026, 11, 21, 23, 30, 0, 0, time.UTC)},
	} {
		t.Run(what, func(t *testing.T) { checkCompiled(t, c) })
	}
}

// spellings are texts of which JSON has more than one spelling, or none.
var spellings = []string{"", "a", "ü", "\"", "\\", "/", "<", ">", "&", "\u2028\u2029", "\x00\x1f", "\x7f", "\xff\xfe", "\xc3", "\ufffd", "🔑", "\b\f\n\r\t", "'", "~ !"}

func TestThereAreSpellings(t *testing.T) {
	if len(spellings) != 19 {
		t.Errorf("%d spellings", len(spellings))
	}
}

func FuzzCompile(f *testing.F) {
	for i, text := range spellings {
		f.Add(text, spellings[len(spellings)-1-i], i, i%2 == 0)
	}
	f.Fuzz(func(t *testing.T, one, two string, n int, is bool) {
		both := []string{one, two}
		checkCompiled(t, &Config{
			Off: is, Observe: !is, Language: one, Messages: map[Message]string{Message(one): two}, Issuer: one, Contact: two, HelpURL: one, Default: Decision(n),
			Require: []Entry{{Users: both, SystemAccounts: is}, {Groups: both[:1]}}, Exempt: []Entry{{Services: both, From: both}},
			Rules: []Rule{{Name: one, TTY: both, Zone: two, SSHAuth: both, From: both}, {Users: both, Groups: both, Services: both, Methods: both, Then: Decision(n)}}, Services: map[string]Way{one: Never, two: Earlier}, EnrollOn: map[string]bool{two: is},
			AtLogin: one, Notice: is, NewDevices: NewDevices{n, time.Duration(n), two}, Discrepancy: n, Remember: time.Duration(n), Shared: both,
			MethodsDefault: one, SSHKeysAlone: two, OpenWithin: time.Duration(n), Methods: both, Bypass: Bypass{Requesters: Who{Users: both}},
			Roles: Roles{Helpdesk: Who{Groups: both}}, Provisioners: both, OnFault: one, ManagedBy: two,
			Mail: Mail{Server: one, User: two}, Paths: Paths{one, two, one, two},
		})
	})
}

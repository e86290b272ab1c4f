package policy

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMust1ZeroValuesRefuse(t *testing.T) {
	var none *Config
	for name, got := range map[string]Outcome{
		"the zero Outcome": {},
		"the zero Config":  new(Config).Decide(known("alice").with()),
		"no Config":        none.Decide(known("alice").with()),
	} {
		if got.Action != AskThenDeny || got.Decision != Deny || got.Observe {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if none.AsksNobody(Facts{Service: "cron"}) || Decision(99).String() != "deny" || Action(99).String() != "ask then deny" {
		t.Error("something without a meaning is not the strictest")
	}
	if got := (&Config{Default: 99}).Decide(known("alice").with()); got.Action != AskThenDeny {
		t.Errorf("a decision that does not exist: %+v", got)
	}
}

func TestMust3OnlyTheSwitchOrAnExemptionOfEverybodyLetsAnUnknownAccountPass(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 1))
	passed := map[string]int{}
	for range 5000 {
		c, f := anyConfig(random), anyFacts(random).unknown()
		out := c.Decide(f)
		if out.Action == AskThenDeny {
			continue
		}
		var i int
		_, err := fmt.Sscanf(out.Rule, "exempt[%d]", &i)
		if out.Rule != "switched off" && out.Rule != "service exempt" && (err != nil || !c.Exempt[i].everybody()) {
			t.Fatalf("an unknown account passes: %+v\n%s%+v", out, c.Compile(zeros), f)
		}
		passed[out.Rule]++
	}
	if passed["switched off"] < 100 || passed["service exempt"] < 100 || passed["exempt[0]"] < 50 {
		t.Errorf("too few cases of a kind: %v", passed)
	}
}

func TestMust4WhatHasNoConditionsMatchesNobody(t *testing.T) {
	c := Config{Default: Required, Exempt: []Entry{{}}}
	if got := c.Decide(known("dave")); got.Action != AskThenDeny || c.AsksNobody(Facts{Service: "sshd"}) || c.AsksNobody(Facts{Service: ""}) {
		t.Errorf("%+v", got)
	}
	c = Config{Default: Required, Rules: []Rule{{Then: Exempt}}}
	if got := c.Decide(known("dave")); got.Action != AskThenDeny || c.AsksNobody(known("dave")) {
		t.Errorf("%+v", got)
	}
	c = Config{Default: Exempt, Require: []Entry{{}}}
	if got := c.Decide(known("dave")); got.Rule != "default" {
		t.Errorf("%+v", got)
	}
}

func TestMust5AResetUserDoesNotGetInWithoutADevice(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 1))
	for range 2000 {
		c, f := anyConfig(random), anyFacts(random).reset()
		f.Enrolled = false
		if out := c.Decide(f); out.Action == Ask || out.Action == Ignore && out.Decision != Exempt {
			t.Fatalf("%+v\n%s%+v", out, c.Compile(zeros), f)
		}
	}
}

// Must 2, and that nobody is refused for a lookup that does not matter: with
// failing lookups the action is the one that every combination of answers leads
// to, or a refusal if they lead to different ones.
func TestMust2AFailedLookupIsNeverLaxerThanAnAnswer(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 1))
	counts := map[string]int{}
	for range 5000 {
		c, f := anyConfig(random), anyFacts(random)
		failing, answers := groupNames[:random.IntN(len(groupNames)+1)], f.InGroup
		actions, least := map[Action]bool{}, Outcome{Methods: Methods(), Remember: time.Hour * 1000, Enroll: true}
		for bits := range 1 << len(failing) {
			f.InGroup = func(g string) (bool, error) {
				if i := slices.Index(failing, g); i >= 0 {
					return bits>>i&1 == 1, nil
				}
				return answers(g)
			}
			out := c.Decide(f)
			actions[out.Action] = true
			least = atMost(least, out)
		}
		f.InGroup = func(g string) (bool, error) {
			if slices.Contains(failing, g) {
				return random.IntN(2) == 0, errors.New("down") // an answer beside an error is none
			}
			return answers(g)
		}
		got := c.Decide(f)
		switch {
		case len(actions) > 1 && got.Action != AskThenDeny:
			t.Fatalf("the answers lead to %v, without them: %+v\n%s%+v", actions, got, c.Compile(zeros), f)
		case len(actions) > 1 && (got.Decision != Deny || !strings.HasPrefix(got.Reason, "group lookup failed: ")):
			t.Fatalf("refused for a lookup, but says %+v", got)
		case got.Action == Ask && (!allIn(got.Methods, least.Methods) || got.Remember > least.Remember || least.EnrollByAdmin && !got.EnrollByAdmin):
			t.Fatalf("asked with more than every answer gives: %+v\n%+v", got, least)
		case got.Enroll && !least.Enroll:
			t.Fatalf("enrols where not every answer lets him: %+v\n%s%+v", got, c.Compile(zeros), f)
		case len(actions) == 1 && !actions[got.Action]:
			t.Fatalf("every answer leads to %v, without one: %+v\n%s%+v", actions, got, c.Compile(zeros), f)
		}
		counts[fmt.Sprint(len(actions) > 1, len(failing) > 0)]++
		counts[fmt.Sprint("enrols ", got.Enroll)]++
	}
	if counts["true true"] < 200 || counts["false true"] < 200 || counts["enrols true"] < 200 {
		t.Errorf("too few cases of a kind: %v", counts)
	}
}

// atMost is what both outcomes have.
func atMost(a, b Outcome) Outcome {
	a.Methods = slices.DeleteFunc(slices.Clone(a.Methods), func(m string) bool { return !slices.Contains(b.Methods, m) })
	a.Remember, a.EnrollByAdmin, a.Enroll = min(a.Remember, b.Remember), a.EnrollByAdmin || b.EnrollByAdmin, a.Enroll && b.Enroll
	return a
}

// Must 2 for the time: without one, nobody gets in whom any hour or day would have stopped.
func TestMust2NoTimeIsNeverLaxerThanATime(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 2))
	let := 0
	for range 500 {
		c, f := anyConfig(random), anyFacts(random)
		now := f.Time
		f.Time = time.Time{}
		got := c.Decide(f)
		if got.Action == AskThenDeny {
			continue
		}
		let++
		for step := range 48 {
			f.Time = now.Add(time.Duration(step-24) * 2 * time.Hour)
			if at := c.Decide(f); at.Action != got.Action {
				t.Fatalf("without a time %+v\nat %v %+v\n%s", got, f.Time, at, c.Compile(zeros))
			}
		}
	}
	if let < 75 {
		t.Errorf("only %d were not refused", let)
	}
}

// The names of which random policies are made. A group stands in one entry or rule at
// most: else two lookups of one group hang together, and refusing is stricter than
// the combinations of answers show.
var (
	userNames    = []string{"alice", "bob", "carol"}
	groupNames   = []string{"g1", "g2", "g3", "g4"}
	serviceNames = []string{"sshd", "sudo", "cron", "door"}
	placeNames   = []string{"192.0.2.0/24", "2001:db8::/32", "bastion.example.org"}
)

// A maker makes random policies of the names.
type maker struct {
	*rand.Rand
	groups []string // that no entry has yet
}

func (m *maker) some(names []string) []string {
	if m.IntN(2) == 0 {
		return nil
	}
	return names[m.IntN(len(names)):]
}

func (m *maker) someGroups() []string {
	n := m.IntN(2)
	if n > len(m.groups) {
		return nil
	}
	var taken []string
	taken, m.groups = m.groups[:n], m.groups[n:]
	return taken
}

func (m *maker) entry() Entry {
	e := Entry{Users: m.some(userNames), Groups: m.someGroups(), Services: m.some(serviceNames)}
	if m.IntN(5) == 0 {
		e.Until = Date{2026, 11, 19 + m.IntN(3)}
	}
	return e
}

func (m *maker) rule() Rule {
	r := Rule{Users: m.some(userNames), Groups: m.someGroups(), Services: m.some(serviceNames), Then: Decision(m.IntN(4))}
	switch m.IntN(8) {
	case 0:
		r.From = m.some(placeNames)
	case 1:
		r.Weekdays = []time.Weekday{time.Friday}
	case 2:
		r.Hours, r.Zone = []Hours{{600, 120}}, "Asia/Tokyo"
	case 3:
		r.SSHAuth = []string{"publickey"}
	case 4:
		r.TTY = []string{"console"}
	}
	if m.IntN(2) == 0 {
		r.Methods = []string{"totp", "recovery"}
	}
	if within := time.Duration(m.IntN(3)) * time.Hour; within > 0 {
		r.Remember = &within
	}
	r.EnrollByAdmin = m.IntN(3) == 0
	return r
}

func anyConfig(random *rand.Rand) *Config {
	m := maker{random, slices.Clone(groupNames)}
	c := defaults()
	c.Off = random.IntN(10) == 0
	c.Default = Decision(random.IntN(4))
	c.Remember = time.Duration(random.IntN(3)) * time.Hour
	c.Shared = m.some(placeNames[:2])
	c.Services = map[string]Way{"door": Way(random.IntN(5))}
	for range random.IntN(3) {
		e := m.entry()
		e.SystemAccounts, e.From = random.IntN(4) == 0, m.some(placeNames)
		c.Exempt = append(c.Exempt, e)
	}
	for range random.IntN(3) {
		c.Rules = append(c.Rules, m.rule())
	}
	for range random.IntN(3) {
		e := m.entry()
		if random.IntN(4) == 0 {
			e.By = Date{2026, 11, 19 + random.IntN(3)}
		}
		c.Require = append(c.Require, e)
	}
	return &c
}

func anyFacts(random *rand.Rand) Facts {
	var member []string
	for _, g := range groupNames {
		if random.IntN(3) == 0 {
			member = append(member, g)
		}
	}
	f := known(append(userNames, "dave")[random.IntN(4)], member...).at(friday)
	f.Time = f.Time.Add(time.Duration(random.IntN(48)) * time.Hour)
	f.Known, f.System = random.IntN(10) > 0, random.IntN(5) == 0
	f.Service = serviceNames[random.IntN(len(serviceNames))]
	f.RHost = []string{"192.0.2.7", "2001:db8::7", "bastion.example.org", ""}[random.IntN(4)]
	f.Console = f.RHost == "" && random.IntN(2) == 0
	f.SSHAuth = []string{"publickey", "password"}[:random.IntN(3)]
	f.Enrolled, f.MustEnroll = random.IntN(2) == 0, random.IntN(4) == 0
	return f
}

func TestMust6ExplainAgreesWithDecide(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 1))
	for range 2000 {
		c, f := anyConfig(random), anyFacts(random)
		if random.IntN(2) == 0 {
			f.InGroup = nil
		}
		out, steps := c.Decide(f), c.Explain(f)
		if len(steps) != len(c.Exempt)+len(c.Require)+len(c.Rules)+4 {
			t.Fatalf("%d steps: %+v", len(steps), steps)
		}
		unknown, decided := 0, ""
		for _, s := range steps {
			switch {
			case decided != "" && s.Match != NotReached, decided == "" && s.Match == NotReached, s.Why == "":
				t.Fatalf("%+v", steps)
			case s.Match == Yes:
				decided = s.Rule
			case s.Match == Unknown:
				unknown++
			}
		}
		if unknown == 0 && out.Rule != decided {
			t.Fatalf("decided by %q\n%+v\n%+v", decided, out, steps)
		}
	}
}

func TestMust7DenyGoesBeforeExemptAndLeavesAloneWhatIsNoLogin(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 1))
	denied, left := 0, 0
	for range 3000 {
		c, f := anyConfig(random), anyFacts(random)
		c.Off = false
		deny := Rule{Users: []string{f.User}, Then: Deny}
		if random.IntN(2) == 0 {
			deny.Services = []string{f.Service}
		}
		c.Rules, f.Known = append([]Rule{deny}, c.Rules...), true
		out := c.Decide(f)
		if deny.Services == nil && c.WayOf(f.Service) == NotALogin {
			if left++; out.Rule == "rules[0]" {
				t.Fatalf("%+v\n%s%+v", out, c.Compile(zeros), f)
			}
			continue
		}
		if denied++; out.Decision != Deny || out.Action != AskThenDeny {
			t.Fatalf("%+v\n%s%+v", out, c.Compile(zeros), f)
		}
	}
	if denied < 1000 || left < 200 {
		t.Errorf("%d denied, %d left alone", denied, left)
	}
}

func TestMust8AsksNobodyMeansEverybody(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 1))
	nobody := 0
	for range 1000 {
		c, f := anyConfig(random), anyFacts(random)
		if !c.AsksNobody(f) {
			continue
		}
		nobody++
		for range 10 {
			somebody := anyFacts(random)
			somebody.Known, somebody.Service, somebody.RHost, somebody.Time = true, f.Service, f.RHost, f.Time
			somebody.Console, somebody.SSHAuth = f.Console, f.SSHAuth
			if out := c.Decide(somebody); out.Action != Ignore || out.Decision != Exempt {
				t.Fatalf("%+v\n%s%+v", out, c.Compile(zeros), somebody)
			}
		}
	}
	if nobody < 100 {
		t.Errorf("only %d cases in which nobody is asked", nobody)
	}
}

func TestMust9NothingIsRememberedInSudoNorFromASharedSource(t *testing.T) {
	c := mustParse(t, "version: 1\nremember: 12h\nshared: [198.51.100.0/24, '2001:db8::7']\ndefault: required\n")
	for why, test := range map[string]struct {
		facts Facts
		want  time.Duration
	}{
		"sshd":                        {known("dave").with(), 12 * time.Hour},
		"no host":                     {known("dave").with().from(""), 12 * time.Hour},
		"a service of one's own":      {known("dave").with().on("sudoku"), 12 * time.Hour},
		"sudo":                        {known("dave").with().on("sudo"), 0},
		"sudo -i":                     {known("dave").with().on("sudo-i"), 0},
		"polkit":                      {known("dave").with().on("polkit-1"), 0},
		"su":                          {known("dave").with().on("su"), 0},
		"su -l":                       {known("dave").with().on("su-l"), 0},
		"doas":                        {known("dave").with().on("doas"), 0},
		"runuser":                     {known("dave").with().on("runuser"), 0},
		"a shared network":            {known("dave").with().from("198.51.100.99"), 0},
		"written as IPv6":             {known("dave").with().from("::ffff:198.51.100.99"), 0},
		"a shared IPv6 address":       {known("dave").with().from("2001:db8:0::7"), 0},
		"its neighbour":               {known("dave").with().from("2001:db8::8"), 12 * time.Hour},
		"a name, which may be shared": {known("dave").with().from("gate.example.org"), 0},
	} {
		if got := c.Decide(test.facts); got.Remember != test.want || got.Action != Ask {
			t.Errorf("%s: %+v", why, got)
		}
	}
}

// Everything that lets somebody by elsewhere stands in the policy, for a user with a device.
func TestMust10WhoIsEnrolledIsAskedWhereHisDevicesAreChanged(t *testing.T) {
	for sentence, config := range map[string]string{
		"nothing is said":                  "",
		"he is exempt":                     "exempt: [{users: [dave]}]\n",
		"he is exempt by his group":        "exempt: [{groups: [staff]}]\n",
		"he is exempt there":               "exempt: [{users: [dave], services: [twokey-self]}]\n",
		"everybody is exempt there":        "exempt: [{services: [twokey-self]}]\n",
		"system accounts are exempt":       "exempt: [{system_accounts: true}]\n",
		"a rule exempts him":               "rules: [{users: [dave], then: exempt}]\n",
		"a rule exempts everybody there":   "rules: [{services: [twokey-self], then: exempt}]\n",
		"the default exempts":              "default: exempt\n",
		"the default denies":               "default: deny\n",
		"he is required":                   "require: [{users: [dave]}]\n",
		"nobody is refused elsewhere":      "observe: true\n",
		"it is switched off":               "enabled: false\n",
		"it is switched off for a while":   "off_until: 2026-11-20T17:00:00Z\n",
		"successes are remembered":         "remember: 12h\n",
		"a lookup fails that nobody needs": "exempt: [{groups: [broken]}]\n",
	} {
		c := mustParse(t, "version: 1\n"+config)
		f := known("dave", "staff").with().on(SelfService)
		f.System = true
		got := c.Decide(f)
		if got.Action != Ask || got.Decision != Optional || got.Way != Prompt || got.Observe || got.Remember != 0 || got.Rule != "service twokey-self" || !slices.Equal(got.Methods, Methods()) {
			t.Errorf("%s: %+v", sentence, got)
		}
		if c.AsksNobody(f) {
			t.Errorf("%s: nobody is asked", sentence)
		}
	}
	for sentence, c := range map[string]struct {
		rules string
		want  []string
	}{
		"a rule about him":                  {"{users: [dave], then: required, methods: [totp, recovery]}", []string{"totp", "recovery"}},
		"a rule about him at sshd":          {"{users: [dave], services: [sshd], then: required, methods: [totp]}", []string{"totp"}},
		"a rule about him at this":          {"{users: [dave], services: [twokey-self], then: required, methods: [totp]}", []string{"totp"}},
		"a rule about his group":            {"{groups: [staff], then: optional, methods: [totp]}", []string{"totp"}},
		"a rule about all from elsewhere":   {"{from: [192.0.2.0/24], then: required, methods: [totp, hotp]}", []string{"totp", "hotp"}},
		"a rule, who knows about whom":      {"{groups: [broken], then: required, methods: [totp]}", []string{"totp"}},
		"two rules":                         {"{users: [dave], tty: [remote], then: required, methods: [totp, sms]}, {groups: [staff], then: required, methods: [sms, totp, hotp]}", []string{"totp", "sms"}},
		"a rule behind one for everything":  {"{users: [dave], then: required, methods: [totp, sms]}, {groups: [staff], then: required, methods: [totp]}", []string{"totp", "sms"}},
		"a rule behind one for all methods": {"{users: [dave], then: optional}, {groups: [staff], then: required, methods: [totp]}", []string{"totp", "hotp", "recovery", "sms"}},
		"a rule behind one for some hours":  {"{users: [dave], hours: ['08:00-18:00'], zone: UTC, then: required, methods: [totp, sms]}, {groups: [staff], then: required, methods: [totp]}", []string{"totp"}},
		"a rule about others":               {"{users: [mary], then: required, methods: [totp]}", []string{"totp", "hotp", "recovery", "sms"}},
		"a rule about another group":        {"{groups: [wheel], then: required, methods: [totp]}", []string{"totp", "hotp", "recovery", "sms"}},
		"a rule that names no methods":      {"{users: [dave], then: required}", []string{"totp", "hotp", "recovery", "sms"}},
		"rules that share none":             {"{users: [dave], services: [sshd], then: required, methods: [totp]}, {users: [dave], services: [su], then: required, methods: [hotp]}", nil},
	} {
		p := mustParse(t, "version: 1\nmethods: [totp, hotp, recovery, sms]\nrules: ["+c.rules+"]\n")
		want := Ask
		if c.want == nil {
			want = AskThenDeny
		}
		if got := p.Decide(known("dave", "staff").with().on(SelfService)); got.Action != want || got.Decision != Optional || !slices.Equal(got.Methods, c.want) {
			t.Errorf("%s: %+v", sentence, got)
		}
	}
	// A policy that no file can have.
	c := &Config{Services: map[string]Way{SelfService: NotALogin}, Methods: []string{"totp"}}
	if got := c.Decide(known("dave").with().on(SelfService)); got.Action != Ask || got.Way != Prompt {
		t.Errorf("%+v", got)
	}
}

func TestMust11WhoMayEnrolAtThisLogin(t *testing.T) {
	const required = "default: required\n"
	for sentence, test := range map[string]struct {
		config string
		facts  Facts
		want   bool
	}{
		"who is required and has no device":          {required, known("dave"), true},
		"by an entry":                                {"require: [{users: [dave]}]\n", known("dave"), true},
		"by a rule":                                  {"rules: [{users: [dave], then: required}]\n", known("dave"), true},
		"on the console":                             {required, known("dave").console().on("login"), true},
		"where at_login is yes":                      {required + "enroll: {at_login: 'yes'}\n", known("dave"), true},
		"who was reset and is required":              {required, known("dave").reset(), true},
		"who was reset and is optional":              {"", known("dave").reset(), true},
		"who was reset before the day by":            {"require: [{users: [dave], by: 2026-11-30}]\n", known("dave").reset().at(friday), true},
		"after the day by":                           {"require: [{users: [dave], by: 2026-11-19}]\n", known("dave").at(friday), true},
		"required by an entry or by the default":     {required + "require: [{groups: [broken]}]\n", known("dave"), true},
		"not where at_login is no":                   {required + "enroll: {at_login: 'no'}\n", known("dave"), false},
		"not with a device":                          {required, known("dave").with(), false},
		"not who has a device and was reset":         {required, known("dave").with().reset(), false},
		"not who is optional":                        {"", known("dave"), false},
		"not who is exempt":                          {"exempt: [{users: [dave]}]\n" + required, known("dave"), false},
		"not who was reset and is exempt":            {"exempt: [{users: [dave]}]\n" + required, known("dave").reset(), false},
		"not who is denied":                          {"rules: [{users: [dave], then: deny}]\n" + required, known("dave"), false},
		"not where the default denies":               {"default: deny\n", known("dave"), false},
		"not who was reset and is denied":            {"default: deny\n", known("dave").reset(), false},
		"not while the day by is not over":           {"require: [{users: [dave], by: 2026-11-30}]\n", known("dave").at(friday), false},
		"not where an administrator must":            {"rules: [{users: [dave], then: required, enroll: by-admin}]\n", known("dave"), false},
		"not where one cannot":                       {required, known("dave").on("gdm-password"), false},
		"not where services says so":                 {required + "services: {sshd: {enroll: false}}\n", known("dave"), false},
		"not with one field":                         {required + "services: {sshd: {ask: appended}}\n", known("dave"), false},
		"not where it cannot ask":                    {required + "services: {sshd: {ask: never}}\n", known("dave"), false},
		"not with an earlier success":                {required + "services: {sshd: {ask: earlier}}\n", known("dave"), false},
		"not an account that does not exist":         {required, known("dave").unknown(), false},
		"not when it is switched off":                {required + "enabled: false\n", known("dave"), false},
		"not while nobody is refused anyway":         {required + "observe: true\n", known("dave"), false},
		"not where it cannot be told who is denied":  {required + "rules: [{groups: [broken], then: deny}]\n", known("dave"), false},
		"not where it cannot be told who must":       {"require: [{groups: [broken]}]\n", known("dave"), false},
		"not if an administrator perhaps must do it": {required + "rules: [{groups: [broken], then: required, enroll: by-admin}]\n", known("dave"), false},
		"not where one proves who one is":            {required, known("dave").on(SelfService), false},
	} {
		got := mustParse(t, "version: 1\n"+test.config).Decide(test.facts)
		if got.Enroll != test.want || got.Enroll && (got.Action != AskThenDeny || !got.NeedsDevice || got.Decision != Required) {
			t.Errorf("%s: %+v", sentence, got)
		}
	}
	for _, word := range []string{"", "Yes", "true"} {
		if got := (&Config{Default: Required, AtLogin: word}).Decide(known("dave")); got.Enroll {
			t.Errorf("at_login %q: %+v", word, got)
		}
	}
}

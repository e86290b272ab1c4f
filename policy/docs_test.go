package policy

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// document is docs/policy.md.
func readDocument(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A situation is a part of a configuration and the logins that the document decides by it.
type situation struct {
	heading string
	source  string
	logins  [][]string // who, where, decision, what happens
}

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```\n(.*)")

// situations cuts the document at its headings and its blocks.
func situations(text string) []situation {
	var all []situation
	heading := ""
	for _, section := range regexp.MustCompile(`(?m)^#+ `).Split(text, -1) {
		heading, _, _ = strings.Cut(section, "\n")
		for found := yamlBlock.FindStringSubmatch(section); found != nil; found = yamlBlock.FindStringSubmatch(found[2]) {
			rest, _, _ := strings.Cut(found[2], "```")
			all = append(all, situation{heading, found[1], tableRows(rest, "| who | where | decision | what happens |")})
		}
	}
	return all
}

// tableRows are the cells below the first line of a table.
func tableRows(text, head string) [][]string {
	_, below, found := strings.Cut(text, head+"\n")
	if !found {
		return nil
	}
	var rows [][]string
	for line := range strings.Lines(below) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(strings.Trim(line, "|\n"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows[1:] // the line under the head
}

// loadBlock reads a block as it would stand in the file.
func loadBlock(source string) (*Config, error) {
	if !strings.HasPrefix(source, "version:") {
		source = "version: 1\n" + source
	}
	return Parse([]byte(source))
}

func TestEverySituationOfTheDocumentIsDecidedAsItSays(t *testing.T) {
	all := situations(readDocument(t))
	numbered, logins := 0, 0
	for i, s := range all {
		another := i == 0 || all[i-1].heading != s.heading
		if another && regexp.MustCompile(`^\d+\. `).MatchString(s.heading) {
			numbered++
			if !strings.HasPrefix(s.heading, fmt.Sprintf("%d. ", numbered)) {
				t.Errorf("situation %d is called %q", numbered, s.heading)
			}
		}
		c, err := loadBlock(s.source)
		if err != nil {
			t.Errorf("%s: %v", s.heading, err)
			continue
		}
		if len(s.logins) == 0 {
			t.Errorf("%s: no login is decided by this block", s.heading)
		}
		for _, login := range s.logins {
			logins++
			checkLogin(t, s.heading, c, login)
		}
	}
	if numbered != 29 || len(all) != 38 || logins != 115 {
		t.Errorf("%d situations in %d blocks with %d logins: some are not found, or not counted here", numbered, len(all), logins)
	}
}

// checkLogin decides one line of a table.
func checkLogin(t *testing.T, heading string, c *Config, cells []string) {
	t.Helper()
	facts, err := factsOf(cells[0], cells[1])
	if err != nil {
		t.Errorf("%s: %v", heading, err)
		return
	}
	out := c.Decide(facts)
	if code := strings.HasSuffix(cells[0], ", with a code"); out.Enroll && (code || c.AtLogin == AtLoginYes) {
		out.Action = enrols
	}
	if got := fmt.Sprintf("%s (%s)", out.Decision, out.Rule); got != cells[2] {
		t.Errorf("%s: %s at %s is %s, and not %s", heading, cells[0], cells[1], got, cells[2])
	}
	if got := whatHappens(c, out); got != cells[3] {
		t.Errorf("%s: %s at %s is %s, and not %s", heading, cells[0], cells[1], got, cells[3])
	}
}

// enrols stands for an action that the login makes of AskThenDeny.
const enrols Action = 99

// whatHappens says an outcome as the document does.
func whatHappens(c *Config, o Outcome) string {
	switch {
	case o.Action == enrols:
		return "enrols, then let in"
	case o.Action == Ignore && !o.Grace.IsZero():
		return "let in until " + DateOf(o.Grace.Add(-time.Nanosecond)).String()
	case o.Action == Ignore:
		return "let in"
	case o.Observe && o.Action == AskThenDeny:
		return "let in, recorded as refused"
	case o.Action == AskThenDeny:
		return "refused"
	case o.Way == Earlier:
		return "needs an earlier success"
	case o.Way == Appended:
		return "asked in the one field"
	case o.Remember > 0:
		return "asked, then not for " + strings.TrimSuffix(o.Remember.String(), "0m0s")
	case !slices.Equal(o.Methods, c.Methods):
		return "asked for " + strings.Join(o.Methods, ", ")
	}
	return "asked"
}

var (
	whoCell   = regexp.MustCompile(`^([a-z-]+)(?: of ([a-z, -]+?))?(, enrolled)?(, reset)?(, no account)?(, system account)?(?:, with a code)?$`)
	whereCell = regexp.MustCompile(`^([a-z-]+)(?: from (\S+))?(?: by (\S+))?( at the console)?(?: on (\d{4}-\d\d-\d\d))?(?: at (\d\d:\d\d))?$`)
)

// factsOf reads who logs in and where.
func factsOf(who, where string) (Facts, error) {
	w, at := whoCell.FindStringSubmatch(who), whereCell.FindStringSubmatch(where)
	if w == nil || at == nil {
		return Facts{}, fmt.Errorf("%q at %q cannot be read", who, where)
	}
	day, clock := at[5], at[6]
	if day == "" {
		day = "2026-06-15"
	}
	if clock == "" {
		clock = "12:00"
	}
	now, err := time.ParseInLocation("2006-01-02 15:04", day+" "+clock, time.UTC)
	f := Facts{User: w[1], UID: 1000, Known: w[5] == "", System: w[6] != "", Enrolled: w[3] != "", MustEnroll: w[4] != "",
		Service: at[1], RHost: at[2], Console: at[4] != "", Time: now,
		InGroup: func(group string) (bool, error) { return slices.Contains(strings.Split(w[2], ", "), group), nil }}
	if at[3] != "" {
		f.SSHAuth = []string{at[3]}
	}
	return f, err
}

func TestTheDocumentHasTheOrderInOneSentence(t *testing.T) {
	const sentence = "switch, deny rules, exempt, the first other rule, require, default; then the service's way of asking"
	if !strings.Contains(readDocument(t), "\n> "+sentence+"\n") {
		t.Error("it does not")
	}
}

// What the switch-off in the document is for: whoever has only a console types it as it stands there.
func TestTheWayInForRootSwitchesOff(t *testing.T) {
	all := situations(readDocument(t))
	last := all[len(all)-1]
	c, err := loadBlock(last.source)
	if err != nil || !c.SwitchedOff(time.Time{}) || last.source != "version: 1\nenabled: false\n" {
		t.Errorf("%q, %v", last.source, err)
	}
}

func TestTheDocumentHasEveryKeyAndItsDefault(t *testing.T) {
	var want []string
	for field := range reflect.TypeFor[document]().Fields() {
		key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		want = append(want, key)
	}
	var got []string
	usual := defaults()
	for _, row := range tableRows(readDocument(t), "| key | default | what it is |") {
		key := strings.Trim(row[0], "`")
		got = append(got, key)
		if row[1] == "none" || key == "version" {
			continue
		}
		c, err := loadBlock(key + ": " + strings.Trim(row[1], "`") + "\n")
		if err != nil {
			t.Errorf("%s: %v", key, err)
		} else if !reflect.DeepEqual(*c, usual) {
			t.Errorf("%s: %s is not the default", key, row[1])
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the table has\n%v\nthe file has\n%v", got, want)
	}
}

func TestTheDocumentHasEveryKeyOfWhatIsSent(t *testing.T) {
	for section, sources := range map[string]map[string]string{
		"sms": {"": commandSMS, "twilio": twilio[len("version: 1\n"):] + "  sender: Example\n", "command": commandSMS,
			"smtp": "sms: {provider: smtp, from: a@example.org, to: '%USER%@example.org'}"},
		"push": {"": numberedNtfy, "ntfy": numberedNtfy, "duo": "push: {provider: duo, api_host: api-1.duosecurity.com, integration_key: DIABCDEFGHIJ12345678, secret_key_file: s}"},
	} {
		var got, want []string
		for _, key := range settingKeys() {
			if below, found := strings.CutPrefix(key, section+"."); found {
				want = append(want, below)
			}
		}
		for _, row := range tableRows(readDocument(t), "| key of `"+section+"` | provider | default | what it is |") {
			for _, key := range strings.Split(strings.Trim(row[0], "`"), "`, `") {
				got = append(got, key)
				checkDefault(t, section+"."+key, "version: 1\n"+sources[row[1]]+"\n", row[2])
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("the table of %s has\n%v\nthe file has\n%v", section, got, want)
		}
	}
}

// checkDefault compares what the document says of a key with what counts where it is left out.
func checkDefault(t *testing.T, key, source, says string) {
	t.Helper()
	s, err := SettingOf([]byte(source), key)
	if err != nil {
		t.Errorf("%s: %v", key, err)
		return
	}
	text := strings.Trim(s.Text, "'")
	if text == "1m" {
		text = "60s"
	}
	if usual := strings.Trim(says, "`"); usual != says && strings.Count(says, "`") == 2 && (usual != text || s.InFile) {
		t.Errorf("%s: the document says %s, it is %q", key, says, s.Text)
	}
}

func TestTheDocumentHasEveryMessage(t *testing.T) {
	got := map[string]string{}
	for _, row := range tableRows(readDocument(t), "| key | filled in | where it is shown |") {
		got[strings.Trim(row[0], "`")] = row[1]
	}
	for m, names := range placeholders() {
		if m == MsgHelp {
			names = m.known()
		}
		if filled, found := got[string(m)]; !found || filled != strings.Join(names, ", ") {
			t.Errorf("%s: the table has %q, filled in are %q", m, filled, names)
		}
	}
	if len(got) != len(placeholders()) {
		t.Errorf("%d messages in the table, %d there are", len(got), len(placeholders()))
	}
}

func TestTheDocumentHasEveryWayAndEveryServiceThatIsNoLogin(t *testing.T) {
	text := readDocument(t)
	var ways []string
	for _, row := range tableRows(text, "| ask | what it means |") {
		ways = append(ways, strings.Trim(row[0], "`"))
	}
	if !slices.Equal(ways, wayWords[:]) {
		t.Errorf("ways %q", ways)
	}
	if list := "These are `exempt` by themselves: `" + strings.Join(BuiltinNotLogins(), "`, `") + "`."; !strings.Contains(text, list) {
		t.Errorf("the document does not say: %s", list)
	}
}

func TestTheDocumentHasWhoHasWhichRole(t *testing.T) {
	rows := 0
	for _, section := range strings.Split(readDocument(t), "\n### ") {
		found := yamlBlock.FindStringSubmatch(section)
		table := tableRows(section, "| who | roles |")
		if found == nil || table == nil {
			continue
		}
		c, err := loadBlock(found[1])
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range table {
			f, err := factsOf(row[0], "sshd")
			if err != nil {
				t.Fatal(err)
			}
			var roles []string
			for _, role := range []struct {
				name string
				who  Who
			}{{"helpdesk", c.Roles.Helpdesk}, {"auditor", c.Roles.Auditor}, {"protected", c.Roles.Protected}, {"requester", c.Bypass.Requesters}} {
				if has, err := role.who.Has(f.User, f.InGroup); err != nil {
					t.Error(err)
				} else if has {
					roles = append(roles, role.name)
				}
			}
			if rows++; strings.Join(roles, ", ") != row[1] {
				t.Errorf("%s is %q", row[0], roles)
			}
		}
	}
	if rows != 8 {
		t.Errorf("%d rows", rows)
	}
}

func TestTheDocumentHasEveryServiceAtWhichOneCanEnrol(t *testing.T) {
	if list := "These are known to: `" + strings.Join(BuiltinEnroll(), "`, `") + "`."; !strings.Contains(readDocument(t), list) {
		t.Errorf("the document does not say: %s", list)
	}
}

// A link to a heading that is not there leads nowhere.
func TestTheLinksOfTheDocumentLeadToItsHeadings(t *testing.T) {
	text := readDocument(t)
	anchors := map[string]bool{}
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		plain := regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		anchors["#"+strings.ReplaceAll(plain, " ", "-")] = true
	}
	links := regexp.MustCompile(`\]\((#[^)]*)\)`).FindAllStringSubmatch(text, -1)
	for _, link := range links {
		if !anchors[link[1]] {
			t.Errorf("%s is no heading", link[1])
		}
	}
	if len(links) < 25 {
		t.Errorf("%d links found", len(links))
	}
}

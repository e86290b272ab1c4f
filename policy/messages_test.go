package policy

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// languageFaults are what is wrong with the shipped texts of a language.
func languageFaults(texts map[Message]string) (faults []string) {
	for m := range placeholders() {
		text, found := texts[m]
		if !found {
			faults = append(faults, "lacks "+string(m))
			continue
		}
		if wrong := checkMessage(string(m), text); wrong != "" {
			faults = append(faults, string(m)+": "+wrong)
		}
		if !slices.Equal(placeholdersOf(text), placeholdersOf(all(english)[m])) {
			faults = append(faults, string(m)+": has not the placeholders of the English text")
		}
		if slices.Contains(prompts, m) != strings.HasSuffix(text, ": ") {
			faults = append(faults, string(m)+": a prompt, and nothing else, ends with a colon and a blank")
		}
	}
	for m := range texts {
		if _, known := placeholders()[m]; !known {
			faults = append(faults, "has the unknown "+string(m))
		}
	}
	return faults
}

// placeholdersOf lists what is to be filled in, each once.
func placeholdersOf(text string) []string {
	found := placeholder().FindAllString(text, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

func TestEveryLanguageHasEveryText(t *testing.T) {
	if got := Languages(); !slices.Equal(got, []string{"de", "en"}) {
		t.Fatalf("languages %q", got)
	}
	for _, language := range Languages() {
		for _, fault := range languageFaults(all(shipped(language))) {
			t.Errorf("%s %s", language, fault)
		}
	}
}

// all puts the tables of a language together.
func all(t texts) map[Message]string {
	found := map[Message]string{}
	for _, table := range t {
		maps.Copy(found, table())
	}
	return found
}

// One that stood in two tables would be shown as the first has it, and the other would be mended in vain.
func TestNoTextStandsInTwoTables(t *testing.T) {
	for _, language := range Languages() {
		n := 0
		for _, table := range shipped(language) {
			n += len(table())
		}
		if n != len(all(shipped(language))) {
			t.Errorf("%s: %d texts, %d different ones", language, n, len(all(shipped(language))))
		}
	}
	if shipped("xx") != nil {
		t.Error("there is a language of no name")
	}
}

func TestALanguageThatLacksSomethingIsFound(t *testing.T) {
	for name, spoil := range map[string]func(map[Message]string){
		"lacks notice_device":                 func(l map[Message]string) { delete(l, MsgNoticeDevice) },
		"has the unknown notices":             func(l map[Message]string) { l["notices"] = "x" },
		"replayed: has not the placeholders":  func(l map[Message]string) { l[MsgReplayed] = "bald" },
		"prompt: a prompt, and nothing else":  func(l map[Message]string) { l[MsgPrompt] = "Code" },
		"refused: unknown %KONTAKT%":          func(l map[Message]string) { l[MsgRefused] = "%KONTAKT%" },
		"refused: a prompt, and nothing else": func(l map[Message]string) { l[MsgRefused] = "%CONTACT%: " },
	} {
		texts := all(german)
		spoil(texts)
		faults := languageFaults(texts)
		if !slices.ContainsFunc(faults, func(f string) bool { return strings.HasPrefix(f, name) }) {
			t.Errorf("%s: found %q", name, faults)
		}
	}
}

func TestTheRefusalInItsOwnWords(t *testing.T) {
	const want = "Login failed. Please check your login details and try again. Otherwise contact your administrator."
	var none *Config
	for name, c := range map[string]*Config{"no policy": none, "an empty one": {}, "the default": {Contact: DefaultContact}} {
		if got := c.Text(MsgRefused); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	c := &Config{Contact: "the IT desk, +44 20 7946 0958"}
	if got, want := c.Text(MsgRefused), "Otherwise contact the IT desk, +44 20 7946 0958."; !strings.HasSuffix(got, want) {
		t.Errorf("%q does not end with %q", got, want)
	}
}

func TestText(t *testing.T) {
	german := &Config{Language: "de"}
	full := &Config{HelpURL: "https://intranet.example.org/2fa", Contact: "the IT desk"}
	replaced := &Config{Language: "de", HelpURL: "https://example.org", Messages: map[Message]string{
		MsgReplayed: "Used. %SECONDS% s.", MsgPrompt: "PIN? ", MsgHelp: "Read %HELP_URL%", MsgContact: "Frau Maier"}}
	for name, c := range map[string]struct {
		got, want string
	}{
		"a prompt keeps its blank":        {full.Text(MsgPrompt), "Verification code: "},
		"a number":                        {full.Text(MsgReplayed, "SECONDS", "17"), "This code has already been used. The next one comes in 17 seconds."},
		"German":                          {german.Text(MsgReplayed, "SECONDS", "17"), "Dieser Code wurde bereits verwendet. Der nächste kommt in 17 Sekunden."},
		"the administrator in German":     {german.Text(MsgRefused), "Die Anmeldung ist fehlgeschlagen. Bitte prüfen Sie Ihre Anmeldedaten und versuchen Sie es erneut. Wenden Sie sich sonst an Ihren Administrator."},
		"a long address":                  {(&Config{HelpURL: "https://" + strings.Repeat("x", 248), Messages: map[Message]string{MsgMailBody: "%HELP%"}}).Text(MsgMailBody), "More about it: https://" + strings.Repeat("x", 248)},
		"the usual contact in German":     {(&Config{Language: "de", Contact: DefaultContact, Messages: map[Message]string{MsgRefused: "%CONTACT%"}}).Text(MsgRefused), "Ihren Administrator"},
		"an unknown language":             {(&Config{Language: "fr"}).Text(MsgPrompt), "Verification code: "},
		"an unknown message":              {full.Text("nonsense\x1b"), "nonsense?"},
		"a replaced text":                 {replaced.Text(MsgReplayed, "SECONDS", "17"), "Used. 17 s."},
		"a replaced prompt":               {replaced.Text(MsgPrompt), "PIN? "},
		"its other form is not":           {replaced.Text(MsgReplayedOne), "Dieser Code wurde bereits verwendet. Der nächste kommt in 1 Sekunde."},
		"a replaced part":                 {replaced.Text(MsgNoticeOptional, "USER", "eva"), "Sie haben noch keinen zweiten Faktor. Richten Sie ihn mit \"twokey enroll\" ein, oder bitten Sie Frau Maier darum. Read https://example.org"},
		"help where there is an address":  {full.Text(MsgNoticeOptional, "USER", "eva"), "You have no second factor yet. Set one up with \"twokey enroll\", or ask the IT desk. More about it: https://intranet.example.org/2fa"},
		"no help where there is none":     {(&Config{}).Text(MsgNoticeOptional, "USER", "eva"), "You have no second factor yet. Set one up with \"twokey enroll\", or ask your administrator."},
		"a device":                        {full.Text(MsgNoticeDevice, "DEVICE", "iPad", "DATE", "3 May", "BY", "root (carol)"), "Device \"iPad\" was added on 3 May by root (carol). If you did not expect this, tell the IT desk."},
		"a value is not filled in":        {full.Text(MsgNoticeDevice, "DEVICE", "%BY%%CONTACT%", "DATE", "3 May", "BY", "root"), "Device \"%BY%%CONTACT%\" was added on 3 May by root. If you did not expect this, tell the IT desk."},
		"a value has no control":          {full.Text(MsgNoticeDevice, "DEVICE", "a\n\x1b[2J\u202e\xff", "DATE", "3 May", "BY", "root"), "Device \"a??[2J??\" was added on 3 May by root. If you did not expect this, tell the IT desk."},
		"a value is not filled in, later": {full.Text(MsgReplayed, "SECONDS"), "This code has already been used. The next one comes in %SECONDS% seconds."},
		"the last line of a mail":         {(&Config{}).Text(MsgMailSubject, "HOST", "h"), "Your second factor for h"},
	} {
		if c.got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", name, c.got, c.want)
		}
	}
}

func TestALongValueIsCutBetweenCharacters(t *testing.T) {
	got := (&Config{}).Text(MsgMailSubject, "HOST", "x"+strings.Repeat("ü", 600))
	if want := "Your second factor for x" + strings.Repeat("ü", 511); got != want {
		t.Errorf("got %q", got)
	}
}

func TestFor(t *testing.T) {
	for n, want := range map[int][3]Message{
		-1: {MsgReplayedNext, MsgNoticeRequiredLast, MsgNoticeRecoveryNone},
		0:  {MsgReplayedNext, MsgNoticeRequiredLast, MsgNoticeRecoveryNone},
		1:  {MsgReplayedOne, MsgNoticeRequiredOne, MsgNoticeRecoveryOne},
		2:  {MsgReplayed, MsgNoticeRequired, MsgNoticeRecovery},
	} {
		if got := [3]Message{MsgReplayed.For(n), MsgNoticeRequired.For(n), MsgNoticeRecovery.For(n)}; got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
	if got := MsgPrompt.For(1); got != MsgPrompt {
		t.Errorf("a prompt has no form for one: %q", got)
	}
}

func TestCheckMessage(t *testing.T) {
	for name, c := range map[string]struct{ key, text, want string }{
		"good":                     {"prompt", "Code (%CONTACT%): ", ""},
		"two lines in a notice":    {"notice_optional", "Hello %USER%\n%HELP%", ""},
		"a percent sign":           {"refused", "100% of 20% are %d", ""},
		"umlauts":                  {"refused", "Prüfen Sie „das“", ""},
		"a misspelt key":           {"promt", "x", `unknown message "promt" (did you mean "prompt"?)`},
		"a foreign key":            {"banner", "x", `unknown message "banner"`},
		"no key":                   {"", "x", `unknown message ""`},
		"empty":                    {"prompt", "", `the message "prompt" is empty: leave it out for the shipped text`},
		"blank":                    {"prompt", " \n ", `the message "prompt" is empty: leave it out for the shipped text`},
		"1024 bytes":               {"refused", strings.Repeat("x", 1024), ""},
		"too long":                 {"refused", strings.Repeat("x", 1025), "this text has 1025 bytes, the limit is 1024"},
		"not UTF-8":                {"refused", "a\xff", "this text is not UTF-8"},
		"a prompt of two lines":    {"prompt", "Hello\nCode: ", `the message "prompt" is one line`},
		"a field of two lines":     {"password_and_code", "a\nb", `the message "password_and_code" is one line`},
		"a subject of two lines":   {"mail_subject", "a\nBcc: x@example.org", `the message "mail_subject" is one line`},
		"a contact of two lines":   {"contact", "a\nb", `the message "contact" is one line`},
		"a help of two lines":      {"help", "a\nb", `the message "help" is one line`},
		"ANSI":                     {"refused", "\x1b[31mno", "escape sequences are not allowed in a text: terminals would obey them"},
		"a C1 control":             {"refused", "a\u009b31m", "the character U+009B is not allowed in a text"},
		"a carriage return":        {"refused", "a\rb", "the character U+000D is not allowed in a text"},
		"a tab":                    {"refused", "a\tb", "the character U+0009 is not allowed in a text"},
		"NUL":                      {"refused", "a\x00b", "the character U+0000 is not allowed in a text"},
		"writing turned round":     {"refused", "a\u202eb", "the character U+202E is not allowed in a text"},
		"a line separator":         {"refused", "a\u2028b", "the character U+2028 is not allowed in a text"},
		"a misspelt placeholder":   {"replayed", "in %SECOND% s", `unknown %SECOND% (did you mean "SECONDS"?): the message "replayed" knows %SECONDS%, %CONTACT%, %HELP_URL%, %HELP%`},
		"lower case":               {"replayed", "in %seconds% s", `unknown %seconds% (did you mean "SECONDS"?): the message "replayed" knows %SECONDS%, %CONTACT%, %HELP_URL%, %HELP%`},
		"another's placeholder":    {"refused", "%SECONDS%", `unknown %SECONDS%: the message "refused" knows %CONTACT%, %HELP_URL%, %HELP%`},
		"a contact of itself":      {"contact", "%CONTACT%", `unknown %CONTACT%: the message "contact" has no placeholders`},
		"a help of itself":         {"help", "%HELP%", `unknown %HELP%: the message "help" knows %CONTACT%, %HELP_URL%`},
		"a code in the refusal":    {"refused", "%CODE%", `unknown %CODE%: the message "refused" knows %CONTACT%, %HELP_URL%, %HELP%`},
		"a placeholder over lines": {"refused", "%CON\nTACT%", ""},
	} {
		if got := checkMessage(c.key, c.text); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

// shownByWire are the rules for a text of PROMPT and INFO, as the comment of pamhook/wire has them.
func shownByWire(text string) bool {
	return len(text) <= 16384 && utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return r != '\n' && (r < 0x20 || r >= 0x7f && r <= 0x9f)
	})
}

// textSeeds are what has made trouble elsewhere: escape sequences, half characters, placeholders in values.
var textSeeds = [][5]string{
	{"prompt", "Code: ", "alice", "the IT desk", "https://example.org"},
	{"notice_device", "%DEVICE% %DATE% %BY%", "%BY%\x1b]0;x\x07", "%HELP%", "%CONTACT%"},
	{"refused", strings.Repeat("%CONTACT%", 113), "", strings.Repeat("ü", 300), "\xff\xfe"},
	{"help", "%HELP_URL%", "a\r\nb", "", "x\u2028y"},
	{"notice_optional", "\x1b[0m%HELP%%HELP%\x00", "\u202e", "\x9b", "%"},
	{"banner", "%USER%", "%USER%", "%USER%", "%USER%"},
}

// FuzzText: whatever the configuration and the values are, even unchecked, what is shown is a text that the module shows.
func FuzzText(f *testing.F) {
	for _, s := range textSeeds {
		f.Add(s[0], s[1], s[2], s[3], s[4], true)
	}
	f.Fuzz(func(t *testing.T, key, text, value, contact, url string, german bool) {
		c := &Config{Contact: contact, HelpURL: url, Messages: map[Message]string{Message(key): text}}
		if german {
			c.Language = "de"
		}
		var pairs []string
		for _, name := range []string{"USER", "DEVICE", "DATE", "BY", "SECONDS", "MINUTES", "DAYS", "LEFT", "HOST"} {
			pairs = append(pairs, name, value)
		}
		for _, m := range append(MessageKeys(), key) {
			shown := c.Text(Message(m), pairs...)
			if !shownByWire(shown) || len(shown) > maxShown {
				t.Fatalf("%q gives %q", m, shown)
			}
			if slices.Contains(oneLine, Message(m)) && strings.Contains(shown, "\n") && !strings.Contains(text, "\n") {
				t.Fatalf("%q has two lines: %q", m, shown)
			}
		}
	})
}

// FuzzCheckMessage: what is accepted is shown as it stands, but for its placeholders.
func FuzzCheckMessage(f *testing.F) {
	for _, s := range textSeeds {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, key, text string) {
		if checkMessage(key, text) != "" || placeholder().MatchString(text) {
			return
		}
		c := &Config{Messages: map[Message]string{Message(key): text}}
		if shown := c.Text(Message(key)); shown != text {
			t.Fatalf("%q is shown as %q", text, shown)
		}
	})
}

func TestTheFuzzersHaveTheirSeeds(t *testing.T) {
	if len(textSeeds) != 6 {
		t.Errorf("%d seeds", len(textSeeds))
	}
}

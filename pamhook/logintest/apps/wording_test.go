package apps

import (
	"regexp"
	"strings"
	"testing"

	"twokey/internal/pamtest"
)

// says is what sshd shows after a refusal.
func says(text string) round { return round{instruction: text + "\n"} }

func asks(question string) round { return round{questions: []string{question}, echos: []bool{false}} }

// The words at the prompt are those of the configuration: for who is refused whatever he types too, and for the decoy.
func TestTheWordsAreThoseOfTheConfiguration(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings string
		asks     round
		refuses  round
	}{
		"who helps is named in the refusal": {"contact: the IT desk, +44 20 7946 0958", asksCode,
			says("Login failed. Please check your login details and try again. Otherwise contact the IT desk, +44 20 7946 0958.")},
		"in German": {"language: de", asks("Bestätigungscode: "),
			says("Die Anmeldung ist fehlgeschlagen. Bitte prüfen Sie Ihre Anmeldedaten und versuchen Sie es erneut. " +
				"Wenden Sie sich sonst an Ihren Administrator.")},
		"in German, with who helps": {"language: de\ncontact: den Leitstand", asks("Bestätigungscode: "),
			says("Die Anmeldung ist fehlgeschlagen. Bitte prüfen Sie Ihre Anmeldedaten und versuchen Sie es erneut. " +
				"Wenden Sie sich sonst an den Leitstand.")},
		"with texts of their own": {"messages: {prompt: 'Number on your phone: ', refused: 'No. Ask %CONTACT%, %HELP_URL%'}\n" +
			"help_url: https://intranet.example.org/2fa", asks("Number on your phone: "),
			says("No. Ask your administrator, https://intranet.example.org/2fa")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, people := newSite(t, "", 2)
			anna, required := s.enrol(people[0]), people[1]
			s.Configure(c.settings + "\nrequire: [{users: [" + required.Name + "]}]")
			sshd := s.Sshd()
			right := s.visitor(anna, anna.code(t, 0)).visit(t, sshd)
			right.mustShow(t, asksPassword, c.asks)
			if !right.in() {
				t.Errorf("a right code was refused: %v", right.err)
			}
			for _, v := range []visitor{
				s.visitor(anna, anna.wrong(t)), s.visitor(required, "123456"),
				{user: anna.Name, password: "wrong", code: "1"}, {user: "nobody-" + pamtest.Suffix(), code: "1"},
			} {
				v.visit(t, sshd).mustShow(t, asksPassword, c.asks, c.refuses)
			}
		})
	}
}

// Only who has used a code himself learns that it was used: to anybody else it would say that what he has seen or guessed was right.
func TestOnlyTheSourceThatUsedACodeIsTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings string
		told     string
	}{
		"in English": {"",
			`^This code has already been used\. (The next one comes in [0-9]+ seconds?\.|Please take the next one\.)\n$`},
		"in German": {"language: de",
			`^Dieser Code wurde bereits verwendet\. (Der nächste kommt in [0-9]+ Sekunden?\.|Bitte nehmen Sie den nächsten\.)\n$`},
		"in words of the company": {"messages: {replayed: 'Used. %SECONDS% s.', replayed_next: Used., replayed_one: Used.}",
			`^Used\.( [0-9]+ s\.)?\n$`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, people := newSite(t, c.settings, 2)
			anna, bert, sshd := s.enrol(people[0]), s.enrol(people[1]), s.Sshd()
			code := anna.code(t, 0)
			from := func(p *person, address, code string) visit { return s.visitorFrom(p, address, code).visit(t, sshd) }
			if v := from(anna, "127.0.0.1", code); !v.in() {
				t.Fatalf("a right code was refused: %v", v.err)
			}
			wrong := from(bert, "127.0.0.1", bert.wrong(t))
			refusal := wrong.rounds[len(wrong.rounds)-1]
			again := from(anna, "127.0.0.1", code)
			if n := len(again.rounds); n != 3 || !regexp.MustCompile(c.told).MatchString(again.rounds[n-1].instruction) {
				t.Errorf("the source that used the code is told %v", again.rounds)
			}
			for _, address := range []string{"127.0.0.2", "::1"} {
				elsewhere := from(anna, address, code)
				if got := elsewhere.rounds[len(elsewhere.rounds)-1]; got.instruction != refusal.instruction {
					t.Errorf("%s is told %v, want the words for a wrong code, %v", address, got, refusal)
				}
			}
			if got := s.reasons(anna, "login"); strings.Join(got[1:], "; ") != "code used before; code used before; code used before" {
				t.Errorf("recorded as %q", got)
			}
		})
	}
}

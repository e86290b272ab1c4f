package policy

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// screenColumns are what a text of an enrolment may take of a terminal's 80: sshd's client and a careful reader need some.
const screenColumns = 76

// filledIn are usual values of what the texts have between percent signs.
var filledIn = []string{"HOST", "web1", "USER", "alice", "KEY", "ABCD EFGH IJKL MNOP QRST UVWX YZ23 4567", "SECONDS", "94", "MINUTES", "60", "WIDTH", "45", "LINES", "24",
	"ADDRESS", "otpauth:", "LAST", "7", "NUMBER", "+447911123456", "COUNTRY", "United Kingdom", "SERVER", "https://ntfy.example.org",
	"TOPIC", "tk-mfrggzdfmztwq2lknnwg23tpobyxe43u"}

func TestEveryLineOfAnEnrolmentFitsOnAScreen(t *testing.T) {
	for _, language := range Languages() {
		c := &Config{Language: language}
		for m := range placeholdersOfEnrolment() {
			for _, line := range strings.Split(c.Text(m, filledIn...), "\n") {
				if n := utf8.RuneCountInString(line); n > screenColumns {
					t.Errorf("%s, %s: %d columns: %s", language, m, n, line)
				}
				if strings.TrimRight(line, " ") != line && !strings.HasSuffix(line, ": ") {
					t.Errorf("%s, %s: a blank at the end: %q", language, m, line)
				}
			}
		}
	}
}

// Who does not have an app yet needs its name, the store, and the maker by which copies are told from it.
func TestTheAppsAreNamedWithTheirStoresAndMakers(t *testing.T) {
	for _, language := range Languages() {
		c := &Config{Language: language}
		for m, want := range map[Message][]string{
			MsgEnrollIPhone:   {"App Store", "Google Authenticator", "Microsoft Authenticator", "2FA Authenticator (2FAS)", "Ente Auth", "Red Hat"},
			MsgEnrollAndroid:  {"Google Play", "F-Droid", "Aegis Authenticator", "Beem Development", "FreeOTP+", "Ente Auth", "Google Authenticator"},
			MsgEnrollComputer: {"https://keepassxc.org", "KeePassXC", "Authenticator", "Secrets", "Flathub", "web1"},
			MsgEnrollToken:    {"Yubico Authenticator", c.wording(MsgContact)},
		} {
			text := c.Text(m, filledIn...)
			for _, name := range want {
				if !strings.Contains(text, name) {
					t.Errorf("%s, %s does not name %s", language, m, name)
				}
			}
			if strings.Contains(text, "Raivo") { // sold, and emptied by an update
				t.Errorf("%s, %s names an app that has gone", language, m)
			}
		}
	}
}

// The answers that a text offers are those that are understood: 1 to 5, t, i, w and q, in every language.
func TestTheTextsOfAnEnrolmentOfferWhatIsUnderstood(t *testing.T) {
	for _, language := range Languages() {
		c := &Config{Language: language}
		for m, want := range map[Message][]string{
			MsgEnrollHolder: {"\n  1  ", "\n  2  ", "\n  3  ", "\n  4  ", "\n  5  "},
			MsgEnrollBegin:  {" q "}, MsgEnrollHolderPrompt: {" q "}, MsgEnrollReadyPrompt: {" q "}, MsgEnrollAppPrompt: {"t: ", "i: ", "w: ", "q: "},
			MsgEnrollNtfyPrompt: {"i: ", "w: ", "q: "}, MsgEnrollShow: {" i", " w ", " t"}, MsgEnrollNtfyShow: {" i", " w"},
		} {
			for _, offer := range want {
				if !strings.Contains(c.Text(m), offer) {
					t.Errorf("%s, %s does not offer %q", language, m, offer)
				}
			}
		}
	}
}

// Whoever comes from elsewhere is shown another picture, and would wait for his own in vain.
func TestThePictureIsPromisedAtTheSamePlaceOnly(t *testing.T) {
	for language, place := range map[string]string{"en": "From the same place you get this picture for 15 minutes", "de": "Vom selben Ort kommt dieses Bild 15 Minuten lang"} {
		if text := (&Config{Language: language}).Text(MsgEnrollShow, filledIn...); !strings.Contains(text, place) {
			t.Errorf("%s: %s", language, text)
		}
	}
}

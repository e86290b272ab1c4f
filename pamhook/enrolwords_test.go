package pamhook

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"twokey/pamhook/wire"
	"twokey/policy"
)

// sshd before 10.3 shows a text with the next question only, behind "(user@host) ": what is to be read stands in the questions, on a line of its own.
func TestWhatIsToBeReadStandsInTheQuestions(t *testing.T) {
	w := newWorld(t)
	announced(w)
	w.hello.Service, w.enrol.announced[0].Service = "su", "su"
	w.script = []string{"wrong", enrolCode, "4", "nonsense", "2", "", "000000", "t", "w", "i", w.goodScript()[3], ""}
	if got := w.frame(); got != allows {
		t.Fatalf("%#x, %q", got, w.reasons())
	}
	for _, text := range w.prompts {
		if !strings.HasPrefix(text, "\n") || !strings.HasSuffix(text, ": ") || strings.Contains(text, "\n\n\n") {
			t.Errorf("%q", text)
		}
	}
	if end := []string{"\nThis phone is now linked to bob on web1."}; !slices.Equal(w.infos, end) {
		t.Errorf("besides questions %q was told", w.infos)
	}
	all := strings.Join(w.prompts, "\n")
	for _, want := range []string{"GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ", "otpauth://totp/web1:bob@web1?secret=", "█▀▄█", " ▄▀ \n▄▀ █", "##  ##", recovery[0] + "    " + recovery[1],
		"4 columns wide and 4 lines high", "8 columns wide"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q was not shown", want)
		}
	}
	for _, r := range w.log {
		if line := fmt.Sprintf("%+v", r); strings.Contains(line, "GEZD") || strings.Contains(line, recovery[0]) || strings.Contains(line, enrolCode) {
			t.Errorf("a secret is in the log: %s", line)
		}
	}
}

// Whose code is wrong because of the clock learns by how much; a small difference is that he typed slowly.
func TestAWrongCodeSaysHowFarTheClockIsOff(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		steps int64
		want  string
	}{
		"a minute and a half ahead": {3, "is 95 seconds ahead"}, "five minutes behind": {-10, "is 5 minutes behind"}, "summer time": {120, "is 60 minutes ahead"}, "two minutes": {-4, "is 115 seconds behind"}, "a step": {1, "Type the one that the app shows now"},
	} {
		w.reset()
		announced(w)
		w.script = []string{enrolCode, "2", "", codeOf(t, newRecord("bob", 1).Devices[0], w.now, c.steps)}
		w.frame()
		if last := w.prompts[len(w.prompts)-1]; !strings.Contains(last, c.want) {
			t.Errorf("%s: told %q", name, last)
		}
	}
}

// What is too long for a question is shown all the same, or something shorter is.
func TestNoTextOfAnEnrolmentIsTooLongToBeShown(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		text    string
		picture string
		seen    string
	}{
		"as it is":             {"Scan:", "█▀", "Scan:\n\n█▀\n"},
		"a long text":          {"Scan: " + strings.Repeat("%ADDRESS%", 100), strings.Repeat("█", maxPicture/3), "Scan: "},
		"a picture that is":    {"Scan:", strings.Repeat("█", maxPicture/3+1), "Type  "},
		"one of lines that is": {"Scan:", strings.Repeat("█▀▄█\n", maxPicture/13+1), "GEZD GNBV"},
	} {
		w.reset()
		announced(w)
		w.policy.Messages = map[policy.Message]string{policy.MsgEnrollShow: c.text, policy.MsgEnrollText: "Type  %KEY%"}
		w.enrol.picture = c.picture
		if got := w.frame(); got != allows || !strings.Contains(strings.Join(w.texts, "\n"), c.seen) {
			t.Errorf("%s: %#x, recorded %q", name, got, w.reasons())
		}
		for _, text := range w.texts {
			if len(text) > wire.MaxText {
				t.Errorf("%s: a text of %d bytes", name, len(text))
			}
		}
	}
}

package deliver

import (
	"regexp"
	"strings"
	"testing"
)

// As they would be written if nobody had to wait for them to be compiled.
var (
	e164Pattern  = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	topicPattern = regexp.MustCompile(`^[-_A-Za-z0-9]{1,64}$`)
)

// spellings are numbers and topics, most of them neither.
var spellings = []string{
	"", "+", "+4", "+442079460958", "+1234567", "+123456", "+123456789012345", "+1234567890123456", "+0234567890", "442079460958", "++42079460958",
	"+44 2079460958", "+44207946095a", "+442079460958\n", "\n+442079460958", " +442079460958", "+٤٤٢٠٧٩٤٦٠٩٥٨", "+4420794\x00958", "+-2079460958",
	"tk-Ab_9", "-", "_", "a/b", "a b", "ä", "a.", "a\n", "\xff", strings.Repeat("a", 64), strings.Repeat("a", 65), "a\x00", "[", "`", "@", "{", ":",
}

func TestThereAreSpellings(t *testing.T) {
	if len(spellings) != 36 {
		t.Errorf("%d spellings", len(spellings))
	}
}

func checkSpelling(t *testing.T, s string) {
	if got, want := isE164(s), e164Pattern.MatchString(s); got != want {
		t.Errorf("%q is a number: %v, want %v", s, got, want)
	}
	if got, want := isTopic(s), topicPattern.MatchString(s); got != want {
		t.Errorf("%q is a topic: %v, want %v", s, got, want)
	}
}

func TestNumbersAndTopicsAreAsTheirPatternsSay(t *testing.T) {
	numbers, topics := 0, 0
	for _, s := range spellings {
		checkSpelling(t, s)
		if isE164(s) {
			numbers++
		}
		if isTopic(s) {
			topics++
		}
	}
	for c := range 256 {
		checkSpelling(t, string([]byte{byte(c)}))
		checkSpelling(t, "+1234567"+string([]byte{byte(c)}))
	}
	if numbers != 3 || topics != 5 {
		t.Errorf("%d numbers and %d topics", numbers, topics)
	}
}

func FuzzNumbersAndTopics(f *testing.F) {
	for _, s := range spellings {
		f.Add(s)
	}
	f.Fuzz(checkSpelling)
}

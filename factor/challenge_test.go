package factor

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestNewChallengeCodeHasItsDigitsAndDoesNotRepeat(t *testing.T) {
	for asked, want := range map[int]int{6: 6, 8: 8, 10: 10, 0: 6, -1: 6, 5: 6, 11: 10, 1 << 30: 10} {
		if code := NewChallengeCode(asked); len(code) != want || !isDigits(code) {
			t.Errorf("%d digits: a code of %d", asked, len(code))
		}
	}
	seen, counts := map[string]bool{}, [10]int{}
	const n = 2000
	for range n {
		code := NewChallengeCode(10)
		seen[code] = true
		for _, digit := range code {
			counts[digit-'0']++
		}
	}
	if len(seen) != n {
		t.Errorf("%d of %d codes are different", len(seen), n)
	}
	for digit, count := range counts { // 2000 are expected, with a standard deviation of 42
		if count < n-6*42 || count > n+6*42 {
			t.Errorf("the digit %d came %d times of %d", digit, count, 10*n)
		}
	}
}

func TestNewNumbersAreTwoOfTwoDigits(t *testing.T) {
	rights, wrongs := map[int]bool{}, map[int]bool{}
	for range 5000 {
		right, wrong := NewNumbers()
		if right == wrong || min(right, wrong) < 10 || max(right, wrong) > 99 {
			t.Fatalf("%d and %d", right, wrong)
		}
		rights[right], wrongs[wrong] = true, true
	}
	if len(rights) != 90 || len(wrongs) != 90 {
		t.Errorf("%d right and %d wrong numbers came, want all 90", len(rights), len(wrongs))
	}
}

func TestTheCodeOfAChallengeIsThatOfItsMessageAndLoginAlone(t *testing.T) {
	key, id, connection := []byte("a key of 32 bytes of random bits"), [8]byte{1}, [8]byte{2}
	hash := HashChallenge(key, id, connection, "192.0.2.7", "048151")
	for sentence, c := range map[string]struct {
		key            string
		id, connection [8]byte
		source, typed  string
		right          bool
	}{
		"the code":                              {string(key), id, connection, "192.0.2.7", "048151", true},
		"with a gap and spaces round it":        {string(key), id, connection, "192.0.2.7", " 048 151 ", true},
		"another code":                          {string(key), id, connection, "192.0.2.7", "048152", false},
		"without its zero":                      {string(key), id, connection, "192.0.2.7", "48151", false},
		"nothing":                               {string(key), id, connection, "192.0.2.7", "", false},
		"a word":                                {string(key), id, connection, "192.0.2.7", "sms", false},
		"from another source":                   {string(key), id, connection, "192.0.2.8", "048151", false},
		"at another connection":                 {string(key), id, [8]byte{3}, "192.0.2.7", "048151", false},
		"of another message":                    {string(key), [8]byte{3}, connection, "192.0.2.7", "048151", false},
		"of another phone":                      {"another key", id, connection, "192.0.2.7", "048151", false},
		"from a source that ends with the code": {string(key), id, connection, "192.0.2.7048151", "", false},
		"a source and a code divided elsewhere": {string(key), id, connection, "192.0.2.70", "48151", false},
	} {
		if MatchChallenge([]byte(c.key), c.id, c.connection, c.source, c.typed, hash) != c.right {
			t.Errorf("%s: want %v", sentence, c.right)
		}
	}
	empty := HashChallenge(key, id, connection, "192.0.2.7", "")
	if MatchChallenge(key, id, connection, "192.0.2.7", "rubbish", empty) {
		t.Error("what is no code is that of a hash of nothing")
	}
}

func TestTheAnswerOfAPushIsThatOfItsChallengeAndChoiceAlone(t *testing.T) {
	key, id := []byte("a key of this challenge alone"), [8]byte{1}
	mac := PushMAC(key, id, "42")
	if len(mac) != 32 || strings.Trim(mac, "0123456789abcdef") != "" {
		t.Errorf("%q", mac)
	}
	for sentence, other := range map[string]string{
		"another choice":    PushMAC(key, id, "43"),
		"allow":             PushMAC(key, id, "allow"),
		"another challenge": PushMAC(key, [8]byte{2}, "42"),
		"another key":       PushMAC(key[1:], id, "42"),
	} {
		if other == mac {
			t.Errorf("%s is not told from the others", sentence)
		}
	}
	if again := PushMAC(key, id, "42"); again != mac {
		t.Errorf("%q and then %q", mac, again)
	}
}

func TestTopicsAndMarksAreOfOneDevice(t *testing.T) {
	one, other := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	topic := NtfyTopic(one)
	if len(topic) != 35 || strings.Trim(topic, "-abcdefghijklmnopqrstuvwxyz234567") != "" || topic == NtfyTopic(other) || topic != NtfyTopic(one) {
		t.Errorf("%q", topic)
	}
	marks := [][8]byte{PhoneMark(one, "+442079460958"), PhoneMark(other, "+442079460958"), PhoneMark(one, "+442079460948"), {}}
	for i, mark := range marks {
		if slices.Contains(marks[:i], mark) {
			t.Errorf("the mark %d is another's", i)
		}
	}
	if marks[0] != PhoneMark(one, "+442079460958") {
		t.Error("the mark of a number changes")
	}
}

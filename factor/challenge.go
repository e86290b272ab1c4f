package factor

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// How many digits a code has that is sent to a phone.
const (
	MinChallengeDigits = 6
	MaxChallengeDigits = 10
)

// The domains keep what is made with one secret apart; their numbers are those of the formats.
const (
	challengeDomain = "twokey text code 1\x00"
	pushDomain      = "twokey push 1\x00"
	topicDomain     = "twokey ntfy topic 1"
	phoneDomain     = "twokey phone 1"
)

const (
	pushMACSize = 16 // bytes
	topicSize   = 20 // bytes
)

// NewChallengeCode draws the code of one message, with its leading zeros, from crypto/rand. A number of digits out of the range is taken
// for the nearest in it.
func NewChallengeCode(digits int) string {
	code := make([]byte, min(max(digits, MinChallengeDigits), MaxChallengeDigits))
	for i := range code {
		code[i] = '0' + byte(below(10))
	}
	return string(code)
}

// NewNumbers draws two different numbers of two digits, 10 to 99: the one that the prompt shows, and one that the phone shows beside it.
func NewNumbers() (right, wrong int) {
	right = 10 + below(90)
	wrong = 10 + below(89)
	if wrong >= right {
		wrong++
	}
	return right, wrong
}

// below draws a number from 0 to n-1, n up to 256, each as likely as the other: bytes that would favour the small ones are drawn again.
func below(n int) int {
	var b [1]byte
	for limit := 256 / n * n; ; {
		rand.Read(b[:]) // never fails: it would end the program
		if int(b[0]) < limit {
			return int(b[0]) % n
		}
	}
}

// HashChallenge returns what is kept of a code that was sent: see the package comment. It is of one message (id), for one connection and
// one source, and typed elsewhere it is another.
func HashChallenge(key []byte, id, connection [8]byte, source, code string) [16]byte {
	content := append(append([]byte(challengeDomain), id[:]...), connection[:]...)
	content = binary.BigEndian.AppendUint32(content, uint32(len(source)))
	content = append(append(content, source...), code...)
	return [16]byte(keyed(key, content)[:16])
}

// MatchChallenge reports whether what somebody typed is the code of a hash, in every spelling that ParseAnswer takes. The comparison takes
// as long for each answer.
func MatchChallenge(key []byte, id, connection [8]byte, source, typed string, hash [16]byte) bool {
	answer := ParseAnswer(typed)
	made := HashChallenge(key, id, connection, source, answer.Text)
	return subtle.ConstantTimeCompare(made[:], hash[:]) == 1 && answer.Kind == Digits
}

// PushMAC is what the phone's answer to a push carries beside the choice ("allow", "deny", "42"), in 32 hexadecimal digits: without the
// key of the challenge, which the phone does not have either, no other choice can be made of it.
func PushMAC(key []byte, id [8]byte, choice string) string {
	content := append(append([]byte(pushDomain), id[:]...), choice...)
	return hex.EncodeToString(keyed(key, content)[:pushMACSize])
}

// NtfyTopic is the topic to which a user's phone subscribes, 35 characters: nobody can guess it who has not the device's secret.
func NtfyTopic(secret []byte) string {
	name := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(keyed(secret, []byte(topicDomain))[:topicSize])
	return "tk-" + strings.ToLower(name)
}

// PhoneMark says that a code has come back from this number (E.164), without saying which number it is: it is no mark of another number,
// nor of another device.
func PhoneMark(secret []byte, number string) [8]byte {
	return [8]byte(keyed(secret, []byte(phoneDomain+number))[:8])
}

func keyed(key, content []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(content)
	return mac.Sum(nil)
}

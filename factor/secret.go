package factor

import (
	"encoding/base32"
	"errors"
	"strings"
)

// maxSecretText is the longest text that DecodeSecret looks at: 128 bytes in base32 with a space behind every character
// and padding.
const maxSecretText = 512

// errSecret says nothing about the text: it is a secret, and error texts end up in logs.
var errSecret = errors.New("secret is not base32 (letters A to Z and digits 2 to 7), or was cut off")

// EncodeSecret returns a raw secret in base32 (RFC 4648 section 6), upper case, without padding.
func EncodeSecret(secret []byte) string {
	return unpadded().EncodeToString(secret)
}

// DecodeSecret returns the raw secret of a base32 text as people paste it: in any case, with spaces and hyphens anywhere,
// with or without padding at the end. It fails when anything else is in the text or when it is cut off; how long the
// secret must be, Params.Check says. Bits beyond the last whole byte are dropped, as every authenticator app does.
func DecodeSecret(text string) ([]byte, error) {
	if len(text) > maxSecretText {
		return nil, errSecret
	}
	text = withoutGaps(strings.Trim(text, asciiSpace))
	return decodeBase32(strings.TrimRight(text, "="))
}

// decodeBase32 decodes base32 without padding, in either case, with nothing else inside.
func decodeBase32(text string) ([]byte, error) {
	// The standard library's decoder skips line breaks, and drops the last characters of a text that was cut off.
	if text == "" || !isASCII(text) || cutOff(len(text)) {
		return nil, errSecret
	}
	secret, err := unpadded().DecodeString(strings.ToUpper(text))
	if err != nil {
		return nil, errSecret // not the library's error, which says where
	}
	return secret, nil
}

// cutOff tells whether no number of whole bytes has this many base32 characters, RFC 4648 section 6.
func cutOff(length int) bool {
	switch length % 8 {
	case 1, 3, 6:
		return true
	}
	return false
}

// GroupSecret writes a base32 text in groups of four for people to read and type: "GEZD GNBV GY3T".
func GroupSecret(text string) string {
	text = withoutGaps(text)
	var groups []string
	for ; len(text) > 4; text = text[4:] {
		groups = append(groups, text[:4])
	}
	return strings.Join(append(groups, text), " ")
}

func unpadded() *base32.Encoding {
	return base32.StdEncoding.WithPadding(base32.NoPadding)
}

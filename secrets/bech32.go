package secrets

import (
	"encoding/base32"
	"strings"
)

// bech32Alphabet are the characters for 0 to 31 (BIP 173).
const bech32Alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

// bech32 writes a key as BIP 173 says, whatever its length: the type, a "1", the key in five bits a character, and six characters of a checksum.
// A type in capitals makes capitals of all.
func bech32(kind string, key []byte) string {
	return bech32Text(kind, base32.NewEncoding(bech32Alphabet).WithPadding(base32.NoPadding).EncodeToString(key))
}

func bech32Text(kind, digits string) string {
	small := strings.ToLower(kind)
	values := make([]byte, 0, 128)
	for i := range len(small) {
		values = append(values, small[i]>>5)
	}
	values = append(values, 0)
	for i := range len(small) {
		values = append(values, small[i]&31)
	}
	for i := range len(digits) {
		values = append(values, byte(strings.IndexByte(bech32Alphabet, digits[i])))
	}
	text := small + "1" + digits
	sum := bech32Sum(append(values, 0, 0, 0, 0, 0, 0)) ^ 1
	for shift := 25; shift >= 0; shift -= 5 {
		text += string(bech32Alphabet[sum>>shift&31])
	}
	if small != kind {
		return strings.ToUpper(text)
	}
	return text
}

// bech32Sum is the remainder by the polynomial of BIP 173, over the field of 32 elements.
func bech32Sum(values []byte) uint32 {
	generator := [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3}
	sum := uint32(1)
	for _, v := range values {
		top := sum >> 25
		sum = sum&0x1ffffff<<5 ^ uint32(v)
		for i, g := range generator {
			sum ^= g & -(top >> i & 1)
		}
	}
	return sum
}

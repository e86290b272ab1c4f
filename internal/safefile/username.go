package safefile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	maxEscaped = 200   // longer names become a hash: file names end at 255 bytes, and suffixes are added
	hashMark   = "%h-" // no escape begins so: after % stand two capital hex digits
)

// UserFileName makes a file name of a user name: letters, digits, '_' and '-' anywhere, and '.', '@', '+', '$' and '=' but at the
// beginning, stand for themselves, every other byte is %XX. Two names never give the same file name, and none gives ".", "..",
// a hidden file or one with a '/'. Above 200 bytes it is "%h-" and the SHA-256 of the name in hexadecimal.
func UserFileName(user string) string {
	if standsForItself(user) {
		return user
	}
	var b strings.Builder
	for i := 0; i < len(user); i++ {
		c := user[i]
		if plainByte(c) || i > 0 && strings.IndexByte(".@+$=", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	if b.Len() == 0 {
		return "%" // the empty name; no escape is a lone %
	}
	if b.Len() > maxEscaped {
		sum := sha256.Sum256([]byte(user))
		return hashMark + hex.EncodeToString(sum[:])
	}
	return b.String()
}

// UserName is the inverse of UserFileName. It fails for a name that UserFileName does not give, for that of the empty name, which
// is nobody's, and for a hash, whose user name stands inside the file only.
func UserName(file string) (string, error) {
	if standsForItself(file) {
		return file, nil
	}
	bad := fmt.Errorf("%q is not the file name of a user", file)
	if strings.HasPrefix(file, hashMark) {
		return "", bad
	}
	var b strings.Builder
	for i := 0; i < len(file); i++ {
		if file[i] != '%' {
			b.WriteByte(file[i])
			continue
		}
		if i+2 >= len(file) {
			return "", bad
		}
		c, err := strconv.ParseUint(file[i+1:i+3], 16, 8)
		if err != nil {
			return "", errors.Join(bad, err)
		}
		b.WriteByte(byte(c))
		i += 2
	}
	if UserFileName(b.String()) != file {
		return "", bad
	}
	return b.String(), nil
}

// standsForItself tells the usual name, of which no copy has to be made, from others.
func standsForItself(user string) bool {
	for i := range len(user) {
		if !plainByte(user[i]) {
			return false
		}
	}
	return user != "" && len(user) <= maxEscaped
}

func plainByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}

package factor

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
)

// Method says what a device counts.
type Method string

// The methods, spelled as in an otpauth address.
const (
	TOTP Method = "totp" // counts time steps, RFC 6238
	HOTP Method = "hotp" // counts codes, RFC 4226
)

// Algorithm names the hash function under the HMAC, in its only accepted spelling; ParseAlgorithm knows the others.
type Algorithm string

// The algorithms of RFC 6238 section 1.2.
const (
	SHA1   Algorithm = "SHA1"
	SHA256 Algorithm = "SHA256"
	SHA512 Algorithm = "SHA512"
)

// The ranges that Params.Check holds parameters to.
const (
	MinDigits = 4
	MaxDigits = 12
	MinPeriod = 10  // seconds
	MaxPeriod = 300 // seconds

	MinSecret     = 16  // bytes; RFC 4226 section 4, R6: at least 128 bits
	MaxSecret     = 128 // bytes
	FloorOfSecret = 10  // bytes; 80 bits, which other products have handed out for years
)

// The values that otpauth addresses leave out.
const (
	DefaultDigits = 6
	DefaultPeriod = 30 // seconds
)

// ErrShortSecret is wrapped by Params.Check when a secret of 10 to 15 bytes is all that is wrong. Enrolment refuses it; an
// importer may let it through, since the user's present device already has it.
var ErrShortSecret = errors.New("secret is shorter than 128 bits")

// Params is what a device needs to make a code. The zero value is refused by Check and matches nothing.
type Params struct {
	Method    Method
	Secret    []byte // raw, not base32
	Digits    int    // 4 to 12
	Period    int    // seconds, 10 to 300; 0 for HOTP
	Algorithm Algorithm
}

// Check returns nil when every field is in its range, and otherwise an error that says which is not. An error that wraps
// ErrShortSecret means that everything else is right.
func (p Params) Check() error {
	if err := p.usable(); err != nil {
		return err
	}
	if len(p.Secret) < MinSecret {
		return fmt.Errorf("%w: %d bytes, want at least %d", ErrShortSecret, len(p.Secret), MinSecret)
	}
	return nil
}

// usable is Check without the 128-bit minimum. Everything that hands parameters to the library asks it first: there an
// empty secret makes codes that anyone can compute, Digits 0 means 6, and -1 or an unknown algorithm panics.
func (p Params) usable() error {
	if p.Method != TOTP && p.Method != HOTP {
		return fmt.Errorf("unknown method %q, want %s or %s", p.Method, TOTP, HOTP)
	}
	if p.Digits < MinDigits || p.Digits > MaxDigits {
		return fmt.Errorf("%d digits, want %d to %d", p.Digits, MinDigits, MaxDigits)
	}
	if p.Method == HOTP && p.Period != 0 {
		return fmt.Errorf("period of %d seconds, but %s has none", p.Period, HOTP)
	}
	if p.Method == TOTP && (p.Period < MinPeriod || p.Period > MaxPeriod) {
		return fmt.Errorf("period of %d seconds, want %d to %d", p.Period, MinPeriod, MaxPeriod)
	}
	if _, ok := p.Algorithm.library(); !ok {
		return fmt.Errorf("unknown algorithm %q, want %s, %s or %s", p.Algorithm, SHA1, SHA256, SHA512)
	}
	if n := len(p.Secret); n < FloorOfSecret || n > MaxSecret {
		return fmt.Errorf("secret of %d bytes, want %d to %d", n, MinSecret, MaxSecret)
	}
	return nil
}

// Code returns the code that the device shows at counter (for TOTP a step), with its leading zeros. It works with secrets
// of 10 bytes and more; the error is that of Check for any other field out of range.
func (p Params) Code(counter uint64) (string, error) {
	if err := p.usable(); err != nil {
		return "", err
	}
	return p.code(EncodeSecret(p.Secret), counter)
}

// code makes one code of parameters that are usable; secret is p.Secret in base32, encoded once for a whole window.
func (p Params) code(secret string, counter uint64) (string, error) {
	algorithm, _ := p.Algorithm.library()
	code, err := hotp.GenerateCodeCustom(secret, counter, hotp.ValidateOpts{Digits: otp.Digits(p.Digits), Algorithm: algorithm})
	if err != nil {
		return "", fmt.Errorf("make a code: %w", err)
	}
	return code, nil
}

// Step returns the time step that t lies in, RFC 6238 section 4.2 with T0 = 0. Times before 1970, and parameters without
// a period, are in step 0, which is never acceptable.
func (p Params) Step(t time.Time) uint64 {
	if p.Period <= 0 || t.Unix() < 0 {
		return 0
	}
	return uint64(t.Unix()) / uint64(p.Period)
}

// Format prints the parameters without the secret, whatever the verb: they end up in log lines and error texts.
func (p Params) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "%s, %d digits, %d s, %s, secret of %d bytes", p.Method, p.Digits, p.Period, p.Algorithm, len(p.Secret))
}

// ParseAlgorithm reads the name of an algorithm in any case, with or without the hyphen: "sha-256" is SHA256.
func ParseAlgorithm(name string) (Algorithm, error) {
	for _, a := range []Algorithm{SHA1, SHA256, SHA512} {
		hyphened := "SHA-" + strings.TrimPrefix(string(a), "SHA")
		// EqualFold alone would take a long s (ſ) for an s.
		if isASCII(name) && (strings.EqualFold(name, string(a)) || strings.EqualFold(name, hyphened)) {
			return a, nil
		}
	}
	return "", fmt.Errorf("unknown algorithm %.20q, want %s, %s or %s", name, SHA1, SHA256, SHA512)
}

// library returns the library's name of a; false when there is none. The library also has MD5, which is nobody's.
func (a Algorithm) library() (otp.Algorithm, bool) {
	switch a {
	case SHA1:
		return otp.AlgorithmSHA1, true
	case SHA256:
		return otp.AlgorithmSHA256, true
	case SHA512:
		return otp.AlgorithmSHA512, true
	}
	return 0, false
}

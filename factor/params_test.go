package factor

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// rfcSecret is the shared secret of the RFCs' test vectors, as long as asked for.
func rfcSecret(length int) []byte {
	return bytes.Repeat([]byte("1234567890"), 13)[:length]
}

// standard returns what most devices have: 6 digits, 30 seconds, SHA1.
func standard(m Method) Params {
	p := Params{Method: m, Secret: rfcSecret(20), Digits: 6, Algorithm: SHA1}
	if m == TOTP {
		p.Period = 30
	}
	return p
}

// code is what the device shows at counter.
func code(t testing.TB, p Params, counter uint64) string {
	t.Helper()
	c, err := p.Code(counter)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// seeded returns a random source whose seed is in the log of a failed test.
func seeded(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// randomParams draws parameters that Check accepts.
func randomParams(r *rand.Rand) Params {
	p := Params{
		Method:    []Method{TOTP, HOTP}[r.IntN(2)],
		Secret:    make([]byte, MinSecret+r.IntN(MaxSecret-MinSecret+1)),
		Digits:    MinDigits + r.IntN(MaxDigits-MinDigits+1),
		Algorithm: []Algorithm{SHA1, SHA256, SHA512}[r.IntN(3)],
	}
	if p.Method == TOTP {
		p.Period = MinPeriod + r.IntN(MaxPeriod-MinPeriod+1)
	}
	for i := range p.Secret {
		p.Secret[i] = byte(r.Uint32())
	}
	return p
}

// byHand computes a code from RFC 4226 section 5.3 alone.
func byHand(p Params, counter uint64) string {
	hashes := map[Algorithm]func() hash.Hash{SHA1: sha1.New, SHA256: sha256.New, SHA512: sha512.New}
	mac := hmac.New(hashes[p.Algorithm], p.Secret)
	binary.Write(mac, binary.BigEndian, counter)
	sum := mac.Sum(nil)
	truncated := binary.BigEndian.Uint32(sum[sum[len(sum)-1]&15:]) & math.MaxInt32
	modulus := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(p.Digits)), nil)
	digits := new(big.Int).Mod(big.NewInt(int64(truncated)), modulus).String()
	return strings.Repeat("0", p.Digits-len(digits)) + digits
}

func TestCodeIsThatOfRFC4226AppendixD(t *testing.T) {
	p := standard(HOTP)
	want := []string{"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"}
	for counter, want := range want {
		if got := code(t, p, uint64(counter)); got != want {
			t.Errorf("counter %d: got %s, want %s", counter, got, want)
		}
	}
}

func TestCodeIsThatOfRFC6238AppendixB(t *testing.T) {
	vectors := []struct {
		time                 int64
		sha1, sha256, sha512 string
	}{
		{59, "94287082", "46119246", "90693936"},
		{1111111109, "07081804", "68084774", "25091201"},
		{1111111111, "14050471", "67062674", "99943326"},
		{1234567890, "89005924", "91819424", "93441116"},
		{2000000000, "69279037", "90698825", "38618901"},
		{20000000000, "65353130", "77737706", "47863826"},
	}
	for _, v := range vectors {
		for _, device := range []struct {
			algorithm Algorithm
			secret    int
			want      string
		}{{SHA1, 20, v.sha1}, {SHA256, 32, v.sha256}, {SHA512, 64, v.sha512}} {
			p := Params{Method: TOTP, Secret: rfcSecret(device.secret), Digits: 8, Period: 30, Algorithm: device.algorithm}
			now := time.Unix(v.time, 0)
			if got := code(t, p, p.Step(now)); got != device.want {
				t.Errorf("%s at %d: got %s, want %s", device.algorithm, v.time, got, device.want)
			}
			if m := p.MatchTOTP(device.want, now, 0, 0); !m.OK || m.Counter != p.Step(now) {
				t.Errorf("%s at %d: %s is not accepted: %+v", device.algorithm, v.time, device.want, m)
			}
		}
	}
}

func TestCodeOfAnyNumberOfDigitsIsThatComputedByHand(t *testing.T) {
	r := seeded(t)
	counters := []uint64{0, 1, math.MaxInt32, math.MaxInt64, math.MaxUint64}
	for digits := MinDigits; digits <= MaxDigits; digits++ {
		for range 50 {
			p := randomParams(r)
			p.Digits = digits
			for _, counter := range append(counters, r.Uint64()) {
				got, want := code(t, p, counter), byHand(p, counter)
				if got != want || len(got) != digits {
					t.Fatalf("%v, secret %x, counter %d: got %s, want %s", p, p.Secret, counter, got, want)
				}
			}
		}
	}
}

func TestCheckSaysWhichFieldIsWrong(t *testing.T) {
	tests := map[string]struct {
		change func(*Params)
		want   string // in the error; "" when the parameters are right
	}{
		"a usual device":              {func(*Params) {}, ""},
		"4 digits":                    {func(p *Params) { p.Digits = 4 }, ""},
		"12 digits":                   {func(p *Params) { p.Digits = 12 }, ""},
		"10 seconds":                  {func(p *Params) { p.Period = 10 }, ""},
		"300 seconds":                 {func(p *Params) { p.Period = 300 }, ""},
		"SHA512":                      {func(p *Params) { p.Algorithm = SHA512 }, ""},
		"secret of 16 bytes":          {func(p *Params) { p.Secret = rfcSecret(16) }, ""},
		"secret of 128 bytes":         {func(p *Params) { p.Secret = rfcSecret(128) }, ""},
		"hotp without a period":       {func(p *Params) { p.Method, p.Period = HOTP, 0 }, ""},
		"the zero value":              {func(p *Params) { *p = Params{} }, "method"},
		"unknown method":              {func(p *Params) { p.Method = "sms" }, "method"},
		"method in capitals":          {func(p *Params) { p.Method = "TOTP" }, "method"},
		"no digits":                   {func(p *Params) { p.Digits = 0 }, "0 digits"},
		"3 digits":                    {func(p *Params) { p.Digits = 3 }, "3 digits"},
		"13 digits":                   {func(p *Params) { p.Digits = 13 }, "13 digits"},
		"-1 digits":                   {func(p *Params) { p.Digits = -1 }, "-1 digits"},
		"no period":                   {func(p *Params) { p.Period = 0 }, "period"},
		"9 seconds":                   {func(p *Params) { p.Period = 9 }, "period"},
		"301 seconds":                 {func(p *Params) { p.Period = 301 }, "period"},
		"period below zero":           {func(p *Params) { p.Period = -30 }, "period"},
		"hotp with a period":          {func(p *Params) { p.Method = HOTP }, "period"},
		"no algorithm":                {func(p *Params) { p.Algorithm = "" }, "algorithm"},
		"MD5, which the library has":  {func(p *Params) { p.Algorithm = "MD5" }, "algorithm"},
		"algorithm in another case":   {func(p *Params) { p.Algorithm = "sha1" }, "algorithm"},
		"algorithm with a hyphen":     {func(p *Params) { p.Algorithm = "SHA-1" }, "algorithm"},
		"no secret":                   {func(p *Params) { p.Secret = nil }, "secret of 0 bytes"},
		"secret of 9 bytes":           {func(p *Params) { p.Secret = rfcSecret(9) }, "secret of 9 bytes"},
		"secret of 129 bytes":         {func(p *Params) { p.Secret = rfcSecret(129) }, "secret of 129 bytes"},
		"secret of 15 bytes":          {func(p *Params) { p.Secret = rfcSecret(15) }, "128 bits"},
		"short secret and a 3 digits": {func(p *Params) { p.Secret, p.Digits = rfcSecret(10), 3 }, "3 digits"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := standard(TOTP)
			test.change(&p)
			err := p.Check()
			if test.want == "" && err != nil {
				t.Fatalf("refused: %v", err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Fatalf("got error %v, want one with %q", err, test.want)
			}
			if errors.Is(err, ErrShortSecret) != (test.want == "128 bits") {
				t.Errorf("ErrShortSecret must be for a short secret and nothing else: %v", err)
			}
		})
	}
}

func TestASecretOf10To15BytesMakesCodesAndAShorterOneDoesNot(t *testing.T) {
	p := standard(HOTP)
	for length := range 16 {
		p.Secret = rfcSecret(length)
		got, err := p.Code(7)
		if length >= 10 && (err != nil || got != byHand(p, 7)) {
			t.Errorf("%d bytes: got %q and %v, want %s", length, got, err, byHand(p, 7))
		}
		if length < 10 && (err == nil || got != "") {
			t.Errorf("%d bytes: got %q and %v, want an error", length, got, err)
		}
		if (length >= 10) != p.MatchHOTP(byHand(p, 7), 7, 0).OK {
			t.Errorf("%d bytes: Match and Code do not agree", length)
		}
	}
}

func TestStepIsThatOfRFC6238Section42(t *testing.T) {
	tests := []struct {
		period int
		time   time.Time
		want   uint64
	}{
		{30, time.Unix(0, 0), 0},
		{30, time.Unix(29, 999999999), 0},
		{30, time.Unix(30, 0), 1},
		{30, time.Unix(59, 0), 1}, // the RFC's example
		{30, time.Unix(60, 0), 2}, // the RFC's example
		{10, time.Unix(1111111111, 0), 111111111},
		{300, time.Unix(1111111111, 0), 3703703},
		{30, time.Unix(-1, 0), 0},
		{30, time.Time{}, 0},
		{10, time.Unix(math.MaxInt64, 0), math.MaxInt64 / 10},
		{0, time.Unix(1111111111, 0), 0},
		{-30, time.Unix(1111111111, 0), 0},
		{30, time.Date(2026, 7, 1, 12, 0, 0, 0, time.FixedZone("", 3600)), 1782903600 / 30},
	}
	for _, test := range tests {
		p := standard(TOTP)
		p.Period = test.period
		if got := p.Step(test.time); got != test.want {
			t.Errorf("period %d, %v: got step %d, want %d", test.period, test.time, got, test.want)
		}
	}
}

func TestParseAlgorithm(t *testing.T) {
	good := map[string]Algorithm{
		"SHA1": SHA1, "sha1": SHA1, "SHA-1": SHA1, "sha-1": SHA1,
		"SHA256": SHA256, "Sha256": SHA256, "SHA-256": SHA256, "sha-512": SHA512, "sHa512": SHA512,
	}
	for name, want := range good {
		if got, err := ParseAlgorithm(name); err != nil || got != want {
			t.Errorf("%q: got %q and %v, want %s", name, got, err, want)
		}
	}
	bad := []string{"", "SHA", "SHA-", "SHA2", "SHA224", "SHA--1", "SHA1 ", " SHA1", "SHA1-", "S-HA1", "MD5", "HMACSHA1", "ſha1", "SHA１",
		"SHA1\x00", strings.Repeat("SHA1", 1000)}
	for _, name := range bad {
		if got, err := ParseAlgorithm(name); err == nil || got != "" || len(err.Error()) > 200 {
			t.Errorf("%.20q: got %q and %v, want a short error", name, got, err)
		}
	}
}

func TestParamsAndAnswersAreNeverPrintedWithTheirSecret(t *testing.T) {
	p := standard(TOTP)
	answer := ParseAnswer("287082")
	holder := struct {
		P Params
		A *Answer
	}{p, &answer}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		for _, value := range []any{p, &p, holder, answer, &answer, []any{p, answer}} {
			printed := fmt.Sprintf(verb, value)
			for _, secret := range []string{string(p.Secret), "49 50 51", "0x31", "313233", EncodeSecret(p.Secret), "287082"} {
				if strings.Contains(printed, secret) {
					t.Errorf("%s of %T prints %q: %s", verb, value, secret, printed)
				}
			}
		}
	}
	if got, want := fmt.Sprint(p), "totp, 6 digits, 30 s, SHA1, secret of 20 bytes"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := fmt.Sprint(answer), "digits (6 characters)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

package factor

import (
	"strconv"
	"testing"
)

func BenchmarkMatchTOTP(b *testing.B) {
	for _, discrepancy := range []int{1, 20, MaxDiscrepancy} {
		b.Run("discrepancy "+strconv.Itoa(discrepancy), func(b *testing.B) {
			p := standard(TOTP)
			for b.Loop() {
				p.MatchTOTP("000000", at(p, 50_000_000), discrepancy, 0)
			}
		})
	}
}

func BenchmarkMatchTOTPPair(b *testing.B) {
	p := standard(TOTP)
	for b.Loop() {
		p.MatchTOTPPair("000000000000", at(p, 50_000_000), 1, 0)
	}
}

// BenchmarkOffset is what a login costs more that is refused.
func BenchmarkOffset(b *testing.B) {
	for _, algorithm := range []Algorithm{SHA1, SHA256, SHA512} {
		b.Run(string(algorithm), func(b *testing.B) {
			p := standard(TOTP)
			p.Algorithm = algorithm
			for b.Loop() {
				p.Offset("000000", at(p, 50_000_000))
			}
		})
	}
}

func BenchmarkMatchHOTP(b *testing.B) {
	p := standard(HOTP)
	for b.Loop() {
		p.MatchHOTP("000000", 1000, 10)
	}
}

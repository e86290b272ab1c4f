package factor

import (
	"math/big"
	"testing"
)

// devices returns one TOTP device for each number of digits.
func devices(digits ...int) []Params {
	var all []Params
	for _, d := range digits {
		p := standard(TOTP)
		p.Digits = d
		all = append(all, p)
	}
	return all
}

func TestCostAndPairCost(t *testing.T) {
	hotp := standard(HOTP)
	tests := map[string]struct {
		devices                []Params
		discrepancy, lookAhead int
		cost, pair             int64 // thousandths of an attempt
	}{
		"no device at all":                         {nil, 1, 10, 1000, 1000},
		"one device as usual is one attempt":       {devices(6), 1, 10, 1000, 1000},
		"discrepancy 0 is still one":               {devices(6), 0, 10, 1000, 1000},
		"two devices are two":                      {devices(6, 6), 1, 10, 2000, 2000},
		"a third of an attempt is rounded up":      {devices(6, 6), 0, 10, 1000, 1000},
		"five acceptable codes":                    {devices(6), 2, 10, 1667, 1667},
		"seven acceptable codes":                   {devices(6), 3, 10, 2334, 2334},
		"the widest window":                        {devices(6), 480, 10, 320334, 320334},
		"5 digits are guessed ten times easier":    {devices(5), 1, 10, 10_000, 100_000},
		"4 digits a hundred times":                 {devices(4), 1, 10, 100_000, 10_000_000},
		"4 digits and the widest window":           {devices(4), 480, 10, 32_033_334, 3_203_333_334},
		"7 digits in the widest window":            {devices(7), 480, 10, 32_034, 3204},
		"8 digits in the widest window":            {devices(8), 480, 10, 3204, 1000},
		"9 digits in the widest window":            {devices(9), 480, 10, 1000, 1000},
		"more digits than 31 bits have count as 9": {devices(10, 11, 12, 12), 480, 10, 1282, 1000},
		"an HOTP device with its look-ahead":       {[]Params{hotp}, 1, 10, 3667, 3667},
		"an HOTP device without":                   {[]Params{hotp}, 1, 0, 1000, 1000},
		"TOTP and HOTP add up":                     {append(devices(6, 8), hotp), 1, 5, 3010, 3001},
		"windows out of range match nothing":       {append(devices(6), hotp), -1, MaxLookAhead + 1, 1000, 1000},
		"the zero value matches nothing":           {make([]Params, 3), 1, 10, 1000, 1000},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Cost(test.devices, test.discrepancy, test.lookAhead); got != test.cost {
				t.Errorf("cost: got %d, want %d", got, test.cost)
			}
			if got := PairCost(test.devices, test.discrepancy, test.lookAhead); got != test.pair {
				t.Errorf("pair cost: got %d, want %d", got, test.pair)
			}
		})
	}
}

// ceiling computes the cost of one device from the formula, with fractions.
func ceiling(acceptable, tens int) int64 {
	cost := new(big.Rat).SetFrac64(int64(acceptable)*1000, 3)
	ten := big.NewRat(10, 1)
	for range max(tens, -tens) {
		if tens > 0 {
			cost.Mul(cost, ten)
		} else {
			cost.Quo(cost, ten)
		}
	}
	up := new(big.Int).Add(cost.Num(), new(big.Int).Sub(cost.Denom(), big.NewInt(1)))
	return max(1000, up.Div(up, cost.Denom()).Int64())
}

func TestCostIsTheFormulaForEveryWindow(t *testing.T) {
	for digits := MinDigits; digits <= guessableDigits; digits++ {
		for discrepancy := range MaxDiscrepancy + 1 {
			acceptable := 2*discrepancy + 1
			if got, want := Cost(devices(digits), discrepancy, 0), ceiling(acceptable, 6-digits); got != want {
				t.Fatalf("%d digits, discrepancy %d: got %d, want %d", digits, discrepancy, got, want)
			}
			if got, want := PairCost(devices(digits), discrepancy, 0), ceiling(acceptable, 12-2*digits); got != want {
				t.Fatalf("pairs of %d digits, discrepancy %d: got %d, want %d", digits, discrepancy, got, want)
			}
		}
	}
}

func TestAcceptableIsTheNumberOfCodesThatMatch(t *testing.T) {
	for _, width := range []int{-1, 0, 1, 7} {
		totp, hotp := standard(TOTP), standard(HOTP)
		totp.Digits, hotp.Digits = 9, 9
		var steps, counters int
		for c := uint64(1000); c < 1100; c++ {
			if totp.MatchTOTP(code(t, totp, c), at(totp, 1050), width, 0).OK {
				steps++
			}
			if hotp.MatchHOTP(code(t, hotp, c), 1050, width).OK {
				counters++
			}
		}
		if got := totp.Acceptable(width, 0); got != steps {
			t.Errorf("TOTP, discrepancy %d: got %d, want %d", width, got, steps)
		}
		if got := hotp.Acceptable(0, width); got != counters {
			t.Errorf("HOTP, look-ahead %d: got %d, want %d", width, got, counters)
		}
	}
}

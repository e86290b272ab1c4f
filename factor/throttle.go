package factor

// An attempt is the unit of the throttle: what it costs to look at one answer when three codes of 6 digits are acceptable,
// as with one device and a discrepancy of 1. Whoever may try n attempts succeeds with a probability of about 3n in a
// million, whatever the devices are: an answer that has a better chance costs more.

// milliAttempt is how the costs are counted.
const milliAttempt = 1000

// guessableDigits is where more digits stop being harder to guess: the value under a code has 31 bits.
const guessableDigits = 9

// Acceptable returns how many codes of the device an answer is compared with: 2·discrepancy+1 steps for TOTP,
// lookAhead+1 counters for HOTP. It is 0 where nothing can match: a window or a method out of range.
func (p Params) Acceptable(discrepancy, lookAhead int) int {
	switch {
	case p.Method == TOTP && discrepancy >= 0 && discrepancy <= MaxDiscrepancy:
		return 2*discrepancy + 1
	case p.Method == HOTP && lookAhead >= 0 && lookAhead <= MaxLookAhead:
		return lookAhead + 1
	}
	return 0
}

// Cost returns what one answer costs, in thousandths of an attempt: the sum over the devices of acceptable codes ×
// 10^(6−digits), divided by 3 and rounded up; at least one attempt. It can be far above what a bucket holds (320 attempts
// at 6 digits and a discrepancy of 480), so a full bucket must admit any answer.
func Cost(devices []Params, discrepancy, lookAhead int) int64 {
	var sum int64 // in codes of 9 digits
	for _, p := range devices {
		sum += int64(p.Acceptable(discrepancy, lookAhead)) * pow10(guessableDigits-p.guessable())
	}
	return atLeastOne(sum, pow10(guessableDigits-6))
}

// PairCost is Cost for two codes in a row typed together, in thousandths of an attempt of pair mode: 10^(12−2·digits)
// stands for 10^(6−digits). For HOTP lookAhead+1 is the width of the resynchronisation. A TOTP window has one pair more
// than codes; it is not counted, so that the usual device costs one attempt here too.
func PairCost(devices []Params, discrepancy, lookAhead int) int64 {
	var sum int64 // in pairs of 9 digits each
	for _, p := range devices {
		sum += int64(p.Acceptable(discrepancy, lookAhead)) * pow10(2*(guessableDigits-p.guessable()))
	}
	return atLeastOne(sum, pow10(2*(guessableDigits-6)))
}

// atLeastOne turns a sum into thousandths of an attempt, rounded up; three times six digits are one attempt.
func atLeastOne(sum, sixDigits int64) int64 {
	attempt := 3 * sixDigits
	return max(milliAttempt, (sum*milliAttempt+attempt-1)/attempt)
}

// guessable returns how many digits of the code make it hard to guess.
func (p Params) guessable() int {
	return min(max(p.Digits, MinDigits), guessableDigits)
}

// pow10 returns 10 to the power of n, for n from 0 to 18.
func pow10(n int) int64 {
	power := int64(1)
	for range n {
		power *= 10
	}
	return power
}

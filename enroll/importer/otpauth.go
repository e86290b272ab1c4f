package importer

import (
	"io"

	"twokey/enroll/batch"
	"twokey/factor"
)

func readOTPAuth(c *collector, r io.Reader) error {
	return c.eachLine(r, MaxFile, func(number int, text string) {
		account, issuer, p, counter, err := factor.ParseURI(text)
		if err != nil {
			c.wrong(number, c.userOf(factor.AccountOf(text)), err)
			return
		}
		f := found{line: number, user: c.userOf(account), device: batch.Device{Method: p.Method, Secret: p.Secret, Digits: p.Digits,
			Period: p.Period, Algorithm: p.Algorithm}}
		if p.Method == factor.HOTP {
			f.device = byCounter(f.device, counter)
		}
		f.named(issuer, account)
		c.add(f)
	})
}

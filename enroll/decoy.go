package enroll

import (
	"os"

	"twokey/factor"
	"twokey/secrets"
)

// decoyRecovery is as many recovery codes as a user has who was enrolled without a wish.
const decoyRecovery = 10

// CreateDecoys makes what the work for those is done on who cannot get in, where it is missing: secrets like those of the usual
// user, and states.
func (u *Users) CreateDecoys() error {
	host, err := os.Hostname()
	if err != nil {
		host = "host"
	}
	usual := factor.Params{Method: factor.TOTP, Digits: factor.DefaultDigits, Period: factor.DefaultPeriod, Algorithm: factor.SHA1}
	d, err := u.Draft(Account{}, Request{Device: "phone", Params: usual, Issuer: host, Label: "decoy@" + host, Recovery: decoyRecovery})
	if err != nil {
		return err
	}
	record := &secrets.Record{Serial: secrets.NextSerial(0, u.Now()), Devices: []secrets.Device{d.Device}, Recovery: d.recovery}
	if err := u.Secrets.CreateDecoy(record); err != nil {
		return err
	}
	return u.State.CreateDecoys()
}

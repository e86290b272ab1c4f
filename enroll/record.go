package enroll

import "twokey/secrets"

// NewRecord is the content of a new file with the devices of drafts for one user, and the recovery codes of the first: for a host
// that is elsewhere.
func NewRecord(user string, serial uint64, drafts []*Draft) (*secrets.Record, error) {
	record := &secrets.Record{User: user, Serial: serial}
	for i, d := range drafts {
		beside := *d
		beside.add = i > 0
		if err := beside.putInto(record); err != nil {
			return nil, err
		}
	}
	return record, nil
}

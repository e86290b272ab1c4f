package enroll

import (
	"errors"
	"io/fs"

	"twokey/device"
	"twokey/internal/cores"
	"twokey/internal/safefile"
	"twokey/secrets"
	"twokey/state"
)

// newcomer is an account of a batch of which nothing is there yet, with all drafts that are for it.
type newcomer struct {
	account Account
	drafts  []int // places in the batch
	record  *secrets.Record
}

// CommitAll puts many drafts in force, each as Commit does, and returns an error for each: one that fails stops no other. Accounts of
// which nothing is there yet are written together, with a few waits for the disk (see safefile.WriteAll); further drafts of the same
// account join the first where they Add. Killed at any point, each account is as it was or has all its devices. Two thousand drafts at
// a time are a good number: more take memory and save little.
func (u *Users) CommitAll(drafts []*Draft) []error {
	errs := make([]error, len(drafts))
	fresh, others := u.sortOut(drafts, errs)
	u.commitNew(fresh, drafts, errs)
	for _, i := range others {
		errs[i] = u.Commit(drafts[i])
	}
	return errs
}

// sortOut finds the accounts of which nothing is there. The others are left to Commit.
func (u *Users) sortOut(drafts []*Draft, errs []error) (fresh []*newcomer, others []int) {
	isNew := u.areNew(drafts, errs)
	names, uids := map[string]*newcomer{}, map[uint32]bool{}
	for i, d := range drafts {
		if n := names[d.Account.Name]; n != nil && n.account == d.Account && d.add {
			if errs[i] = d.putInto(n.record); errs[i] == nil {
				n.drafts = append(n.drafts, i)
			}
			continue
		}
		if errs[i] != nil {
			continue
		}
		if !isNew[i] || uids[d.Account.UID] || names[d.Account.Name] != nil {
			others = append(others, i)
			continue
		}
		n := &newcomer{account: d.Account, drafts: []int{i}, record: &secrets.Record{User: d.Account.Name, Serial: secrets.NextSerial(0, u.Now())}}
		if errs[i] = d.putInto(n.record); errs[i] == nil {
			names[d.Account.Name], uids[d.Account.UID] = n, true
			fresh = append(fresh, n)
		}
	}
	return fresh, others
}

// areNew reports of which accounts nothing is known: neither a secret file, nor a state, nor an enrolment that has begun, nor a user id.
func (u *Users) areNew(drafts []*Draft, errs []error) []bool {
	begun, err := u.folder()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		for i := range errs {
			errs[i] = err
		}
		return nil
	}
	isNew := make([]bool, len(drafts))
	cores.Each(len(drafts), func(i int) { isNew[i], errs[i] = u.isNew(drafts[i].Account, begun) })
	if begun != nil {
		begun.Close()
	}
	return isNew
}

// isNew is areNew for one account. The folder is that of enrolments which have begun, nil when there never was one.
func (u *Users) isNew(a Account, begun *safefile.Dir) (bool, error) {
	if err := u.checkOwner(a); err != nil {
		return false, err
	}
	if enrolled, err := u.Secrets.Enrolled(a.Name); err != nil || enrolled {
		return false, err
	}
	if _, err := u.State.Read(a.Name); !errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if begun == nil {
		return true, nil
	}
	n, err := readUnfinishedIn(begun, a.Name)
	return err == nil && n == nil, nil
}

// commitNew writes, for each, the state, which is the lock, the user id, and the secret file, in this order and none over one that is there.
// Then the state learns of the secret file. The lock is had until that is done. A kill before the secret file leaves a state without devices, and
// one behind it what the next login tells the state.
//
// Attack, on a state that is not locked: a reset between the state and the secret file would make the latter an old one, which refuses
// everything, and say that the user may enrol.
func (u *Users) commitNew(fresh []*newcomer, drafts []*Draft, errs []error) {
	placed, err := safefile.WriteAll(len(fresh), func(i int, set *safefile.Set) error { return u.prepare(set, fresh[i], drafts) })
	for i, n := range fresh {
		failed := placed[i]
		switch {
		case err != nil:
			failed = err
		case errors.Is(failed, fs.ErrExist):
			failed = ErrEnrolled // by somebody who was quicker
		}
		for _, d := range n.drafts {
			errs[d] = failed
		}
	}
}

func (u *Users) prepare(set *safefile.Set, n *newcomer, drafts []*Draft) error {
	first := &state.State{User: n.account.Name, UID: n.account.UID}
	told := &state.State{User: n.account.Name, UID: n.account.UID}
	if _, err := device.Join(told, n.record, 0, u.Now()); err != nil {
		return err
	}
	for _, i := range n.drafts {
		drafts[i].tell(told)
	}
	return errors.Join(u.State.NewIn(set, first, told), u.State.BindIn(set, n.account.UID, n.account.Name), u.Secrets.SaveNewIn(set, n.record))
}

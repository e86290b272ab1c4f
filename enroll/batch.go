package enroll

import (
	"cmp"
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

// CommitAll puts many drafts in force, each as Commit does, and returns an error for each: one that fails stops the later ones of the same
// account, which have its error, and no other. Accounts of which nothing is there yet are written together, with a few waits for the disk
// (see safefile.WriteAll); further drafts of the same account join the first where they Add. Killed at any point, each account is as it
// was or has all its devices. Two thousand drafts at a time are a good number: more take memory and save little.
//
// Attack, on drafts that each go by themselves: of somebody who was enrolled meanwhile the first is refused and the second, which adds,
// is put in force, though all are told not to count.
func (u *Users) CommitAll(drafts []*Draft) []error {
	errs, stopped := make([]error, len(drafts)), map[string]error{}
	fresh, others := u.sortOut(drafts, errs, stopped)
	for _, i := range append(others, u.commitNew(fresh, drafts, errs)...) {
		name := drafts[i].Account.Name
		if errs[i] = stopped[name]; errs[i] == nil {
			errs[i] = u.Commit(drafts[i])
			stopped[name] = errs[i]
		}
	}
	return errs
}

// sortOut finds the accounts of which nothing seems to be there. The others are left to Commit. An account of which one draft fails is
// stopped with its error.
func (u *Users) sortOut(drafts []*Draft, errs []error, stopped map[string]error) (fresh []*newcomer, others []int) {
	isNew := u.mayBeNew(drafts, errs)
	names, uids := map[string]*newcomer{}, map[uint32]bool{}
	for i, d := range drafts {
		name := d.Account.Name
		if errs[i] = cmp.Or(stopped[name], errs[i]); errs[i] != nil {
			stopped[name] = errs[i]
			continue
		}
		if n := names[name]; n != nil && n.account == d.Account && d.add {
			if errs[i] = d.putInto(n.record); errs[i] == nil {
				n.drafts = append(n.drafts, i)
			}
			stopped[name] = errs[i]
			continue
		}
		if !isNew[i] || uids[d.Account.UID] || names[name] != nil {
			others = append(others, i)
			continue
		}
		n := &newcomer{account: d.Account, drafts: []int{i}, record: &secrets.Record{User: d.Account.Name, Serial: secrets.NextSerial(0, u.Now())}}
		if errs[i] = d.putInto(n.record); errs[i] == nil {
			names[name], uids[d.Account.UID] = n, true
			fresh = append(fresh, n)
		}
		stopped[name] = errs[i]
	}
	return fresh, others
}

// mayBeNew reports of which accounts there is neither a secret file nor an enrolment that is still to come. Whether there is a state, and
// whose the user id is, is seen when theirs are written.
func (u *Users) mayBeNew(drafts []*Draft, errs []error) []bool {
	begun, err := u.folder()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		for i := range errs {
			errs[i] = err
		}
		return nil
	}
	isNew := make([]bool, len(drafts))
	cores.Each(len(drafts), func(i int) { isNew[i], errs[i] = u.isNew(drafts[i].Account.Name, begun) })
	if begun != nil {
		begun.Close()
	}
	return isNew
}

// isNew is mayBeNew for one. The folder is that of enrolments which have begun, nil when there never was one.
func (u *Users) isNew(user string, begun *safefile.Dir) (bool, error) {
	there, err := u.Secrets.Enrolled(user)
	if err == nil && !there && begun != nil {
		there, err = begun.Exists(safefile.UserFileName(user))
	}
	return !there, err
}

// commitNew writes, for each, the state, which is the lock, the user id, and the secret file, in this order and none over one that is there.
// Then the state learns of the secret file. The lock is had until that is done. A kill before the secret file leaves a state without devices, and
// one behind it what the next login tells the state. Those of whom one of the three was there are left to Commit.
//
// Attack, on a state that is not locked: a reset between the state and the secret file would make the latter an old one, which refuses
// everything, and say that the user may enrol.
func (u *Users) commitNew(fresh []*newcomer, drafts []*Draft, errs []error) (others []int) {
	placed, err := safefile.WriteAll(len(fresh), func(i int, set *safefile.Set) error { return u.prepare(set, fresh[i], drafts) })
	for i, n := range fresh {
		if err == nil && errors.Is(placed[i], fs.ErrExist) {
			others = append(others, n.drafts...)
			continue
		}
		for _, d := range n.drafts {
			errs[d] = errors.Join(err, placed[i])
		}
	}
	return others
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
	return errors.Join(u.State.NewIn(set, first, told), u.State.BindNewIn(set, n.account.UID, n.account.Name), u.Secrets.SaveNewIn(set, n.record))
}

package batch

import (
	"errors"

	"twokey/device"
	"twokey/enroll"
	"twokey/state"
)

// atOnce is how many users are carried out together: enough that waiting for the disk costs little, few enough that what is lost by a
// kill, and the memory for it, stay small.
const atOnce = 500

// Steps are what the caller does around each few hundred plans.
type Steps struct {
	// Made is called with the drafts, before any of them is in force: what nobody could be told of must not be. It sets Err of the
	// plans that shall not be carried out.
	Made func([]*Plan)
	// Ran is called when they have been carried out. An error ends the run.
	Ran func([]*Plan) error
}

// Run carries out plans. What goes wrong with one is in its Err and stops no other. Users are independent: a kill at any point leaves
// each of them as he was or as he shall be, or, with a further device or phone number of a new user still to come, enrolled.
func (j *Job) Run(plans []*Plan, steps Steps) error {
	for len(plans) > 0 {
		n := min(atOnce, len(plans))
		some := plans[:n]
		plans = plans[n:]
		for _, p := range some {
			p.Err = j.prepare(p)
		}
		steps.Made(some)
		j.enroll(some)
		for _, p := range some {
			if p.Err == nil {
				p.Err = j.rest(p)
			}
		}
		if err := steps.Ran(some); err != nil {
			return err
		}
		for _, p := range some {
			p.Drafts, p.Codes, p.alter, p.add, p.first, p.learn = nil, nil, enroll.Alteration{}, nil, nil, nil // secrets, and memory
		}
	}
	return nil
}

// prepare makes the devices of a plan.
func (j *Job) prepare(p *Plan) error {
	if p.first != nil {
		d, err := j.draft(p, p.first, p.codes, false)
		if err != nil {
			return err
		}
		p.Drafts, p.Codes = append(p.Drafts, d), d.RecoveryCodes
	}
	for _, wanted := range p.add {
		d, err := j.draft(p, wanted, 0, true)
		if err != nil {
			return err
		}
		p.Drafts = append(p.Drafts, d)
		p.alter.Add = append(p.alter.Add, d)
	}
	return nil
}

func (j *Job) draft(p *Plan, wanted *Device, codes int, add bool) (*enroll.Draft, error) {
	r := wanted.Request(p.User.Name, j.Usual)
	r.Recovery, r.Add, r.By, r.AllowShort = codes, add, j.By, j.AllowShort
	if wanted.Until != nil {
		r.Until = *wanted.Until
	}
	return j.Users.Draft(p.Account, r)
}

// enroll gives those who have none their first device, together.
func (j *Job) enroll(plans []*Plan) {
	var firsts []*enroll.Draft
	var whose []*Plan
	for _, p := range plans {
		if p.Err == nil && p.first != nil {
			firsts, whose = append(firsts, p.Drafts[0]), append(whose, p)
		}
	}
	for i, err := range j.Users.CommitAll(firsts) {
		if whose[i].Err = err; err == nil {
			whose[i].Done = whose[i].Changes[:whose[i].begun]
		}
	}
}

// rest is what is not the first device.
func (j *Job) rest(p *Plan) error {
	alters := len(p.alter.Add) > 0 || len(p.alter.Remove) > 0 || len(p.alter.Until) > 0 || p.alter.Phone != nil
	var err error
	switch {
	case p.remove:
		err = j.Users.Unenroll(p.User.Name)
	case alters:
		err = j.Users.Alter(p.Account, p.alter)
	case p.learn != nil:
		err = j.learn(p)
	}
	if err != nil {
		return err
	}
	if p.first == nil && p.codes > 0 {
		if p.Codes, err = j.Users.NewRecovery(p.User.Name, p.codes); err != nil {
			return err
		}
	}
	p.Done = p.Changes
	return nil
}

// learn tells the state of a secret file that is newer: somebody was killed in between.
func (j *Job) learn(p *Plan) error {
	err := j.Users.State.Update(p.User.Name, func(tx *state.Tx) error {
		_, err := device.Join(tx.State, p.learn, 0, j.Users.Now())
		return err
	})
	if errors.Is(err, device.ErrRolledBack) {
		return nil // somebody has changed him meanwhile, and told it
	}
	return err
}

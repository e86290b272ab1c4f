package batch

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"twokey/audit"
	"twokey/device"
	"twokey/enroll"
	"twokey/internal/cores"
	"twokey/secrets"
	"twokey/state"
)

// atOnce is how many users are carried out together: enough that waiting for the disk costs little, few enough that what is lost by a
// kill, and the memory for it, stay small.
const atOnce = 2000

// Steps are what the caller does around each of these many plans.
type Steps struct {
	// Made is called with the drafts and the recovery codes, before any of them is in force: what nobody could be told of must not be. It
	// sets Err of the plans that shall not be carried out. Two goroutines may call it at once, with other plans.
	Made func([]*Plan)
	// Moved, if it is not nil, is called with how many more plans are behind us. Two goroutines may call it at once.
	Moved func(int)
	// Ran is called when they have been carried out, in the order of the plans. An error ends the run, behind those that have begun.
	Ran func([]*Plan) error
}

// Run carries out plans. What goes wrong with one is in its Err and stops no other. Users are independent: a kill at any point leaves
// each of them as he was or as he shall be. While some plans wait for the disk, the next are prepared.
func (j *Job) Run(plans []*Plan, steps Steps) error { return j.run(plans, steps, atOnce) }

func (j *Job) run(plans []*Plan, steps Steps, size int) error {
	var last *some
	for chunk := range slices.Chunk(plans, size) {
		next := j.begin(chunk, steps)
		if err := last.finish(steps.Ran); err != nil {
			return errors.Join(err, next.finish(steps.Ran))
		}
		last = next
	}
	return last.finish(steps.Ran)
}

// some are plans that are being carried out.
type some struct {
	plans []*Plan
	done  chan struct{}
}

func (j *Job) begin(plans []*Plan, steps Steps) *some {
	s := &some{plans, make(chan struct{})}
	moved := steps.Moved
	if moved == nil {
		moved = func(int) {}
	}
	go func() {
		defer close(s.done)
		cores.Each(len(plans), func(i int) { plans[i].Err = j.prepare(plans[i]) })
		steps.Made(plans)
		moved(j.enroll(plans))
		for _, p := range plans {
			if p.isNew {
				continue
			}
			if p.Err == nil {
				p.Err = j.rest(p)
				j.settle(p)
			}
			moved(1)
		}
	}()
	return s
}

// finish waits for them; nil is none.
func (s *some) finish(ran func([]*Plan) error) error {
	if s == nil {
		return nil
	}
	<-s.done
	err := ran(s.plans)
	for _, p := range s.plans {
		p.Drafts, p.Codes, p.alter, p.add, p.learn = nil, nil, nil, nil, nil // secrets, and memory
	}
	return err
}

// prepare makes the devices and the recovery codes of a plan.
func (j *Job) prepare(p *Plan) error {
	for i, wanted := range p.add {
		r := wanted.Request(p.User.Name, j.Usual)
		r.Add, r.By, r.AllowShort = true, j.By, j.AllowShort
		if wanted.Until != nil {
			r.Until = *wanted.Until
		}
		if p.isNew && i == 0 {
			r.Add, r.Recovery, r.Phone = false, p.codes, p.phone
		}
		if wanted.sent() {
			r.Phone = p.phone
		}
		d, err := j.Users.Draft(p.Account, r)
		if err != nil {
			return err
		}
		p.Drafts = append(p.Drafts, d)
		p.Codes = append(p.Codes, d.RecoveryCodes...)
	}
	var err error
	if p.codes > 0 && !p.isNew {
		p.Codes, err = p.alteration().DrawRecovery(p.codes)
	}
	return err
}

// enroll gives those who have none their devices, together, and each of them all of his in one step. It returns how many plans these are.
func (j *Job) enroll(plans []*Plan) (fresh int) {
	var drafts []*enroll.Draft
	var whose []*Plan
	for _, p := range plans {
		if p.isNew {
			fresh++
		}
		if p.Err != nil || !p.isNew {
			continue
		}
		for _, d := range p.Drafts {
			drafts, whose = append(drafts, d), append(whose, p)
		}
	}
	for i, err := range j.Users.CommitAll(drafts) {
		if p := whose[i]; p.Err == nil {
			p.Err = err
		}
	}
	for _, p := range slices.Compact(whose) {
		j.settle(p)
	}
	return fresh
}

// settle says what was done of a plan that was carried out. Of one that has failed that is what is in force all the same: the disk may have
// failed behind the step that put it there. Where it cannot be seen, all of it may be. Its Drafts are then those that are surely not in force.
//
// Attack, or a worn disk: who is told that his device does not count, and is required to have one, is locked out; and a device that is in no
// record lets somebody in for ever.
func (j *Job) settle(p *Plan) {
	if p.Err == nil {
		p.Done = p.Changes
		return
	}
	if len(p.Drafts)+len(p.Codes) == 0 {
		return
	}
	record, err := j.Users.Secrets.Load(p.User.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		p.Drafts, p.Done = nil, p.Changes
		p.Err = fmt.Errorf("%w; it cannot be seen whether it is in force all the same: %w", p.Err, err)
	default:
		p.keep(record)
	}
}

// keep is for a plan that has failed, of whose user this is the secret file.
func (p *Plan) keep(record *secrets.Record) {
	var there []string
	var not []*enroll.Draft
	lost := map[string]bool{} // changes
	for _, d := range p.Drafts {
		if slices.ContainsFunc(record.Devices, func(has secrets.Device) bool { return has.ID == d.Device.ID }) {
			there = append(there, fmt.Sprintf("device %q", d.Device.Name))
		} else {
			not = append(not, d)
			lost[text(d.Device)], lost["device "+d.Device.Name+" until"] = true, true
		}
	}
	if p.alteration().DrewRecovery(record) {
		there = append(there, "recovery codes")
	}
	if len(there) == 0 {
		return
	}
	p.Drafts = not
	p.Done = slices.DeleteFunc(slices.Clone(p.Changes), func(c audit.Change) bool { return lost[c.Field] || c.Field == "device" && lost[c.New] })
	p.Err = fmt.Errorf("%w; in force all the same, though it may not last a loss of power: %s", p.Err, strings.Join(there, ", "))
}

// rest is for those who have devices.
func (j *Job) rest(p *Plan) error {
	c := p.alteration()
	c.Add = p.Drafts
	alters := len(c.Add) > 0 || len(c.Remove) > 0 || len(c.Until) > 0 || c.Phone != nil || p.codes > 0
	var err error
	switch {
	case p.remove:
		err = j.Users.Unenroll(p.User.Name)
	case alters:
		err = j.Users.Alter(p.Account, *c)
	case p.learn != nil:
		err = j.learn(p)
	}
	return err
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

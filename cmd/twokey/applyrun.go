package main

import (
	"errors"
	"fmt"

	"twokey/enroll/batch"
)

// run does what was planned: first the devices, then what the policy demands of their owners. It tells of what was done also when it ends
// before its time.
func (a *application) run() error {
	err := a.runPlans()
	var policy *edited
	if err == nil {
		policy, err = a.applyPolicy()
	}
	if err != nil {
		a.lists = &configEdit{} // nobody is required by it
	}
	return errors.Join(err, a.tellDone(policy))
}

func (a *application) runPlans() error {
	var todo []*batch.Plan
	for _, p := range a.plans {
		if p.Err == nil && !p.Idle() {
			todo = append(todo, p)
		}
	}
	total := len(todo)
	if a.sheetDir != nil {
		total *= 2 // a page is a step too
	}
	var end func()
	a.step, end = a.ui.progress("changing", a.worthABar(total))
	defer end()
	return a.job.Run(todo, batch.Steps{Made: a.made, Moved: a.step, Ran: a.ran})
}

// worthABar leaves the bar out where lines are printed on the same terminal all the time.
func (a *application) worthABar(n int) int {
	if _, terminal := a.ui.width(); a.show && terminal {
		return 0
	}
	return n
}

// errStopped ends the run, and is no fault of the rows that were still to come.
var errStopped = errors.New("who is left was not changed")

// made is called for users whose devices and codes are not in force yet, by two goroutines at once. Whoever has been told of them by then
// can tell their owners. What a kill has ended in between is done again with other secrets; but a secret that is in force and that nobody
// saw would lock its owner out.
func (a *application) made(some []*batch.Plan) {
	a.recordBegin(some)
	a.writeSheets(some)
	a.showSecrets(some)
}

// ran records what was done.
func (a *application) ran(some []*batch.Plan) error {
	err := a.recordPlans(some)
	var stopped error
	for _, p := range some {
		a.takeBack(p)
		switch {
		case p.Err == nil:
		case errors.Is(p.Err, errStopped):
			stopped = p.Err
		default:
			a.fail(p)
		}
	}
	return errors.Join(err, stopped)
}

// takeBack is for who was told of what has not come into force: of a plan that has failed, the drafts that are left in it.
func (a *application) takeBack(p *batch.Plan) {
	a.telling.Lock()
	defer a.telling.Unlock()
	if p.Err != nil && a.printed[p] && len(p.Done) == 0 {
		p.Err = fmt.Errorf("%w; what was shown for this user does not count", p.Err)
	}
	if p.Err != nil && a.paged[p] {
		p.Err = errors.Join(p.Err, a.removeSheets(p))
	}
	delete(a.paged, p)
	delete(a.printed, p)
}

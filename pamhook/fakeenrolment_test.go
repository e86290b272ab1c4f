package pamhook

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
	"time"

	"twokey/device"
	"twokey/factor"
	"twokey/pamhook/wire"
	"twokey/policy"
	"twokey/secrets"
	"twokey/state"
)

const enrolCode = "aaaa-0000-bbbb"

// enrolments are what package enroll keeps, for one world.
type enrolments struct {
	open      map[string]string // enrolment codes by user
	ended     bool              // the time of the codes is over
	announced []Announcement
	lacking   []string // services
	draft     *fakeDraft
	drawn     int    // drafts that were made
	picture   string // instead of the usual one
	meanwhile bool   // somebody has ended what was begun
	texts     []time.Time
}

// fakeEnrolment is package enroll without its files.
type fakeEnrolment struct{ w *world }

func (f fakeEnrolment) CodeOpen(user string) (bool, error) {
	return f.w.enrol.open[user] != "" && !f.w.enrol.ended, f.w.call("CodeOpen")
}

func (f fakeEnrolment) CheckCode(a Account, answer string) error {
	if err := f.w.call("CheckCode"); err != nil {
		return err
	}
	switch {
	case f.w.enrol.ended || f.w.enrol.open[a.Name] == "":
		return ErrCodeEnded
	case f.w.enrol.open[a.Name] != answer:
		return ErrCode
	}
	return nil
}

func (f fakeEnrolment) Announce(_ Account, n Announcement) error {
	if err := f.w.call("Announce"); err != nil {
		return err
	}
	if slices.Contains(f.w.enrol.lacking, n.Service) {
		return ErrNoAccountLine
	}
	f.w.enrol.announced = append(f.w.enrol.announced, n)
	return nil
}

func (f fakeEnrolment) take(match func(Announcement) bool) (taken *Announcement) {
	if i := slices.IndexFunc(f.w.enrol.announced, match); i >= 0 {
		found := f.w.enrol.announced[i]
		taken, f.w.enrol.announced = &found, slices.Delete(f.w.enrol.announced, i, i+1)
	}
	return taken
}

func (f fakeEnrolment) TakeAnnouncement(_ Account, n Announcement) (*Announcement, error) {
	if err := f.w.call("TakeAnnouncement"); err != nil {
		return nil, err
	}
	return f.take(func(old Announcement) bool { return old.Process == n.Process && old.Service == n.Service }), nil
}

func (f fakeEnrolment) Missed(_ Account, n Announcement) (bool, error) {
	if err := f.w.call("Missed"); err != nil {
		return false, err
	}
	missed := f.take(func(old Announcement) bool {
		return old.Service == n.Service && (old.Process == n.Process || old.Parent == n.Process)
	}) != nil
	if missed {
		f.w.enrol.lacking = append(f.w.enrol.lacking, n.Service)
	}
	return missed, nil
}

func (f fakeEnrolment) Begin(a Account, wish Wish) (Draft, error) {
	if err := f.w.call("Begin"); err != nil {
		return nil, err
	}
	if f.w.enrol.meanwhile || wish.Code != f.w.enrol.open[a.Name] && f.w.policy.AtLogin == policy.AtLoginWithCode {
		return nil, ErrMeanwhile
	}
	if old := f.w.enrol.draft; old != nil && old.wish == wish && f.w.now.Sub(old.begun) < 15*time.Minute {
		return old, nil
	}
	f.w.enrol.drawn++
	d := newRecord("bob", 1).Devices[0]
	if wish.Method != d.Method {
		d = outOfBand(7, wish.Method)
	}
	d.Name, d.ID = wish.Device, secrets.ID{byte(f.w.enrol.drawn), 7}
	f.w.enrol.draft = &fakeDraft{w: f.w, device: d, wish: wish, begun: f.w.now}
	return f.w.enrol.draft, nil
}

// countries are those of the numbers that exist.
var countries = map[string]string{number: "United Kingdom", "+33123456789": "France"}

func (f fakeEnrolment) Country(number string) (string, error) {
	if err := f.w.call("Country"); err != nil {
		return "", err
	}
	if countries[number] == "" {
		return "", ErrNumber
	}
	return countries[number], nil
}

func (f fakeEnrolment) TakeText(_ Account, perHour int) error {
	if err := f.w.call("TakeText"); err != nil {
		return err
	}
	sent := state.Messages{Texts: f.w.enrol.texts}
	err := sent.TakeText(f.w.states, f.w.now, perHour)
	f.w.enrol.texts = sent.Texts
	return err
}

func (f fakeEnrolment) TakePush(Account) error {
	if err := f.w.call("TakePush"); err != nil {
		return err
	}
	sent := state.Messages{Texts: f.w.enrol.texts}
	err := sent.TakePush(f.w.now)
	f.w.enrol.texts = sent.Texts
	return err
}

// fakeDraft makes the codes of alice's phone; its picture is as large as a small one.
type fakeDraft struct {
	w        *world
	device   secrets.Device
	wish     Wish
	begun    time.Time
	finished bool
	code     string // that was sent; "": none is open
	until    time.Time
	came     bool // back
}

func (d *fakeDraft) Shown() Shown {
	switch d.device.Method {
	case device.SMS:
		return Shown{Device: d.device, Recovery: recovery}
	case device.Push:
		return Shown{Device: d.device, Address: "ntfy://ntfy.example.org/tk-topic", Topic: "tk-topic", Recovery: recovery,
			Picture: cmp.Or(d.w.enrol.picture, "▀▀▄▄\n▄▄▀▀\n"), Inverse: "▄▄▀▀\n▀▀▄▄\n", WidePicture: "######  \n##  ####\n"}
	}
	return Shown{Device: d.device, Address: "otpauth://totp/web1:bob@web1?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=web1",
		Picture: cmp.Or(d.w.enrol.picture, "█▀▄█\n▀▄█ \n"), Inverse: " ▄▀ \n▄▀ █\n", WidePicture: "##  ##  \n  ######\n", Recovery: recovery}
}

func (d *fakeDraft) Challenge(digits int, until time.Time) (string, error) {
	if err := d.w.call("Challenge"); err != nil {
		return "", err
	}
	d.code, d.until = factor.NewChallengeCode(digits), until
	return d.code, nil
}

func (d *fakeDraft) ConfirmPush() error {
	d.came = true
	return d.w.call("ConfirmPush")
}

func (d *fakeDraft) Confirm(answer string, _ int) bool {
	if d.device.Method == device.SMS {
		d.came = d.code != "" && answer == d.code && d.w.now.Before(d.until)
		return d.came
	}
	return answer == codeOf(d.w.t, d.device, d.w.now, 0)
}

func (d *fakeDraft) Finish() error {
	if err := d.w.call("Finish"); err != nil {
		return err
	}
	if d.w.enrol.meanwhile {
		return ErrMeanwhile
	}
	if device.IsOutOfBand(d.device.Method) && !d.came {
		return errors.New("not confirmed")
	}
	d.finished = true
	if err := d.w.states.New(&state.State{User: "bob", UID: 1001}); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func (w *world) nextAnswer() ([]byte, wire.NoAnswer, error) {
	if len(w.script) == 0 {
		return nil, wire.ClientGone, nil
	}
	answer := w.script[0]
	w.script = w.script[1:]
	return []byte(answer), 0, nil
}

// mustEnrol is bob, who has no device and an enrolment code, at a login of a service that can enrol.
func mustEnrol(w *world) {
	notEnrolled(policy.Required)(w)
	w.policy.AtLogin = policy.AtLoginWithCode
	w.enrol.open["bob"] = enrolCode
}

// announced is the account phase of such a login.
func announced(w *world) {
	mustEnrol(w)
	h := w.host()
	w.enrol.announced = []Announcement{{Process: h.Application, Parent: h.Parent, Service: "sshd", Time: w.now}}
	w.hello.Phase = wire.PhaseAccount
	w.script = w.goodScript()
}

// goodScript are the answers of somebody who makes no mistake.
func (w *world) goodScript() []string {
	return []string{enrolCode, "2", "", codeOf(w.t, newRecord("bob", 1).Devices[0], w.now, 0), ""}
}

// withoutCode is at_login: "yes".
func withoutCode(w *world) {
	w.policy.AtLogin, w.enrol.open = policy.AtLoginYes, map[string]string{}
	if w.script != nil {
		w.script = w.script[1:]
	}
}

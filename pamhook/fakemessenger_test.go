package pamhook

import (
	"errors"
	"slices"
	"time"

	"twokey/device"
	"twokey/internal/proc"
	"twokey/pamhook/wire"
	"twokey/policy"
	"twokey/secrets"
	"twokey/state"
)

const number = "+447911123456"

// phone is a provider and the phone behind it: what was sent, and what comes of it.
type phone struct {
	w         *world
	texts     []TextMessage
	questions []PushQuestion
	closed    int
	says      []comes // what the next message brings, in its order; none: a text is sent, a push is sent and nobody answers
	err       error   // instead of a delivery
}

// comes is a report, and how long it takes to come.
type comes struct {
	after  time.Duration
	report Report
	err    error
}

// sent, and then another report.
func sent(then ...comes) []comes {
	return append([]comes{{report: Report{State: ReportSent}}}, then...)
}

func (p *phone) Text(m TextMessage) (Delivery, error) {
	if err := errors.Join(p.w.call("Text"), p.err); err != nil {
		return nil, err
	}
	p.texts = append(p.texts, m)
	return p.delivery(), nil
}

func (p *phone) Push(q PushQuestion) (Delivery, error) {
	if err := errors.Join(p.w.call("Push"), p.err); err != nil {
		return nil, err
	}
	p.questions = append(p.questions, q)
	return p.delivery(), nil
}

func (p *phone) delivery() Delivery {
	says := p.says
	if says == nil {
		says = sent()
	}
	d := &delivery{phone: p}
	at := p.w.now
	for _, s := range says {
		at = at.Add(s.after)
		d.due, d.says = append(d.due, at), append(d.says, s)
	}
	return d
}

// delivery brings each report at its time.
type delivery struct {
	phone *phone
	due   []time.Time
	says  []comes
}

func (d *delivery) Next(until time.Time) (Report, error) {
	w := d.phone.w
	if w.now.After(until) { // as of a pipe, whatever lies in it
		return Report{}, ErrNothingYet
	}
	if len(d.says) == 0 || d.due[0].After(until) {
		if until.After(w.now) {
			w.now = until
		}
		if w.waits != nil {
			w.waits()
		}
		return Report{}, ErrNothingYet
	}
	if d.due[0].After(w.now) {
		w.now = d.due[0]
	}
	next := d.says[0]
	d.due, d.says = d.due[1:], d.says[1:]
	return next.report, next.err
}

func (d *delivery) Close() error {
	d.phone.closed++
	return nil
}

// reachable gives alice an app and a phone with both methods; the host has an ntfy server and a way to send texts.
func reachable(w *world) {
	sms, push := policy.NewSMS(policy.ProviderCommand), policy.NewPush(policy.ProviderNtfy)
	w.policy.SMS, w.policy.Push, w.policy.MethodsDefault = &sms, &push, policy.DefaultNone
	w.policy.Methods = []string{"totp", "hotp", "push", "sms", "recovery"}
	w.record.Phone = number
	w.record.Devices = append(w.record.Devices, outOfBand(2, device.SMS), outOfBand(3, device.Push))
	w.record.Devices[len(w.record.Devices)-1].Provider = policy.ProviderNtfy
	w.record.Serial++
	w.phone = &phone{w: w}
}

// onlyBy leaves alice one device.
func onlyBy(method string) func(*world) {
	return func(w *world) {
		reachable(w)
		w.record.Devices = slices.DeleteFunc(w.record.Devices, func(d secrets.Device) bool { return d.Method != method })
		w.learn()
	}
}

// learn lets the state know of the devices.
func (w *world) learn() {
	w.change(func(st *state.State) {
		if _, err := device.Join(st, w.record, 1, w.now); err != nil {
			w.t.Fatal(err)
		}
		st.TakeNotices()
	})
}

func outOfBand(id byte, method string) secrets.Device {
	return secrets.Device{ID: secrets.ID{id}, Name: "my " + method, Method: method, Secret: slices.Repeat([]byte{id}, 32), Created: noon.Add(-time.Hour)}
}

// types lets the person give these answers, each to a question that he has read.
func (w *world) types(answers ...any) { w.reads = append([]any{}, answers...) }

// readAnswer is the person's answer to a question that he has read.
func (w *world) readAnswer(question string) ([]byte, wire.NoAnswer, error) {
	if len(w.reads) == 0 {
		return nil, wire.ClientGone, nil
	}
	next := w.reads[0]
	w.reads = w.reads[1:]
	if later, ok := next.(func() any); ok {
		next = later()
	}
	switch answer := next.(type) {
	case error:
		return nil, 0, answer
	case wire.NoAnswer:
		return nil, answer, nil
	case func(string) string:
		return []byte(answer(question)), 0, nil
	}
	return []byte(next.(string)), 0, nil
}

// Wait is the module's.
func (w *world) Wait(seconds int) error {
	w.quiet = append(w.quiet, seconds)
	return w.call("Wait")
}

// self is the process that the helper runs in: this one, so that what it waits for is open.
func (w *world) self() proc.ID {
	w.t.Helper()
	id, err := proc.Self()
	must(w.t, err)
	return id
}

// theCode is the code of the last text.
func theCode(w *world) func(string) string {
	return func(string) string { return w.phone.texts[len(w.phone.texts)-1].Code }
}

func (w *world) messages() *state.Messages {
	w.t.Helper()
	m, err := w.states.Messages("alice", w.now)
	must(w.t, err)
	return m
}

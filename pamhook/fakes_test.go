package pamhook

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"twokey/audit"
	"twokey/device"
	"twokey/factor"
	"twokey/internal/proc"
	"twokey/pamhook/wire"
	"twokey/policy"
	"twokey/policy/inforce"
	"twokey/secrets"
	"twokey/state"
)

const (
	aliceUID  = 1000
	otherUID  = 77
	foreigner = "198.51.100.9"
	atHome    = "192.0.2.7"
	digits    = 6
	period    = 30
)

var (
	noon     = time.Date(2026, 11, 21, 12, 0, 10, 0, time.UTC)
	recovery = []string{"aaaa-bbbb-cccc", "dddd-eeee-ffff"}
)

var errFault = errors.New("a fault that the test has made")

// world is a host and a person, all of them fakes but the state, which lies in a folder of the test's own.
type world struct {
	t       testing.TB
	now     time.Time
	end     time.Time // of the phase; zero: not known
	states  *state.Store
	record  *secrets.Record // of alice; nil: not enrolled
	decoy   *secrets.Record
	policy  inforce.Policy
	members map[string]wire.Membership
	answer  []byte
	none    wire.NoAnswer // instead of the answer
	field   []byte        // what PAM_AUTHTOK is: password and code
	cut     int           // bytes that the module was told to cut off it
	system  bool
	process int32 // added to the number of the application's
	hello   wire.Hello

	enrol               enrolments
	phone               *phone  // of alice; nil: nothing can be sent
	reads               []any   // the answers to questions that were read: a string, a function of the question, or one that gives an answer; after the last one the person has gone
	application, parent proc.ID // zero: some
	own                 bool    // the application belongs to the user
	gone                bool    // the client has gone
	waits               func()  // what happens while something is waited for
	quiet               []int   // for how many seconds the module was told to wait

	script []string // the answers, in their order; after the last one the person has gone
	texts  []string // all that the person saw, in its order

	fault   fault
	failure error // that the fault is; nil: errFault
	hit     bool  // the fault has come about

	calls    []string // of the dependencies, in their order
	log      []audit.Record
	warnings []string
	prompts  []string
	infos    []string
	slow     time.Duration // what each call takes
	answered time.Time     // when the answer was given
	told     time.Time     // when the person heard of the end
	slept    time.Duration
	naps     func() // what others do while this login waits
	happens  func() // what happens with the call of that name and number
	when     fault
	loads    func() // what others do when the secrets have been read
}

// fault is one call of one dependency that fails, or all of them.
type fault struct {
	call   string
	number int // from 1; 0: every call
	panics bool
}

func newWorld(t testing.TB) *world {
	t.Helper()
	dir, err := os.MkdirTemp(memory(), "pamhook")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	states, err := state.Create(dir)
	must(t, err)
	t.Cleanup(func() { must(t, states.Close()) })
	must(t, states.CreateDecoys())
	w := &world{t: t, states: states, decoy: newRecord("decoy", 1)}
	w.reset()
	return w
}

// memory is a folder in memory: nothing here is about what a disk keeps, and there are many writes.
func memory() string {
	if _, err := os.Stat("/dev/shm"); err == nil {
		return "/dev/shm"
	}
	return ""
}

// reset makes the world in which alice is enrolled, required, and about to type the right code.
func (w *world) reset() {
	w.t.Helper()
	*w = world{t: w.t, states: w.states, decoy: w.decoy, now: noon, record: newRecord("alice", 5)}
	w.policy = inforce.Policy{Config: &policy.Config{Default: policy.Required, Contact: "the IT desk", Discrepancy: 1,
		OpenWithin: time.Hour, Methods: policy.Methods()}}
	w.hello = wire.Hello{Phase: wire.PhaseAuthenticate, Flags: wire.FlagAfterPassword, User: "alice", Name: "alice", UID: aliceUID,
		GIDs: []uint32{aliceUID}, Service: "sshd", RHost: atHome, Client: atHome + ":50022"}
	w.answer = []byte(w.code(0))
	w.enrol = enrolments{open: map[string]string{}}
	for _, user := range []string{"alice", "alicia", "bob"} {
		if err := w.states.Remove(user); !errors.Is(err, fs.ErrNotExist) {
			must(w.t, err)
		}
	}
	for _, sent := range []string{"messages", "texts", "bypass"} {
		must(w.t, os.RemoveAll(filepath.Join(w.states.Data(), sent)))
	}
	must(w.t, w.states.New(&state.State{User: "alice", UID: aliceUID}))
	must(w.t, w.states.Bind(aliceUID, "alice"))
	must(w.t, w.states.Unbind(otherUID))
	must(w.t, w.states.Update("alice", func(tx *state.Tx) error {
		_, err := device.Join(tx.State, w.record, 1, w.now)
		tx.TakeNotices() // of the device, which is from yesterday
		return err
	}))
}

// newRecord is a user with an app and two recovery codes.
func newRecord(user string, serial uint64) *secrets.Record {
	r := &secrets.Record{User: user, Serial: serial, Recovery: &secrets.Recovery{ID: secrets.ID{9}, Key: [32]byte{7}}}
	r.Devices = []secrets.Device{{ID: secrets.ID{1}, Name: "phone", Method: "totp", Secret: []byte("12345678901234567890"), Digits: digits,
		Period: period, Algorithm: "SHA1", Created: noon.Add(-24 * time.Hour)}}
	for _, code := range recovery {
		hash, err := factor.HashRecovery(r.Recovery.Key, code)
		if err != nil {
			panic(err)
		}
		r.Recovery.Hashes = append(r.Recovery.Hashes, hash)
	}
	if user == "decoy" {
		r.Devices[0].Secret = []byte("a decoy's own secret")
	}
	return r
}

// code is what alice's app shows so many steps from the world's time.
func (w *world) code(offset int64) string {
	w.t.Helper()
	return codeOf(w.t, newRecord("alice", 1).Devices[0], w.now, offset)
}

func codeOf(t testing.TB, d secrets.Device, now time.Time, offset int64) string {
	t.Helper()
	p := factor.Params{Method: factor.TOTP, Secret: d.Secret, Digits: d.Digits, Period: d.Period, Algorithm: factor.Algorithm(d.Algorithm)}
	text, err := p.Code(uint64(int64(p.Step(now)) + offset))
	must(t, err)
	return text
}

// wrongCode is a code that nobody's app shows.
func (w *world) wrongCode() string {
	for guess := 0; ; guess++ {
		text := fmt.Sprintf("%06d", guess)
		right := false
		for offset := int64(-4); offset <= 4; offset++ {
			right = right || text == w.code(offset) || text == codeOf(w.t, w.decoy.Devices[0], w.now, offset)
		}
		if !right {
			return text
		}
	}
}

// change changes the state of alice.
func (w *world) change(fn func(*state.State)) {
	w.t.Helper()
	must(w.t, w.states.Update("alice", func(tx *state.Tx) error { fn(tx.State); return nil }))
}

// run takes the login through. A panic comes back as nil.
func (w *world) run() (verdict *Verdict) {
	defer func() {
		if p := recover(); p != nil && p != any(errFault) {
			panic(p)
		}
	}()
	v := w.host().Run(w)
	return &v
}

// frame is the verdict of a login without a panic.
func (w *world) frame() wire.Type {
	w.t.Helper()
	v := w.run()
	if v == nil {
		w.t.Fatal("a panic")
	}
	return v.Frame()
}

// again is the next login of the same person with another answer.
func (w *world) again(answer string) wire.Type {
	w.t.Helper()
	w.answer = []byte(answer)
	return w.frame()
}

func (w *world) host() *Host {
	return &Host{
		Policy: func(string) (*inforce.Policy, error) {
			if err := w.call("Policy"); err != nil {
				return &inforce.Policy{Config: &policy.Config{Contact: policy.DefaultContact}}, err
			}
			p := w.policy
			return &p, nil
		},
		Secrets: func(*inforce.Policy) (Secrets, error) { return fakeSecrets{w}, w.call("Secrets") },
		State:   func(*inforce.Policy) (States, error) { return fakeStates{w}, w.call("State") },
		Append: func(_ *inforce.Policy, r audit.Record) error {
			err := w.call("Append")
			if err == nil {
				w.log = append(w.log, r)
			}
			return err
		},
		Messenger:   func(*inforce.Policy) (Messenger, error) { return w.phone, w.call("Messenger") },
		Enrolment:   func(*inforce.Policy) (Enrolment, error) { return fakeEnrolment{w}, w.call("Enrolment") },
		Name:        "web1",
		System:      func(uint32, string) (bool, error) { return w.system, w.call("System") },
		Warn:        func(message string) { w.warnings = append(w.warnings, message) },
		Now:         func() time.Time { return w.now },
		Sleep:       w.sleep,
		Application: cmp.Or(w.application, proc.ID{PID: 200 + w.process, Start: 2}), Parent: cmp.Or(w.parent, proc.ID{PID: 100, Start: 1}), Self: w.self(), End: w.end, Own: w.own,
		Gone: func() bool { return w.gone },
	}
}

func (w *world) sleep(d time.Duration) {
	w.slept += d
	w.now = w.now.Add(d)
	if w.naps != nil {
		w.naps()
	}
}

// onCall lets something happen with the n-th call of a dependency, from 1.
func (w *world) onCall(name string, number int, happens func()) {
	w.when, w.happens = fault{call: name, number: number}, happens
}

// call notes a call of a dependency, and is where it fails.
func (w *world) call(name string) error {
	w.calls = append(w.calls, name)
	w.now = w.now.Add(w.slow)
	number := 0
	for _, c := range w.calls {
		if c == name {
			number++
		}
	}
	if w.happens != nil && w.when.call == name && w.when.number == number {
		w.happens()
	}
	if w.fault.call != name || w.fault.number != 0 && w.fault.number != number {
		return nil
	}
	w.hit = true
	if w.fault.panics {
		panic(errFault)
	}
	if w.failure != nil {
		return w.failure
	}
	return errFault
}

// The person and the module.

func (w *world) Hello() *wire.Hello { return &w.hello }

func (w *world) Prompt(text string, _ bool) ([]byte, wire.NoAnswer, error) {
	w.prompts, w.texts = append(w.prompts, text), append(w.texts, text)
	err := w.call("Prompt")
	w.answered = w.now
	if err != nil {
		return nil, 0, err
	}
	if w.reads != nil {
		return w.readAnswer(text)
	}
	if w.script != nil {
		return w.nextAnswer()
	}
	if w.none != 0 {
		return nil, w.none, nil
	}
	return slices.Clone(w.answer), 0, nil
}

func (w *world) Authtok(text string) ([]byte, wire.NoAnswer, error) {
	w.prompts = append(w.prompts, text)
	err := w.call("Authtok")
	w.answered = w.now
	if err != nil {
		return nil, 0, err
	}
	if w.hello.Version == wire.OldVersion {
		return nil, 0, wire.ErrVersion
	}
	if w.none != 0 {
		return nil, w.none, nil
	}
	return slices.Clone(w.field), 0, nil
}

func (w *world) CutAuthtok(n int) error {
	if err := w.call("CutAuthtok"); err != nil {
		return err
	}
	if n < 1 || n >= len(w.field) || w.cut != 0 {
		return wire.ErrOrder
	}
	w.cut = n
	return nil
}

func (w *world) Info(text string, _ bool) error {
	w.infos, w.told, w.texts = append(w.infos, text), w.now, append(w.texts, text)
	return w.call("Info")
}

func (w *world) LookupGroup(name string) (wire.Membership, error) {
	if err := w.call("LookupGroup"); err != nil {
		return wire.LookupFailed, err
	}
	return w.members[name], nil
}

type fakeSecrets struct{ w *world }

func (f fakeSecrets) Enrolled(user string) (bool, error) {
	return f.w.record != nil && user == "alice", f.w.call("Enrolled")
}

func (f fakeSecrets) Load(user string) (*secrets.Record, error) {
	if err := f.w.call("Load"); err != nil {
		return nil, err
	}
	if f.w.record == nil || user != "alice" {
		return nil, fs.ErrNotExist
	}
	found := f.w.record
	if f.w.loads != nil {
		f.w.loads()
	}
	return found, nil
}

func (f fakeSecrets) LoadDecoy() (*secrets.Record, error) { return f.w.decoy, f.w.call("LoadDecoy") }

// fakeStates is the real store, with faults before it.
type fakeStates struct{ w *world }

func (f fakeStates) NameOf(uid uint32) (string, error) {
	if err := f.w.call("NameOf"); err != nil {
		return "", err
	}
	return f.w.states.NameOf(uid)
}

func (f fakeStates) Read(user string) (*state.State, error) {
	if err := f.w.call("Read"); err != nil {
		return nil, err
	}
	return f.w.states.Read(user)
}

// Update fails in three ways: before the lock is had, when the first thing is to be written, and at the end.
func (f fakeStates) Update(user string, change func(*state.Tx) error) error {
	if err := f.w.call("Update"); err != nil {
		return err
	}
	err := f.w.states.Update(user, func(tx *state.Tx) error {
		if f.w.call("Flush") != nil {
			tx.State.User = "a name under which it cannot be written"
		}
		return change(tx)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return errors.Join(err, f.w.call("Sync"))
}

func (f fakeStates) New(st *state.State) error {
	if err := f.w.call("New"); err != nil {
		return err
	}
	return f.w.states.New(st)
}

func (f fakeStates) Bind(uid uint32, user string) error {
	if err := f.w.call("Bind"); err != nil {
		return err
	}
	return f.w.states.Bind(uid, user)
}

// reasons are those of all records, one behind the other.
func (w *world) reasons() (all []string) {
	for _, r := range w.log {
		all = append(all, r.Reason)
	}
	return all
}

func (w *world) lastRecord() audit.Record {
	w.t.Helper()
	if len(w.log) == 0 {
		return audit.Record{}
	}
	return w.log[len(w.log)-1]
}

// consume sets what is used up of alice's app.
func consume(step uint64) func(*state.State) {
	return func(st *state.State) { st.Devices[0].Consumed = step }
}

// step is the time step of the world's time.
func (w *world) step() uint64 { return uint64(w.now.Unix()) / period }

// empty takes all attempts from the bucket of strangers.
func empty(at time.Time) func(*state.State) {
	return func(st *state.State) {
		for i := range 20 {
			var id state.ID
			binary.BigEndian.PutUint64(id[:], uint64(i))
			st.Charge(state.Attempt{Source: foreigner, Connection: id, Cost: state.One, Now: at})
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (f fakeStates) Messages(user string, now time.Time) (*state.Messages, error) {
	if err := f.w.call("Messages"); err != nil {
		return nil, err
	}
	return f.w.states.Messages(user, now)
}

func (f fakeStates) TakeText(now time.Time, perHour int) error {
	if err := f.w.call("TakeText"); err != nil {
		return err
	}
	return f.w.states.TakeText(now, perHour)
}

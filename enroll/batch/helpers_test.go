package batch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"twokey/enroll"
	"twokey/factor"
	"twokey/secrets"
	"twokey/state"
)

// actVariable makes the test binary apply a list of so many users to a data folder, instead of running the tests.
const actVariable = "TWOKEY_BATCH_APPLY"

func TestMain(m *testing.M) {
	users, data, found := strings.Cut(os.Getenv(actVariable), "|")
	if !found {
		os.Exit(m.Run())
	}
	if err := applyForChild(users, data); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// openJob is a job on a data folder, in which the host key lies; what is missing is made.
func openJob(data string) (*Job, error) {
	key := data + "/host.key"
	if err := secrets.GenerateHostKey(key); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	store, err := secrets.Create(data, key)
	if err != nil {
		return nil, err
	}
	st, err := state.Create(data)
	if err != nil {
		return nil, err
	}
	return &Job{Users: &enroll.Users{Secrets: store, State: st, Now: time.Now}, By: "root", Lookup: lookup,
		Usual: Usual{Issuer: "Example", Host: "web1", Recovery: 3,
			Params: factor.Params{Method: factor.TOTP, Digits: 6, Period: 30, Algorithm: factor.SHA1}}}, nil
}

func newJob(t testing.TB) *Job {
	t.Helper()
	j, err := openJob(t.TempDir())
	must(t, err)
	return j
}

var errNobody = errors.New("nobody has this name")

// lookup knows user1, user2 and so on.
func lookup(name string) (enroll.Account, error) {
	n, err := strconv.Atoi(strings.TrimPrefix(name, "user"))
	if err != nil || !strings.HasPrefix(name, "user") {
		return enroll.Account{}, errNobody
	}
	return enroll.Account{Name: name, UID: uint32(10000 + n)}, nil
}

// plans are those of all users of a file.
func plans(j *Job, f *File) []*Plan {
	var all []*Plan
	for i := range f.Users {
		all = append(all, j.Plan(&f.Users[i]))
	}
	return all
}

// apply makes users what a file says, and returns the plans, whose errors it leaves to the caller.
func apply(j *Job, f *File) ([]*Plan, error) { return applyTelling(j, f, func([]*Plan) {}) }

func applyTelling(j *Job, f *File, made func([]*Plan)) ([]*Plan, error) {
	var todo, all []*Plan
	for _, p := range plans(j, f) {
		if all = append(all, p); p.Err == nil && !p.Idle() {
			todo = append(todo, p)
		}
	}
	return all, j.Run(todo, Steps{Made: made, Ran: func([]*Plan) error { return nil }})
}

// applied is apply of a text that must be right.
func applied(t *testing.T, j *Job, yaml string) []*Plan {
	t.Helper()
	all, err := apply(j, parse(t, "x.yaml", "version: 1\nusers:\n"+yaml))
	must(t, err)
	for _, p := range all {
		if p.Err != nil {
			t.Errorf("%s: %v", p.User.Name, p.Err)
		}
	}
	return all
}

// record is a user's secret file.
func record(t *testing.T, j *Job, user string) *secrets.Record {
	t.Helper()
	r, err := j.Users.Secrets.Load(user)
	must(t, err)
	return r
}

// manyUsers is a list of users with one or two devices, a telephone number for some of them, and one in ten who is absent.
func manyUsers(n int) string {
	var b strings.Builder
	b.WriteString("version: 1\nusers:\n")
	for i := range n {
		fmt.Fprintf(&b, "- user: user%d\n", i)
		switch {
		case i%10 == 9:
			b.WriteString("  present: false\n")
			continue
		case i%10 == 5:
			b.WriteString("  phone: +442079460958\n")
		}
		b.WriteString("  devices:\n  - name: phone\n")
		if i%10 == 7 {
			b.WriteString("  - {name: token, method: hotp, digits: 8}\n")
		}
	}
	return b.String()
}

// tellTo writes the names of those who get something new and the first of their codes into a file, as whoever shows them does.
func tellTo(path string) (func([]*Plan), error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	return func(some []*Plan) {
		var b strings.Builder
		for _, p := range some {
			if p.Err == nil && len(p.Codes) > 0 {
				fmt.Fprintln(&b, p.User.Name, p.Codes[0])
			}
		}
		if _, err := f.WriteString(b.String()); err != nil {
			panic(err)
		}
	}, err
}

func applyForChild(users, data string) error {
	n, err := strconv.Atoi(users)
	if err != nil {
		return err
	}
	j, err := openJob(data)
	if err != nil {
		return err
	}
	f, err := Parse("x.yaml", strings.NewReader(manyUsers(n)), Options{})
	if err != nil {
		return err
	}
	made, err := tellTo(data + "/told")
	if err != nil {
		return err
	}
	fmt.Println("begun")
	all, err := applyTelling(j, f, made)
	for _, p := range all {
		err = errors.Join(err, p.Err)
	}
	return err
}

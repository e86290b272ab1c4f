package batch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"twokey/enroll"
	"twokey/secrets"
)

// ranWith carries out plans of a text, with a step of the test's own just before they are put in force, and keeps what Ran is told.
func ranWith(t *testing.T, j *Job, yaml string, before func(*Plan)) (p *Plan, left []string) {
	t.Helper()
	todo := plans(j, parse(t, "x.yaml", "version: 1\nusers:\n"+yaml))
	must(t, j.Run(todo, Steps{Made: func(some []*Plan) { before(some[0]) }, Ran: func(some []*Plan) error {
		for _, d := range some[0].Drafts {
			left = append(left, d.Device.Name)
		}
		return nil
	}}))
	return todo[0], left
}

// The attack: the disk fails behind the step that puts a device in force. Told that it does not count its owner throws the page away, and is
// locked out; and no record names the device. Here the step is done before the one that fails.
func TestWhatIsInForceInSpiteOfAnErrorIsDone(t *testing.T) {
	tests := map[string]struct {
		had, yaml   string
		step        func(j *Job, p *Plan) error
		done, lost  []string
		err, holds  string
		wantDevices []string
	}{
		"the first of two new devices": {"", "- user: user1\n  devices: [{name: app}, {name: token, until: 2099-12-31}]\n",
			func(j *Job, p *Plan) error { return j.Users.Commit(p.Drafts[0]) },
			[]string{"device:  -> app (totp, 6 digits, every 30 s, SHA1)", "recovery_codes:  -> 3"}, []string{"token"},
			enroll.ErrEnrolled.Error(), `loss of power: device "app"`, []string{"app"}},
		"a second device": {"- user: user1\n  devices: [{name: app}]\n", "- user: user1\n  devices: [{name: token}]\n",
			func(j *Job, p *Plan) error { return j.Users.Alter(p.Account, enroll.Alteration{Add: p.Drafts}) },
			[]string{"device:  -> token (totp, 6 digits, every 30 s, SHA1)"}, nil,
			enroll.ErrSameSecret.Error(), `loss of power: device "token"`, []string{"app", "token"}},
		"recovery codes": {"- user: user1\n  devices: [{name: app}]\n  recovery_codes: 0\n", "- user: user1\n  recovery_codes: 5\n",
			func(j *Job, p *Plan) error { return j.Users.Alter(p.Account, *p.alter) },
			[]string{"recovery_codes:  -> 5"}, nil, enroll.ErrHasRecovery.Error(), "loss of power: recovery codes", []string{"app"}},
		"nothing": {"", "- user: user1\n  devices: [{name: app}]\n",
			func(j *Job, p *Plan) error {
				d, err := j.Users.Draft(p.Account, enroll.Request{Device: "app", Params: j.Usual.Params, Issuer: "Example", Label: "user1@web1"})
				return errors.Join(err, j.Users.Commit(d))
			},
			nil, []string{"app"}, enroll.ErrEnrolled.Error(), "", []string{"app"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			j := newJob(t)
			if test.had != "" {
				applied(t, j, test.had)
			}
			p, left := ranWith(t, j, test.yaml, func(p *Plan) { must(t, test.step(j, p)) })
			if got := changesOf(p); !slices.Equal(got, test.done) || !slices.Equal(left, test.lost) {
				t.Errorf("done %q, want %q; not in force %q, want %q", got, test.done, left, test.lost)
			}
			if text := fmt.Sprint(p.Err); !strings.HasPrefix(text, test.err) || !strings.HasSuffix(text, test.holds) || test.holds == "" && text != test.err {
				t.Errorf("%v", p.Err)
			}
			if got := deviceNames(t, j, "user1"); !slices.Equal(got, test.wantDevices) {
				t.Errorf("devices %q, want %q", got, test.wantDevices)
			}
		})
	}
}

// Where nobody can look, nobody may be told that what he has does not count.
func TestWhatCannotBeSeenMayBeInForce(t *testing.T) {
	data := t.TempDir()
	j, err := openJob(data)
	must(t, err)
	applied(t, j, "- user: user1\n  devices: [{name: app}]\n")
	p, left := ranWith(t, j, "- user: user1\n  devices: [{name: token}]\n", func(*Plan) {
		must(t, os.WriteFile(filepath.Join(data, "users", secrets.FileName("user1")), []byte("no secret file"), 0o600))
	})
	if len(p.Done) != 1 || left != nil || !strings.Contains(fmt.Sprint(p.Err), "it cannot be seen whether it is in force all the same") {
		t.Errorf("%v, %q, %v", p.Done, left, p.Err)
	}
}

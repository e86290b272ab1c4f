package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"twokey/bench/site"
	"twokey/factor"
)

// The helper rounds the time of a refusal up to a tenth of a second, so that it tells nothing; what it does within that time is compared
// with what it does for a right code. Where it would wait there, a helper that is built for this measurement does not.
const (
	sleepSource   = "cmd/twokey-verify/host.go"
	sleepAsItIs   = "Sleep:       time.Sleep,"
	sleepReplaced = "Sleep:       func(time.Duration) {},"
)

// overlay writes what go build -overlay needs for that helper.
func overlay(top, dir string) (string, error) {
	original := filepath.Join(top, sleepSource)
	source, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	if strings.Count(string(source), sleepAsItIs) != 1 {
		return "", fmt.Errorf("%s has not %q once", sleepSource, sleepAsItIs)
	}
	replaced, list := filepath.Join(dir, "host.go"), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(replaced, []byte(strings.Replace(string(source), sleepAsItIs, sleepReplaced, 1)), 0o600); err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{original: replaced}})
	if err != nil {
		return "", err
	}
	return list, os.WriteFile(list, text, 0o600)
}

// hastyHelper builds the helper that does not wait.
func (b *bench) hastyHelper() (string, error) {
	const name = "twokey-verify-hasty"
	dir := filepath.Join(b.Dir, "hasty")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	list, err := overlay(b.Top, dir)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	build := exec.Command("go", "build", "-overlay="+list, "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", path, "./cmd/twokey-verify")
	build.Dir = b.Top
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the helper: %w\n%s", err, out)
	}
	return b.Program(name), b.Install(path)
}

// refused compares wrong codes of an app with right ones.
func (b *bench) refused() error {
	h, err := b.host("refused", site.Accounts, factor.TOTP)
	if err != nil {
		return err
	}
	hasty, err := b.hastyHelper()
	if err != nil {
		return err
	}
	for service, helper := range map[string]string{ours: b.helper(), oursSooner: hasty} {
		if err := b.Service(service, b.twokeyLine("auth", helper)); err != nil {
			return err
		}
	}
	r := &refusals{Host: h}
	var all [3]*contender
	for i, c := range []struct {
		service string
		next    func() (site.Login, error)
		status  int
	}{{oursSooner, r.right, pamSuccess}, {oursSooner, r.wrong, pamAuthErr}, {ours, r.wrong, pamAuthErr}} {
		if all[i], err = b.contender(h, c.service, c.next); err != nil {
			return err
		}
		all[i].status = c.status
	}
	if err := alternate(b.refusals, all[:]...); err != nil {
		return err
	}
	right, wrong, shipped := all[0], all[1], all[2]
	const accepted = "an accepted one"
	b.compare("a refused code, without any delay", accepted, wrong.took, right.took, aim{least: 0.8, most: 1.25})
	b.compare("a refused code: processor time", accepted, wrong.cpu, right.cpu, aim{})
	b.compare("a refused code, rounded up as shipped", accepted, shipped.took, right.took, aim{})
	return nil
}

// refusals deals out codes of an app: of each account that of the present step, then that of the next, since none is good twice.
type refusals struct {
	*site.Host
	rights, wrongs int
}

func (r *refusals) right() (site.Login, error) {
	d := r.Phones[r.rights%site.Accounts]
	code, err := d.Code(int64(r.rights / site.Accounts))
	r.rights++
	if err != nil {
		return site.Login{}, err
	}
	return site.Login{User: d.User, Code: code}, r.Unlock(d.User)
}

// wrong is a code of another account than right gives one of at the time.
func (r *refusals) wrong() (site.Login, error) {
	r.wrongs++
	d := r.Phones[(r.wrongs/2+site.Accounts/2)%site.Accounts]
	if err := r.Unlock(d.User); err != nil {
		return site.Login{}, err
	}
	return d.Wrong()
}

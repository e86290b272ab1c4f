package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"twokey/bench/site"
	"twokey/factor"
)

// The services.
const (
	ours       = "twokey"
	oursWhole  = "twokey-whole" // with the account and session lines
	google     = "google"
	oath       = "oath"
	oathMany   = "oath-many"
	nothing    = "nothing" // pam_permit
	oursSooner = "twokey-sooner"
)

// floor is a contender that is no login: the program bench/floor, with the files that it writes to.
func (b *bench) floor() (*contender, error) {
	for name, size := range map[string]int{"slot": 4096, "log": 0} {
		if err := os.WriteFile(filepath.Join(b.ConfDir(), name), make([]byte, size), 0o600); err != nil {
			return nil, err
		}
	}
	return b.contender(nil, b.Program("bench-floor"), func() (site.Login, error) { return site.Login{User: "-", Code: "-"}, nil })
}

// single measures one login after the other: the module, its peers, and what it cannot be faster than.
func (b *bench) single() error {
	h, err := b.host("one", 1, factor.HOTP)
	if err != nil {
		return err
	}
	theirs, err := b.googleUsers(google)
	if err != nil {
		return err
	}
	old, err := b.oathUsers(oath, 1)
	if err != nil {
		return err
	}
	for service, lines := range map[string][]string{
		ours:      {b.twokeyLine("auth", b.helper())},
		oursWhole: {b.twokeyLine("auth", b.helper()), b.twokeyLine("account", b.helper()), b.twokeyLine("session", b.helper())},
		nothing:   nil,
	} {
		if err := b.Service(service, lines...); err != nil {
			return err
		}
	}
	var all []*contender
	for _, c := range []struct {
		host    *site.Host
		service string
		phone   *site.Phone
	}{{h, ours, h.Phones[0]}, {nil, google, theirs[0]}, {nil, oath, old[0]}, {h, oursWhole, h.Phones[0]}} {
		one, err := b.holder(c.host, c.service, c.phone)
		if err != nil {
			return fmt.Errorf("%s: %w", c.service, err)
		}
		all = append(all, one)
	}
	alone, err := b.contender(nil, nothing, func() (site.Login, error) { return site.Login{User: site.UserName(0), Code: "-"}, nil })
	if err != nil {
		return err
	}
	least, err := b.floor()
	if err != nil {
		return err
	}
	if err := alternate(b.logins, append(all, alone, least)...); err != nil {
		return err
	}
	b.singleRows(all[0], all[1], all[2], all[3], alone, least)
	return nil
}

func (b *bench) singleRows(us, google, oath, whole, alone, floor *contender) {
	const login, googles, floors = "one login, one enrolled user", "google-authenticator", "the floor"
	b.compare(login, googles, us.took, google.took, aim{most: 0.8})
	b.compare(login, floors, us.took, floor.took, aim{most: 2.5})
	b.compare(login, "pam_oath", us.took, oath.took, aim{})
	b.compare("the same with the account and session lines", googles, whole.took, google.took, aim{})
	b.compare("one login: processor time", googles, us.cpu, google.cpu, aim{})
	b.compare("one login: processor time", floors, us.cpu, floor.cpu, aim{})
	var both site.Sample
	for i := range us.selfKB {
		both = append(both, us.selfKB[i]+us.othersKB[i])
	}
	const mb = 1024 // of the kilobytes that getrusage counts in
	b.add(row{"peak memory of one login, with the helper", "the process without", both.Show("MB", mb), alone.selfKB.Show("MB", mb),
		(both.Median() - alone.selfKB.Median()) / mb, aim{most: 12, unit: "MB more"}})
}

// manyUsers measures logins where a hundred thousand are enrolled.
func (b *bench) manyUsers() error {
	few, err := b.host("few", 1, factor.HOTP)
	if err != nil {
		return err
	}
	many, err := b.host("many", b.many, factor.HOTP)
	if err != nil {
		return err
	}
	theirs, err := b.oathUsers(oathMany, b.many)
	if err != nil {
		return err
	}
	if err := b.Service(ours, b.twokeyLine("auth", b.helper())); err != nil {
		return err
	}
	var all [3]*contender
	for i, c := range []struct {
		host    *site.Host
		service string
		phone   *site.Phone
	}{{many, ours, many.Phones[0]}, {nil, oathMany, theirs[0]}, {few, ours, few.Phones[0]}} {
		if all[i], err = b.holder(c.host, c.service, c.phone); err != nil {
			return fmt.Errorf("%s: %w", c.service, err)
		}
	}
	if err := alternate(b.manyLogins, all[:]...); err != nil {
		return err
	}
	us, oath, one := all[0].took, all[1].took, all[2].took
	what := "one login, " + site.Count(b.many) + " enrolled users"
	b.compare(what, "pam_oath", us, oath, aim{most: 0.08})
	b.compare(what, "itself with one user", us, one, aim{most: 1.15})
	return nil
}

// atOnce measures many logins at a time, of different users.
func (b *bench) atOnce() error {
	h, err := b.host("at-once", site.Accounts, factor.HOTP)
	if err != nil {
		return err
	}
	if err := b.Service(ours, b.twokeyLine("auth", b.helper())); err != nil {
		return err
	}
	theirs, err := b.googleUsers(google)
	if err != nil {
		return err
	}
	const together = 32
	runs := []struct {
		host    *site.Host
		service string
		atOnce  int
		phones  []*site.Phone
		client  *client
		rates   site.Sample
	}{{host: h, service: ours, atOnce: together, phones: h.Phones}, {service: google, atOnce: together, phones: theirs}, {host: h, service: ours, atOnce: 1, phones: h.Phones}}
	for i := range runs {
		if runs[i].client, err = b.client(runs[i].host, runs[i].service, runs[i].atOnce); err != nil {
			return err
		}
		if err := prove(runs[i].client, runs[i].phones[0]); err != nil {
			return fmt.Errorf("%s: %w", runs[i].service, err)
		}
	}
	for range b.rounds {
		for i := range runs {
			rate, err := everybody(runs[i].client, runs[i].phones)
			if err != nil {
				return err
			}
			runs[i].rates = append(runs[i].rates, rate)
		}
	}
	us, google, alone := runs[0].rates, runs[1].rates, runs[2].rates
	const what, unit = "32 logins at a time, different users", "a second"
	b.add(row{what, "google-authenticator", us.Show(unit, 1), google.Show(unit, 1), us.Median() / google.Median(), aim{least: 1}})
	b.add(row{what, fmt.Sprintf("itself one at a time, × %d processors", cores()), us.Show(unit, 1), alone.Show(unit, 1), us.Median() / (alone.Median() * float64(cores())), aim{least: 0.8}})
	return nil
}

// everybody logs every account in once, and says how many that are a second.
func everybody(c *client, phones []*site.Phone) (float64, error) {
	var logins []site.Login
	for _, d := range phones {
		l, err := d.Login()
		if err != nil {
			return 0, err
		}
		logins = append(logins, l)
	}
	outcomes, took, err := c.batch(logins)
	if err != nil {
		return 0, err
	}
	for i, o := range outcomes {
		if o.status != pamSuccess {
			return 0, statusError{logins[i].User, o.status, pamSuccess}
		}
	}
	return float64(len(logins)) / (float64(took) / float64(time.Second)), nil
}

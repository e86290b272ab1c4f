package main

import (
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
	return b.contender(nil, filepath.Join(b.Built, "bench-floor"), func() (site.Login, error) { return site.Login{User: "-", Code: "-"}, nil })
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
		next    func() (site.Login, error)
	}{
		{h, ours, h.Phones[0].Login}, {nil, google, theirs[0].Login}, {nil, oath, old[0].Login}, {h, oursWhole, h.Phones[0].Login},
		{nil, nothing, func() (site.Login, error) { return site.Login{User: site.UserName(0), Code: "-"}, nil }},
	} {
		one, err := b.contender(c.host, c.service, c.next)
		if err != nil {
			return err
		}
		all = append(all, one)
	}
	least, err := b.floor()
	if err != nil {
		return err
	}
	if err := alternate(b.logins, append(all, least)...); err != nil {
		return err
	}
	b.singleRows(all[0], all[1], all[2], all[3], all[4], least)
	return nil
}

func (b *bench) singleRows(us, google, oath, whole, nothing, floor *contender) {
	b.add(row{"one login, one enrolled user, google-authenticator", us.took.Milliseconds(), google.took.Milliseconds(),
		us.took.Median() / google.took.Median(), aim{most: 0.8}})
	b.add(row{"the same, its processor time", us.cpu.Milliseconds(), google.cpu.Milliseconds(), us.cpu.Median() / google.cpu.Median(), aim{}})
	b.add(row{"the same, with the account and session lines", whole.took.Milliseconds(), google.took.Milliseconds(),
		whole.took.Median() / google.took.Median(), aim{}})
	b.add(row{"one login, one enrolled user, pam_oath", us.took.Milliseconds(), oath.took.Milliseconds(), us.took.Median() / oath.took.Median(), aim{}})
	b.add(row{"the floor: a static C program that writes a block and a line", us.took.Milliseconds(), floor.took.Milliseconds(),
		us.took.Median() / floor.took.Median(), aim{most: 2.5}})
	mb := func(s site.Sample) float64 { return s.Median() / 1024 }
	more := mb(us.selfKB) + mb(us.othersKB) - mb(nothing.selfKB)
	b.add(row{"peak memory: application and helper, against the application alone", site.Number(mb(us.selfKB)) + " and " + site.Number(mb(us.othersKB)) + " MB",
		site.Number(mb(nothing.selfKB)) + " MB", more, aim{most: 12, unit: "MB"}})
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
		next    func() (site.Login, error)
	}{{many, ours, many.Phones[0].Login}, {nil, oathMany, theirs[0].Login}, {few, ours, few.Phones[0].Login}} {
		if all[i], err = b.contender(c.host, c.service, c.next); err != nil {
			return err
		}
	}
	if err := alternate(b.manyLogins, all[:]...); err != nil {
		return err
	}
	us, oath, one := all[0].took, all[1].took, all[2].took
	what := count(b.many) + " enrolled users"
	b.add(row{"one login, " + what + ", pam_oath", us.Milliseconds(), oath.Milliseconds(), us.Median() / oath.Median(), aim{most: 0.08}})
	b.add(row{"one login, " + what + ", itself with one", us.Milliseconds(), one.Milliseconds(), us.Median() / one.Median(), aim{most: 1.15}})
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
		b.running = append(b.running, runs[i].client)
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
	b.add(row{"32 logins at a time, different users, google-authenticator", us.Show("a second", 1), google.Show("a second", 1), us.Median() / google.Median(), aim{least: 1}})
	b.add(row{"the same, its own rate one at a time × the processors", us.Show("a second", 1), alone.Show("a second", 1), us.Median() / (alone.Median() * cores()), aim{least: 0.8}})
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
		if o.status != 0 {
			return 0, refusedError{logins[i].User, o.status}
		}
	}
	return float64(len(logins)) / (float64(took) / float64(time.Second)), nil
}

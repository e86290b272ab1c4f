package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"

	"twokey/bench/site"
	"twokey/factor"
)

// sizes are how much is measured.
type sizes struct {
	logins     int // of each contender, one after the other
	many       int // enrolled users, where there are many
	manyLogins int // with those
	rounds     int // of all accounts at a time
	refusals   int // at most 127: refusals.right has two codes of each account, and one of them does not count
	applied    int // users of bench/apply
	sample     int // google-authenticator processes of bench/apply
	records    int // of the audit log
	waiters    int
	again      int // how often bench/apply, audit verify and the waiters are run
}

func full() sizes { return sizes{200, 100_000, 100, 15, 120, 100_000, 1000, 1_000_000, 1000, 3} }

// quick is for trying the program: its figures mean little.
func quick() sizes { return sizes{20, 2000, 5, 3, 20, 2000, 50, 50_000, 1000, 1} }

// bench is one run.
type bench struct {
	*site.Place
	sizes
	rows    []row
	kept    [][]string // what each module synchronises at a login
	running []io.Closer
	say     func(format string, args ...any) // what is going on
}

func (b *bench) add(r row) { b.rows = append(b.rows, r) }

// compare adds the row of two samples of times, whose medians' ratio is the figure.
func (b *bench) compare(what, against string, ours, theirs site.Sample, aim aim) {
	b.add(row{what, against, ours.Milliseconds(), theirs.Milliseconds(), ours.Median() / theirs.Median(), aim})
}

// Close ends all clients.
func (b *bench) Close() error {
	var errs []error
	for _, c := range b.running {
		errs = append(errs, c.Close())
	}
	b.running = nil
	return errors.Join(errs...)
}

// client starts one on a host, or, where that is nil, where there is none.
func (b *bench) client(h *site.Host, service string, atOnce int, under ...string) (*client, error) {
	if h != nil {
		under = append(h.Mounted(), under...)
	}
	c, err := startClient(b.Program("bench-client"), b.ConfDir(), service, atOnce, under...)
	if err != nil {
		return nil, err
	}
	b.running = append(b.running, c)
	return c, nil
}

// contender is a module, or what is measured in its place, at work. The times are in nanoseconds.
type contender struct {
	*client
	next     func() (site.Login, error)
	status   int // what PAM must say: 0, or something else
	took     site.Sample
	cpu      site.Sample
	selfKB   site.Sample
	othersKB site.Sample
}

// contender starts one whose logins are these.
func (b *bench) contender(h *site.Host, service string, next func() (site.Login, error)) (*contender, error) {
	c, err := b.client(h, service, 1)
	if err != nil {
		return nil, err
	}
	return &contender{client: c, next: next}, nil
}

// holder is a contender whose logins are those of a phone.
func (b *bench) holder(h *site.Host, service string, d *site.Phone) (*contender, error) {
	c, err := b.contender(h, service, d.Login)
	if err != nil {
		return nil, err
	}
	return c, prove(c.client, d)
}

// turn is one login.
func (c *contender) turn() error {
	l, err := c.next()
	if err != nil {
		return err
	}
	o, err := c.one(l, c.status)
	if err != nil {
		return err
	}
	c.took = append(c.took, float64(o.took))
	c.cpu = append(c.cpu, float64(o.cpu))
	c.selfKB = append(c.selfKB, o.selfKB)
	c.othersKB = append(c.othersKB, o.othersKB)
	return nil
}

// alternate gives each its turn, n times; another one begins each time. Before that there is one that does not count.
func alternate(n int, all ...*contender) error {
	for _, c := range all {
		if err := c.turn(); err != nil {
			return err
		}
		c.took, c.cpu, c.selfKB, c.othersKB = nil, nil, nil, nil
	}
	for round := range n {
		for i := range all {
			if err := all[(round+i)%len(all)].turn(); err != nil {
				return err
			}
		}
	}
	return nil
}

// run measures everything.
func (b *bench) run() error {
	for _, part := range []struct {
		what string
		do   func() error
	}{
		{"what is synchronised", b.durability},
		{"one login at a time", b.single},
		{"with many enrolled users", b.manyUsers},
		{"all accounts at a time", b.atOnce},
		{"refusals", b.refused},
		{"apply and list", b.apply},
		{"audit verify", b.verify},
		{"waiters", b.wait},
	} {
		b.say("%s", part.what)
		if err := errors.Join(part.do(), b.Close()); err != nil {
			return fmt.Errorf("%s: %w", part.what, err)
		}
	}
	return nil
}

// cores are those that this process may use.
func cores() int { return runtime.NumCPU() }

func (b *bench) host(name string, users int, method factor.Method) (*site.Host, error) {
	return site.NewHost(filepath.Join(b.Dir, name), users, method)
}

// twokeyLine is a line of the module in a PAM service.
func (b *bench) twokeyLine(phase, helper string) string {
	return fmt.Sprintf("%s required %s helper=%s", phase, b.Program("pam_twokey.so"), helper)
}

func (b *bench) helper() string { return b.Program("twokey-verify") }

// Command load logs many users in at once at a real sshd on 127.0.0.1, and draws how long a login takes, by how many there are at a time, with
// twokey and without: `make bench-load` builds all that it needs and runs it. The sshd, the accounts and the PAM services are its own, in a
// mount namespace that goes with it. It is bounded in time and in the number of logins.
//
//	bench-load [-quick] [-dir DIR] [-top DIR] [-o FILE.svg]
//
// A login is all of it: connection, key exchange, password, code, session, one command. Without twokey the same sshd asks for the password.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"twokey/bench/site"
	"twokey/factor"
)

// limits bound a run.
type limits struct {
	levels []int         // how many at a time
	each   int           // logins of each of them in a turn
	budget time.Duration // after which nobody begins to log in
}

func full() limits {
	return limits{[]int{1, 2, 4, 8, 16, 32, site.Accounts}, 5, 4 * time.Minute}
}

func quick() limits { return limits{[]int{1, 4, 16}, 1, time.Minute} }

// turns are how often each of the servers has its turn at a level.
const turns = 2

// level is what was measured with so many logins at a time, in nanoseconds.
type level struct {
	atOnce        int
	with, without site.Sample
}

func main() {
	if err := start(); err != nil {
		var ended *exec.ExitError
		if !errors.As(err, &ended) { // it has spoken for itself
			fmt.Fprintln(os.Stderr, "load:", err)
		}
		os.Exit(1)
	}
}

func start() (err error) {
	small := flag.Bool("quick", false, "few logins, to try it")
	below := flag.String("dir", os.TempDir(), "the `DIR` whose file system twokey's files are on")
	top := flag.String("top", ".", "the working `DIR` of twokey, built")
	output := flag.String("o", "load.svg", "draw the picture to this `FILE`")
	flag.Parse()
	dir, err := site.Apart(*below)
	if dir == "" || err != nil {
		return err
	}
	within := full()
	if *small {
		within = quick()
	}
	p, err := site.New(dir, *top)
	if err != nil {
		return err
	}
	if err := p.InstallBuilt("twokey-verify", "pam_twokey.so"); err != nil {
		return err
	}
	levels, err := measure(p, within)
	if err != nil {
		return err
	}
	for _, l := range levels {
		fmt.Printf("%3d at a time: with twokey %s, without %s\n", l.atOnce, l.with.Milliseconds(), l.without.Milliseconds())
	}
	return draw(levels, *output)
}

// measure drives both servers, one level after the other.
func measure(p *site.Place, within limits) (levels []level, err error) {
	h, err := site.NewHost(filepath.Join(p.Dir, "host"), site.Accounts, factor.HOTP)
	if err != nil {
		return nil, err
	}
	servers, err := startServers(p, h)
	defer func() { err = errors.Join(err, servers.Close()) }()
	if err != nil {
		return nil, err
	}
	end := time.Now().Add(within.budget)
	for _, one := range []server{servers.with, servers.without} { // what is done once is not measured
		if _, err := one.load(h.Phones[:1], 1, end); err != nil {
			return nil, err
		}
	}
	for _, n := range within.levels {
		l, err := servers.level(h.Phones[:n], within.each, end)
		if err != nil {
			return nil, err
		}
		if time.Now().After(end) { // not all of them have logged in
			break
		}
		levels = append(levels, l)
	}
	if len(levels) == 0 {
		return nil, errors.New("the time was over before anything was measured")
	}
	return levels, nil
}

// level gives each server its turns with these people.
func (s *servers) level(people []*site.Phone, each int, end time.Time) (level, error) {
	l := level{atOnce: len(people)}
	for range turns {
		without, err := s.without.load(people, each, end)
		if err != nil {
			return level{}, err
		}
		with, err := s.with.load(people, each, end)
		if err != nil {
			return level{}, err
		}
		l.without, l.with = append(l.without, without...), append(l.with, with...)
	}
	return l, nil
}

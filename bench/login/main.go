// Command login compares logins with twokey to logins with what people use today, and prints one table: `make bench` builds all that it needs
// and runs it. Whatever is compared is measured in one run, one login of each after the other, in a folder and with accounts that nobody else
// sees. It needs root, and nothing of the host changes.
//
//	bench-login [-quick] [-dir DIR] [-top DIR] [-o FILE]
//
// Every login is one of bench/client: pam_start to pam_end of the real libpam in a process of its own, with the same conversation and counter
// codes (RFC 4226) that were computed before; refusals are those of time codes.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"time"

	"twokey/bench/site"
)

func main() {
	if err := start(); err != nil {
		var ended *exec.ExitError
		if !errors.As(err, &ended) { // it has spoken for itself
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		os.Exit(1)
	}
}

func start() (err error) {
	small := flag.Bool("quick", false, "few of everything, to try it; the figures mean little")
	below := flag.String("dir", os.TempDir(), "the `DIR` whose file system is measured")
	top := flag.String("top", ".", "the working `DIR` of twokey, built")
	output := flag.String("o", "", "also write to this `FILE`")
	flag.Parse()
	dir, err := site.Apart(*below)
	if dir == "" || err != nil {
		return err
	}
	facts, err := facts(*small, dir, *top)
	if err != nil {
		return err
	}
	p, err := site.New(dir, *top)
	if err != nil {
		return err
	}
	if err := p.InstallBuilt("twokey", "twokey-verify", "pam_twokey.so", "bench-client", "bench-floor"); err != nil {
		return err
	}
	b := &bench{Place: p, sizes: full(), say: func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, time.Now().UTC().Format("15:04:05")+" "+format+"\n", args...)
	}}
	if *small {
		b.sizes = quick()
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if err := b.run(); err != nil {
		return err
	}
	return b.write(facts, *output)
}

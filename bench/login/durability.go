package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"twokey/bench/site"
	"twokey/factor"
)

// syncCall is a line of strace -y: 123 fdatasync(5</path/of/file>) = 0.
var syncCall = regexp.MustCompile(`(?m)\b(fsync|fdatasync|msync|sync_file_range|syncfs)\(\d+<([^>]*)>.*= 0$`)

// synced are what a module has synchronised, in its order, by the names of the files and their folders.
func synced(trace string) []string {
	var calls []string
	for _, m := range syncCall.FindAllStringSubmatch(trace, -1) {
		calls = append(calls, m[1]+" "+filepath.Join(filepath.Base(filepath.Dir(m[2])), filepath.Base(m[2])))
	}
	return calls
}

// durability finds out by strace(1) what each module synchronises before it lets in.
func (b *bench) durability() error {
	h, err := b.host("durable", 1, factor.HOTP)
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
	old, err := b.oathUsers(oath, 1)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		host          *site.Host
		service, name string
		phone         *site.Phone
	}{{h, ours, "twokey", h.Phones[0]}, {nil, google, "google-authenticator", theirs[0]}, {nil, oath, "pam_oath", old[0]}} {
		calls, err := b.traced(c.host, c.service, c.phone)
		if err != nil {
			return err
		}
		text := "nothing: after a crash of the machine a used code can be good again"
		if len(calls) > 0 {
			text = strings.Join(calls, ", ")
		}
		b.kept = append(b.kept, []string{c.name, text})
	}
	b.kept = append(b.kept, []string{"the floor", "fdatasync slot, fdatasync log"})
	return nil
}

// traced is one login under strace: the second, when all files are there.
func (b *bench) traced(h *site.Host, service string, d *site.Phone) ([]string, error) {
	plain, err := b.client(h, service, 1)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(b.Dir, service+".trace")
	traced, err := b.client(h, service, 1, "strace", "-f", "-y", "-o", file, "-e", "trace=fsync,fdatasync,msync,sync_file_range,syncfs")
	if err != nil {
		return nil, err
	}
	for _, c := range []*client{plain, traced} {
		l, err := d.Login()
		if err != nil {
			return nil, err
		}
		if _, err := c.one(l, 0); err != nil {
			return nil, err
		}
	}
	if err := b.Close(); err != nil {
		return nil, err
	}
	trace, err := os.ReadFile(file)
	return slices.Clip(synced(string(trace))), err
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"twokey/deliver"
	"twokey/doctor"
	"twokey/enroll"
	"twokey/internal/sysuser"
	"twokey/policy"
)

func doctorCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "would a login work, would it be asked, and what mends it",
		Description: "Examines the PAM stacks, what sshd would do for the users and addresses that matter, sudo's rules, the sockets, twokey's\n" +
			"files, what ends soon and the clock. The first line is the verdict; each finding has the line or the command that mends it.\n" +
			"Changes nothing; only that a service had no account line is forgotten when it has one, so that logins enrol there again.\n" +
			"Exit status 3 when somebody would not be asked though the policy requires it, 1 when something else is broken.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "service", Usage: "only this PAM `SERVICE`"},
			&cli.StringFlag{Name: "user", Usage: "only for this `USER`"},
			&cli.StringFlag{Name: "from", Usage: "only for logins from this `ADDRESS`"},
		},
		Action: func(c *cli.Context) error { return doctorAction(c, ui) },
	}
}

// longestExamination bounds the programs that doctor runs, all together.
const longestExamination = 2 * time.Minute

func doctorAction(c *cli.Context, ui *ui) error {
	if err := noArguments(c); err != nil {
		return err
	}
	examined := doctor.Host{Service: c.String("service"), User: c.String("user"), From: c.String("from")}
	if err := checkNarrowing(examined); err != nil {
		return err
	}
	h, err := findHost(c, ui)
	if err != nil {
		return err
	}
	if err := h.checkService(&examined); err != nil {
		return err
	}
	u, err := h.fillIn(&examined)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context, longestExamination)
	defer cancel()
	report := doctor.Examine(ctx, examined)
	if err := errors.Join(ui.doctorReport(report), forgetLacking(u, report)); err != nil {
		return err
	}
	switch {
	case report.NotAsked():
		return errSilent
	case !report.OK():
		return failed("%s", verdictOf(report)).hint("each finding says what to write or to type")
	}
	return nil
}

// checkNarrowing refuses wrong flags before any file is opened.
func checkNarrowing(h doctor.Host) error {
	if h.Service != "" && (visible(h.Service) != h.Service || filepath.Base(h.Service) != h.Service) {
		return badUsage("%q cannot be the name of a PAM service", h.Service)
	}
	if h.User != "" {
		if err := checkUserName(h.User); err != nil {
			return err
		}
	}
	if _, err := netip.ParseAddr(h.From); h.From != "" && err != nil {
		return badUsage("--from: %q is not an address", h.From)
	}
	return nil
}

// checkService refuses a service without a file: about a misspelt one nothing would be found wrong. Where the files cannot be read,
// that is a finding.
func (h *host) checkService(examined *doctor.Host) error {
	examined.Service = strings.ToLower(examined.Service) // as libpam does
	if exists, err := h.pamServiceExists(examined.Service); examined.Service == "" || exists || err != nil {
		return nil
	}
	return noSuchService(examined.Service)
}

// forgetLacking lets logins be announced again at services whose stack was mended.
func forgetLacking(u *enroll.Users, r *doctor.Report) (err error) {
	for _, service := range r.Mended {
		err = errors.Join(err, u.ForgetLacking(service))
	}
	return err
}

// fillIn finds the policy in force, the people and what logins have learnt. The users are nil where their files cannot be opened.
func (h *host) fillIn(examined *doctor.Host) (*enroll.Users, error) {
	examined.Root, examined.Config, examined.Now, examined.FileSystem = h.root, h.config, time.Now(), fileSystemOf
	examined.Notify = deliver.Helper()
	if h.root == "" {
		examined.Unit = doctor.MachineUnit
	}
	inForce, err := h.policyInForce()
	if err != nil {
		examined.Problem = err
		return nil, nil
	}
	h.policy = inForce.Config
	examined.Policy = inForce.Config
	if inForce.LastGood {
		examined.Problem = inForce.Problem
	}
	if examined.User != "" {
		account, err := h.account(examined.User)
		if err != nil {
			return nil, err
		}
		examined.User = account.Name
	}
	u, err := h.users()
	if err != nil {
		u = nil // doctor finds out why: about the files
	} else if lacking, err := u.Lacking(); err == nil { // of a file that is damaged doctor tells
		for _, l := range lacking {
			examined.Lacking = append(examined.Lacking, doctor.Lacking(l))
		}
	}
	examined.People, err = h.patients(u, examined.Now)
	return u, err
}

// patients are the accounts with a login shell, and whoever the policy or the secrets name.
func (h *host) patients(u *enroll.Users, now time.Time) (people []doctor.Person, err error) {
	list := loginNames
	if u != nil {
		list = func() ([]string, error) { return h.names(u) }
	}
	names, err := list()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		p, err := h.patient(u, name, now)
		if errors.Is(err, sysuser.ErrUnknown) {
			continue
		}
		if err != nil {
			return nil, about(name, err)
		}
		people = append(people, p)
	}
	return people, nil
}

func (h *host) patient(u *enroll.Users, name string, now time.Time) (doctor.Person, error) {
	account, err := sysuser.Lookup(name)
	if err != nil {
		return doctor.Person{}, err
	}
	p := &person{name: account.Name, account: &account, system: h.isSystem(account)}
	if u != nil {
		if p.enrolled, err = u.Secrets.Enrolled(account.Name); err != nil {
			return doctor.Person{}, err
		}
		if p.state, err = u.State.Read(account.Name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			p.state = nil // doctor tells about the file
		}
	}
	groups := map[string]func() (bool, error){}
	facts := func(service, from string) policy.Facts {
		f := p.facts(visit{service: service, rhost: from, at: now, console: from == "" && service == "login"})
		f.InGroup = func(group string) (bool, error) { // the name service is asked once, not for every service
			if groups[group] == nil {
				in, err := p.inGroup(group)
				groups[group] = func() (bool, error) { return in, err }
			}
			return groups[group]()
		}
		return f
	}
	patient := doctor.Person{Name: account.Name, Shell: account.Shell, Enrolled: p.enrolled, Facts: facts}
	if p.state != nil && p.enrolled {
		for _, d := range p.state.Devices {
			patient.Devices = append(patient.Devices, doctor.Device{Name: d.Name, Method: d.Method, Until: d.Until})
		}
	}
	if u != nil {
		patient.Codes = func() (enrolment, bypass error) { return unreadableCodes(u, account.Name) }
	}
	return patient, nil
}

// unreadableCodes are why what is kept of a user's enrolment and bypass codes cannot be read.
func unreadableCodes(u *enroll.Users, name string) (enrolment, bypass error) {
	_, _, enrolment = u.CodeOpen(name)
	_, bypass = u.Bypasses(name)
	return enrolment, bypass
}

// fileSystemOf tells what a folder lies on.
func fileSystemOf(folder string) (doctor.FileSystem, error) {
	var at unix.Statfs_t
	if err := unix.Statfs(folder, &at); err != nil {
		return doctor.FileSystem{}, &os.PathError{Op: "statfs", Path: folder, Err: err}
	}
	kind := uint32(at.Type)
	name, remote := remoteFileSystems()[kind]
	f := doctor.FileSystem{Name: name, Remote: remote, Free: int64(at.Bavail) * at.Bsize}
	switch kind {
	case unix.BTRFS_SUPER_MAGIC:
		f.Name, f.CopyOnWrite = "btrfs", true
	case unix.TMPFS_MAGIC, unix.RAMFS_MAGIC:
		f.Name, f.Volatile = "tmpfs", true
	case unix.EXT4_SUPER_MAGIC:
		f.Name = "ext4"
	case unix.XFS_SUPER_MAGIC:
		f.Name = "xfs"
	}
	return f, nil
}

// verdictOf is the first line.
func verdictOf(r *doctor.Report) string {
	counts := fmt.Sprintf("%s, %s", count(r.Errors(), "error"), count(r.Warnings(), "warning"))
	switch {
	case r.NotAsked():
		return "NOT ASKED: somebody who is required gets in without a code (" + counts + ")"
	case !r.OK():
		return "BROKEN: " + counts
	case r.Warnings() > 0:
		return "nothing is broken, with " + count(r.Warnings(), "warning")
	}
	return "nothing is wrong"
}

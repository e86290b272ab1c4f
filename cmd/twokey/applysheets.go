package main

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"

	"twokey/enroll/batch"
	"twokey/enroll/sheet"
	"twokey/internal/safefile"
)

// openSheets makes the folder for the pages, if there are to be any, and keeps others from it, before anybody is looked at: who is new must
// still be new when his page is written.
//
// Attack, or two people on one morning: a second run into the same folder writes its pages over those of the first, finds everybody enrolled
// by then, and takes the pages away.
func (a *application) openSheets() (err error) {
	if a.sheets == "" || a.looksOnly() {
		return nil
	}
	if a.sheetDir, err = a.lockFolder(a.sheets); err != nil {
		return err
	}
	var about unix.Stat_t
	if err := unix.Fstat(a.sheetDir.Fd(), &about); err != nil {
		return err
	}
	if about.Mode&0o077 != 0 {
		return failed("others have access to %s, where the secrets would be", a.sheets).hint("chmod 700 '%s', or another folder", a.sheets)
	}
	return nil
}

// lockFolder makes a folder, unless it is there, and keeps other runs from it until it is closed (flock(2)).
func (a *application) lockFolder(path string) (*safefile.Dir, error) {
	dir, err := safefile.MakeDir(path, 0o700)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(dir.Fd(), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		err = failed("another apply is at work in %s; nothing was changed", path).hint("wait until it has ended, and try again")
	case errors.Is(err, unix.EBADF): // NFS locks only what can be written, which a folder cannot
		a.ui.warn("the file system of %s cannot keep another apply from it: see that none runs at the same time", path)
		return dir, nil
	}
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return dir, nil
}

func (a *application) closeSheets() error {
	if a.sheetDir == nil {
		return nil
	}
	return a.sheetDir.Close()
}

// writeSheets writes the pages, before what is on them is in force.
func (a *application) writeSheets(some []*batch.Plan) {
	if a.sheetDir == nil {
		return
	}
	a.telling.Lock()
	for _, p := range some {
		a.paged[p] = p.Err == nil
	}
	a.telling.Unlock()
	errs, failure := safefile.WriteAll(len(some), func(i int, set *safefile.Set) error {
		defer a.step(1)
		if some[i].Err != nil {
			return nil
		}
		return a.sheetsOf(some[i], set)
	})
	for i, p := range some {
		if p.Err == nil {
			p.Err = errors.Join(errs[i], failure)
		}
	}
}

func (a *application) sheetsOf(p *batch.Plan, set *safefile.Set) error {
	if len(p.Drafts) == 0 {
		return nil
	}
	account, err := a.directory.Lookup(p.User.Name)
	if err != nil {
		return err
	}
	return a.putPages(p, set, sheet.Data{FullName: account.FullName, Host: a.job.Usual.Host,
		Contact: whomToAsk(a.policy), HelpURL: a.policy.HelpURL, Language: a.policy.Language})
}

// putPages makes a page of each device that has a secret: what is sent to a phone has none. Recovery codes stand on the first.
func (a *application) putPages(p *batch.Plan, set *safefile.Set, data sheet.Data) error {
	data.User, data.RecoveryCodes = p.User.Name, p.Codes
	for _, d := range p.Drafts {
		if d.URI == "" {
			continue
		}
		data.Device, data.URI = d.Device, d.URI
		page, err := sheet.Page(data)
		if err != nil {
			return err
		}
		if err := set.Replace(a.sheetDir, sheetName(p.User.Name, d.Device.Name), page, 0o600); err != nil {
			return err
		}
		data.RecoveryCodes = nil
	}
	return nil
}

// removeSheets takes the pages away of devices that did not come into force.
func (a *application) removeSheets(p *batch.Plan) error {
	var all error
	for _, d := range p.Drafts {
		if err := a.sheetDir.Remove(sheetName(p.User.Name, d.Device.Name)); !errors.Is(err, fs.ErrNotExist) {
			all = errors.Join(all, err)
		}
	}
	return all
}

// sheetName is alice~phone.html: no file name of a user or a device has a tilde in it, so that no two pages have the same.
func sheetName(user, device string) string {
	return safefile.UserFileName(user) + "~" + safefile.UserFileName(device) + ".html"
}

package main

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/audit"
	"twokey/enroll"
	"twokey/internal/safefile"
	"twokey/policy"
	"twokey/policy/inforce"
	"twokey/secrets"
	"twokey/state"
)

func initCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:  "init",
		Usage: "set this host up: key, folders, configuration, audit log",
		Description: "Makes what is missing and leaves alone what is there, so that an interrupted run is completed by the next.\n" +
			"No login changes by it: the PAM stack is not touched, and nobody is asked before he is enrolled.",
		Flags:  []cli.Flag{dryRunFlag()},
		Action: func(c *cli.Context) error { return initAction(c, ui) },
	}
}

func initAction(c *cli.Context, ui *ui) error {
	if err := noArguments(c); err != nil {
		return err
	}
	h, err := findHost(c, ui)
	if err != nil {
		return err
	}
	s := &setup{host: h}
	if err := s.look(); err != nil {
		return err
	}
	if s.dryRun {
		return s.run()
	}
	return s.runAlone()
}

// setup is one run of init.
type setup struct {
	*host
	made []string // paths, in the order in which they were made, or with --dry-run would be
	key  string   // the audit log's verification key, when the log was made
}

// look finds out where everything goes, and refuses network file systems, before anything is made.
func (s *setup) look() error {
	if err := s.findPolicy(); err != nil {
		return err
	}
	return s.checkPlaces()
}

// runAlone is run under the lock of the data folder, which is made first. Of two runs at once the second waits, and finds everything
// there. Without that it would take the log of the first, whose key is not shown yet, for one of an interrupted run, and begin it anew:
// the key that the first then shows would be that of no log.
func (s *setup) runAlone() error {
	data := s.path(s.policy.Paths.Data)
	dir, err := safefile.OpenDir(data)
	missing := errors.Is(err, fs.ErrNotExist)
	if missing {
		dir, err = safefile.MakeDir(data, 0o700)
	}
	if err != nil {
		return err
	}
	if err := dir.Close(); err != nil {
		return err
	}
	lock, err := lockData(data)
	if err != nil {
		return err
	}
	defer lock.Close()
	names, err := lock.Names()
	if err != nil {
		return err
	}
	if missing && len(names) == 0 { // else another run was faster
		s.note(data)
	}
	if err := s.look(); err != nil {
		return err
	}
	if s.path(s.policy.Paths.Data) != data {
		return errChangedMeanwhile
	}
	return s.run()
}

// run makes what is missing and tells. The audit log comes last: its verification key is shown once, and what could still fail behind
// it could keep it from being seen.
func (s *setup) run() error {
	for _, step := range []func() error{s.folders, s.configuration, s.hostKey, s.decoys, s.keepPolicy, s.auditLog, s.tell} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// findPolicy reads the configuration that is there, which may name other paths; without one it is that which will be made.
func (s *setup) findPolicy() error {
	source, err := safefile.ReadFile(s.config, safefile.Public)
	if errors.Is(err, fs.ErrNotExist) {
		source, err = policy.Default(), nil
	}
	if err != nil {
		return err
	}
	return s.understand(source)
}

// places are the folders and their permissions.
func (s *setup) places() []place {
	p := s.policy.Paths
	data := s.path(p.Data)
	return []place{
		{filepath.Dir(s.config), 0o755, false},
		{filepath.Dir(s.path(p.Key)), 0o755, false},
		{s.path(p.Credentials), 0o700, false},
		{data, 0o700, false},
		{data + "/users", 0o700, false},
		{data + "/state", 0o700, true},
		{data + "/uids", 0o700, false},
		{filepath.Dir(s.path(p.Audit)), 0o700, true},
	}
}

type place struct {
	folder  string
	perm    fs.FileMode
	inPlace bool // files in it have to be overwritten in place
}

// checkPlaces refuses network file systems.
func (s *setup) checkPlaces() error {
	for _, p := range s.places() {
		if err := checkLocal(p.folder); err != nil {
			return err
		}
	}
	return nil
}

func (s *setup) folders() error {
	for _, p := range s.places() {
		if err := s.folder(p); err != nil {
			return err
		}
	}
	return nil
}

func (s *setup) folder(p place) error {
	open, create := safefile.OpenDir, safefile.MakeDir
	if p.folder == filepath.Dir(s.path(s.policy.Paths.Audit)) {
		open, create = safefile.OpenLogDir, safefile.MakeLogDir
	}
	dir, err := open(p.folder)
	if errors.Is(err, fs.ErrNotExist) {
		s.note(p.folder)
		if s.dryRun {
			return nil
		}
		dir, err = create(p.folder, p.perm)
	}
	if err != nil {
		return err
	}
	if p.inPlace && !s.dryRun {
		err = keepInPlace(dir)
	}
	return errors.Join(err, dir.Close())
}

func (s *setup) configuration() error {
	return s.file(s.config, func() error {
		dir, err := safefile.OpenDir(filepath.Dir(s.config))
		if err != nil {
			return err
		}
		return errors.Join(dir.WriteNew(filepath.Base(s.config), policy.Default(), 0o644), dir.Close())
	})
}

// keepPolicy puts the configuration in force, so that no login has to, and takes it for a change. A host that is made for another
// root has other paths: its first login does it.
func (s *setup) keepPolicy() error {
	if s.dryRun || s.root != "" {
		return nil
	}
	inForce, err := inforce.Load(s.config)
	if err != nil {
		return err
	}
	return errors.Join(inForce.Problem, inForce.Watch(s.config, time.Now()))
}

// hostKey makes a key, but not where users' files are encrypted to one that has been lost: a new key would make a backup of the old
// one look like the wrong one.
func (s *setup) hostKey() error {
	path := s.path(s.policy.Paths.Key)
	return s.file(path, func() error {
		store, err := secrets.Open(s.path(s.policy.Paths.Data), path)
		if err != nil {
			return err
		}
		users, err := store.Users()
		if err = errors.Join(err, store.Close()); err != nil {
			return err
		}
		if len(users) > 0 {
			return failed("%s is missing, and %d users' secrets are encrypted to it", path, len(users)).
				hint("put it back from a backup; to begin anew move %s/users away first", s.path(s.policy.Paths.Data))
		}
		return secrets.GenerateHostKey(path)
	})
}

// file makes a file unless something of its name is there; what that is like, the command that needs it will see.
func (s *setup) file(path string, create func() error) error {
	dir, err := safefile.OpenDir(filepath.Dir(path))
	if s.dryRun && errors.Is(err, fs.ErrNotExist) {
		s.note(path)
		return nil
	}
	if err != nil {
		return err
	}
	exists, err := dir.Exists(filepath.Base(path))
	if err = errors.Join(err, dir.Close()); err != nil || exists {
		return err
	}
	s.note(path)
	if s.dryRun {
		return nil
	}
	return create()
}

// decoys are there so that the work for whoever cannot get in is that for whoever can. What killed writers have left behind goes.
func (s *setup) decoys() error {
	if s.dryRun {
		return nil
	}
	data := s.path(s.policy.Paths.Data)
	store, err := secrets.Create(data, s.path(s.policy.Paths.Key))
	if err != nil {
		return err
	}
	st, err := state.Create(data)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	u := &enroll.Users{Secrets: store, State: st, Now: time.Now}
	return errors.Join(u.CreateDecoys(), u.RemoveStale(), store.Close(), st.Close())
}

// auditLog makes the log. The first record is written when the verification key has been shown: a log without one may come from a
// run that ended before, so it is set aside and begun anew.
func (s *setup) auditLog() error {
	path := s.path(s.policy.Paths.Audit)
	empty, err := emptyLog(path)
	if err != nil || !empty {
		return err
	}
	s.note(path)
	if s.dryRun {
		return nil
	}
	key, err := audit.Create(path)
	if errors.Is(err, fs.ErrExist) {
		key, err = audit.Restart(path, s.newRecord("init", ""))
	}
	s.key = key.Text()
	return err
}

// emptyLog reports whether nothing has been recorded yet. A log without its head is an error: it may be full of records.
func emptyLog(path string) (bool, error) {
	last, headErr := audit.ReadCheckpoint(path)
	if headErr == nil && last.Sequence > 0 {
		return false, nil
	}
	entries, err := audit.Tail(path, 1)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return false, err
	case len(entries) == 0 && (headErr == nil || errors.Is(headErr, fs.ErrNotExist)):
		return true, nil
	}
	return false, headErr
}

func (s *setup) note(path string) {
	if !slices.Contains(s.made, path) { // key and configuration share a folder, usually
		s.made = append(s.made, path)
	}
}

// tell prints what was made, and the verification key before the first record makes it final.
func (s *setup) tell() error {
	result := struct {
		Changed         bool     `json:"changed"`
		Created         []string `json:"created"`
		Config          string   `json:"config"`
		VerificationKey string   `json:"verification_key,omitempty"`
	}{len(s.made) > 0, append([]string{}, s.made...), s.config, s.key}
	if err := s.ui.object(result); err != nil {
		return err
	}
	if len(s.made) == 0 {
		s.ui.say("twokey is set up on this host already: nothing to do.")
		return nil
	}
	verb := "Made"
	if s.dryRun {
		verb = "Would make"
	}
	for _, path := range s.made {
		s.ui.say("%s %s", verb, path)
	}
	if s.dryRun {
		return nil
	}
	if s.key != "" {
		s.ui.say("\nThe verification key of the audit log, shown this once:\n\n    %s\n", s.key)
		s.ui.say("Keep it off this host, in a password manager or on paper: with it `twokey audit verify`\n" +
			"finds every change to the log, also by an intruder who was root.")
	}
	var changes []audit.Change
	for _, path := range s.made {
		changes = append(changes, audit.Change{Field: "created", New: path})
	}
	if err := s.record("init", "", changes...); err != nil {
		return err
	}
	s.ui.say("\nThis host is set up; no login has changed yet.\nNext, give a user a second factor: twokey enroll USER")
	return nil
}

package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"twokey/internal/safefile"
	"twokey/policy"
	"twokey/policy/inforce"
)

func policyEditCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:  "edit",
		Usage: "edit the configuration file in an editor; a mistake is shown and not put in force",
		Description: "Works like visudo: opens a copy in $SUDO_EDITOR, $VISUAL or $EDITOR, and puts it in the place of the file when it is\n" +
			"right. Nobody else can edit the configuration by twokey meanwhile. A file that is wrong already can be mended so.",
		Flags:  []cli.Flag{dryRunFlag()},
		Action: func(c *cli.Context) error { return policyEditAction(c, ui) },
	}
}

func policyEditAction(c *cli.Context, ui *ui) error {
	if err := noArguments(c); err != nil {
		return err
	}
	h, err := findHost(c, ui)
	if err != nil {
		return err
	}
	editor, err := editorCommand(os.Getenv, exec.LookPath, ui.in.terminal())
	if err != nil {
		return err
	}
	e, err := h.editByHand()
	if err != nil {
		return err
	}
	if err := e.allowed(); err != nil && !h.dryRun {
		return err
	}
	lock, err := h.lockEdits(e)
	if err != nil {
		return err
	}
	defer lock.Close()
	return h.editLocked(e, lock, editor)
}

// editByHand begins an edit. The policy before it is that of the file, or, where that is wrong, the one in force instead.
func (h *host) editByHand() (*configEdit, error) {
	source, err := safefile.ReadFile(h.config, safefile.Public)
	if err != nil {
		return nil, err
	}
	e := &configEdit{path: h.config, before: source, after: source}
	if e.was, err = policy.Parse(source); err != nil {
		found, err := h.policyInForce()
		if errors.Is(err, inforce.ErrNone) { // nobody gets in: every policy is laxer
			found = &inforce.Policy{Config: &policy.Config{Default: policy.Deny, Paths: policy.PathsIn(source)}}
		} else if err != nil {
			return nil, err
		}
		e.was = found.Config
	}
	e.is, h.policy = e.was, e.was
	return e, nil
}

// The copy lies in a folder of its own, in which editors leave what they like; both are root's alone.
const (
	editFolder = "edit"
	editName   = "twokey.yaml"
)

// editLocked opens the editor until what comes out of it is right, and puts that in force. The lock is held all the time. What was
// written by hand is kept in the copy when it could not be put in force for a reason that is not in it.
func (h *host) editLocked(e *configEdit, data *safefile.Dir, editor []string) error {
	dir, err := safefile.MakeDir(data.Path()+"/"+editFolder, 0o700)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := errors.Join(clearFolder(dir), dir.Replace(editName, e.before, 0o600)); err != nil {
		return err
	}
	if err := h.editUntilRight(e, dir, editor); err != nil {
		return errors.Join(err, clearFolder(dir))
	}
	err = h.commitEdited(e)
	var own *advised
	if err == nil || errors.As(err, &own) && !errors.Is(err, errChangedMeanwhile) {
		return errors.Join(err, clearFolder(dir))
	}
	h.ui.warn("what you have written is kept in %s/%s until the next policy edit", dir.Path(), editName)
	return err
}

// clearFolder removes the copy and what an editor has left beside it.
func clearFolder(dir *safefile.Dir) error {
	names, err := dir.Names()
	if err != nil {
		return err
	}
	var all []error
	for _, name := range names {
		all = append(all, dir.Remove(name))
	}
	return errors.Join(all...)
}

// errNotSaved is returned when the person gives up.
var errNotSaved = failed("not saved, nothing was changed")

// editUntilRight opens the editor, and again as long as the person wants to mend what is wrong.
func (h *host) editUntilRight(e *configEdit, dir *safefile.Dir, editor []string) error {
	for {
		if err := h.runEditor(editor, dir.Path()+"/"+editName); err != nil {
			return err
		}
		written, err := dir.Read(editName, safefile.Rules{MaxSize: policy.MaxSource, Forbid: 0o022})
		if err != nil {
			return err
		}
		e.after = written
		if bytes.Equal(e.before, e.after) {
			return nil
		}
		if e.is, err = policy.Parse(written); err == nil {
			err = checkSigners(written, e.is.Provisioners)
		}
		if err == nil {
			return nil
		}
		if err := h.again(err); err != nil {
			return err
		}
	}
}

// again shows what is wrong and asks what to do; nil: edit again.
func (h *host) again(wrong error) error {
	h.ui.warn("the file would be wrong: %s", oneLine(wrong))
	for {
		answer, err := h.ui.ask("(e)dit again, or e(x)it without saving? ", false)
		if errors.Is(err, errNoInput) {
			return failed("%v; not saved, nothing was changed", wrong)
		}
		if err != nil {
			return err
		}
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "e", "edit":
			return nil
		case "x", "exit":
			return errNotSaved
		}
	}
}

// commitEdited shows, asks and writes.
func (h *host) commitEdited(e *configEdit) error {
	h.ui.lines(e.diff())
	result := edited{Changed: !e.empty(), DryRun: h.dryRun, Diff: e.diff()}
	if e.empty() {
		h.ui.say("Nothing was changed.")
		return h.ui.object(result)
	}
	if err := h.checkMove(e); err != nil {
		return err
	}
	h.warnOfNew(e)
	h.warnLockedOut(e)
	if h.dryRun {
		h.ui.say("Nothing was changed (--dry-run).")
		return h.ui.object(result)
	}
	if question := e.question(wording{}); question != "" {
		if err := h.ui.confirm(h.yes, "%s", question); err != nil {
			return err
		}
	}
	if err := h.applyLocked(e, "policy-edit", ""); err != nil {
		return err
	}
	h.ui.say("Saved: it counts from the next login on.")
	return h.ui.object(result)
}

// editorCommand is what the person wants to edit with, in the order of sudoedit(8), and its arguments. One that is named may be a
// script, and do without a terminal; the others would hang without one.
func editorCommand(env func(string) string, find func(string) (string, error), terminal bool) ([]string, error) {
	for _, name := range []string{"SUDO_EDITOR", "VISUAL", "EDITOR"} {
		words := strings.Fields(env(name))
		if len(words) == 0 {
			continue
		}
		path, err := find(words[0])
		if err != nil {
			return nil, failed("$%s: %v", name, err).hint("set it to the editor that you want, such as %s=nano", name)
		}
		return append([]string{path}, words[1:]...), nil
	}
	if !terminal {
		return nil, failed("standard input is not a terminal, and an editor needs one").
			hint("twokey config set and twokey policy require, exempt and unset need none; a script can be named in EDITOR")
	}
	for _, name := range []string{"sensible-editor", "editor", "vi", "nano"} {
		if path, err := find(name); err == nil {
			return []string{path}, nil
		}
	}
	return nil, failed("there is no editor on this host").hint("set EDITOR to one, or edit the file and then: twokey policy check")
}

// runEditor waits for the editor, at our terminal. An interrupt that is typed there is the editor's: we stay, for the lock.
func (h *host) runEditor(editor []string, file string) error {
	path, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	cmd := exec.Command(editor[0], append(editor[1:len(editor):len(editor)], path)...)
	h.ui.attach(cmd)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGINT, unix.SIGQUIT)
	defer signal.Stop(signals)
	if err := cmd.Run(); err != nil {
		return failed("the editor %s failed, nothing was changed: %v", editor[0], err).hint("EDITOR says which one is used")
	}
	return nil
}

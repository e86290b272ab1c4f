package main

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/urfave/cli/v2"

	"twokey/audit"
	"twokey/deliver"
	"twokey/enroll"
	"twokey/internal/safefile"
	"twokey/policy"
)

// phoneSetup is the provider of a method being set up. Nothing is written before it was seen to work.
type phoneSetup struct {
	*host
	c           *cli.Context
	users       *enroll.Users
	method      string // sms or push
	credentials []credential
	edit        *configEdit
}

// setUp is what sms setup and push setup print with --json.
type setUp struct {
	Changed bool             `json:"changed"`
	DryRun  bool             `json:"dry_run,omitempty"`
	Diff    string           `json:"diff"`
	Files   []string         `json:"credential_files"` // that were written
	Account *deliver.Account `json:"account,omitempty"`
	Tested  bool             `json:"tested"` // a message was sent, and its code has come back
}

func openSetup(c *cli.Context, ui *ui, method string) (*phoneSetup, error) {
	if err := noArguments(c); err != nil {
		return nil, err
	}
	h, u, err := openUsers(c, ui)
	if err != nil {
		return nil, err
	}
	return &phoneSetup{host: h, c: c, users: u, method: method}, nil
}

// said is what a flag says, or else who sits at the terminal. Usual is for who says nothing; "": something has to be said.
func (s *phoneSetup) said(flag, question, usual string) (string, error) {
	switch {
	case s.c.IsSet(flag):
		return s.c.String(flag), nil
	case !s.ui.in.terminal() && usual != "":
		return usual, nil
	case !s.ui.in.terminal():
		return "", badUsage("--%s is missing", flag).hint("%s setup asks at a terminal; elsewhere flags say it: twokey %s setup --help", s.method, s.method)
	}
	if usual != "" {
		question += " [" + usual + "]"
	}
	answer, err := s.ui.ask(wrapLine(visible(question+":"))+" ", false)
	answer = or(strings.TrimSpace(answer), usual)
	if err == nil && answer == "" {
		err = failed("nothing was typed, nothing was changed")
	}
	return answer, err
}

// explain is for who is asked at a terminal.
func (s *phoneSetup) explain(format string, args ...any) {
	if s.ui.in.terminal() {
		s.ui.lines(wrapLine(fmt.Sprintf(format, args...)) + "\n")
	}
}

// provider is which one is wished.
func (s *phoneSetup) provider(question, present, first string, known []string) (string, error) {
	usual := present
	if usual == "" && s.ui.in.terminal() {
		usual = first
	}
	provider, err := s.said("provider", question, usual)
	if err != nil {
		return "", err
	}
	for _, one := range known {
		if provider == one {
			return provider, nil
		}
	}
	return "", badUsage("--provider: there is no provider %q", visible(provider)).hint("want %s", strings.Join(known, ", "))
}

// credential asks for one, which goes into a file of this name. OrElse is what comes of it where there is none; "": there has to be one.
func (s *phoneSetup) credential(flag, what, file, orElse string) error {
	if s.stored(file) != nil {
		orElse = "keeps the one that is there"
	}
	value, err := s.readCredential(s.c, flag, what, orElse)
	if err == nil {
		s.credentials = append(s.credentials, credential{file, value})
	}
	return err
}

// value is what was said of the credential of a file; "": it stays as it is.
func (s *phoneSetup) value(file string) string {
	for _, one := range s.credentials {
		if one.file == file {
			return one.value
		}
	}
	return ""
}

// onlyLooks reports whether nothing is to be sent or written.
func (s *phoneSetup) onlyLooks() bool { return s.dryRun || s.policy.ManagedBy != "" }

// plan makes the edit of the configuration.
func (s *phoneSetup) plan(change policy.Change) (err error) {
	s.edit, err = s.planEdit(change)
	if err == nil || errors.Is(err, policy.ErrByHand) {
		return err
	}
	return badUsage("%s", strings.TrimPrefix(err.Error(), s.config+": ")).hint("twokey %s setup --help", s.method)
}

// newFiles are the credential files that would be written.
func (s *phoneSetup) newFiles() []string {
	files := []string{}
	for _, one := range s.credentials {
		if s.changes(one) {
			files = append(files, s.path(s.policy.Paths.Credentials)+"/"+one.file)
		}
	}
	return files
}

// nothingNew reports whether all is so already.
func (s *phoneSetup) nothingNew() bool { return s.edit.empty() && len(s.newFiles()) == 0 }

// agree shows what would be written, and asks where somebody may get in with less. Done: that was all.
func (s *phoneSetup) agree() (done bool, err error) {
	s.ui.lines(s.edit.diff())
	for _, file := range s.newFiles() {
		s.ui.say("The credential goes into %s,\nwhich only root can read.", visible(file))
	}
	if s.dryRun {
		s.ui.say("Nothing was changed (--dry-run).")
		return true, s.ui.object(setUp{Changed: !s.nothingNew(), DryRun: true, Diff: s.edit.diff(), Files: s.newFiles()})
	}
	if err := s.edit.allowed(); err != nil {
		return true, err
	}
	if question := s.edit.question(wording{}); question != "" {
		return false, s.ui.confirm(s.yes, "%s", question)
	}
	return false, nil
}

// write puts all in force, or leaves all as it was.
func (s *phoneSetup) write() (setUp, error) {
	result := setUp{Changed: !s.nothingNew(), Diff: s.edit.diff(), Files: s.newFiles()}
	undo, err := s.store(s.credentials)
	if err != nil {
		return result, err
	}
	if !s.edit.empty() {
		if err := s.apply(s.edit, s.method+"-setup", ""); err != nil {
			return result, errors.Join(err, s.unlessWritten(undo))
		}
		s.ui.say("Written: %s in %s.", s.method, s.config)
	}
	for _, file := range result.Files {
		if err := s.record("credential-set", "", audit.Change{Field: "file", New: file}); err != nil {
			return result, err
		}
	}
	return result, nil
}

// unlessWritten takes the credentials back where the configuration does not need them. One that was written and could not be recorded does.
func (s *phoneSetup) unlessWritten(undo func() error) error {
	now, err := safefile.ReadFile(s.config, safefile.Public)
	if err != nil || !bytes.Equal(now, s.edit.before) {
		return err
	}
	return undo()
}

// settle is agree where there is anything new; where there is not, it says so. Done: that was all.
func (s *phoneSetup) settle(already string) (done bool, err error) {
	if !s.nothingNew() {
		return s.agree()
	}
	s.ui.say("%s", already)
	return true, s.ui.object(setUp{DryRun: s.dryRun, Files: []string{}})
}

// lack is the error of a failure on the way.
func lack(o delivery, what string) error {
	return o.failure(fmt.Sprintf("nothing was changed: %s", what))
}

// messagingService is the name of a messaging service of Twilio's.
var messagingService = regexp.MustCompile(`^MG[0-9a-fA-F]{32}$`)

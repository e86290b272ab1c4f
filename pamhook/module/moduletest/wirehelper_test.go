package moduletest

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/msteinert/pam/v2"

	"twokey/internal/pamtest"
	"twokey/pamhook/wire"
)

const wireHelper = "wire-helper" // the name under which the test binary is a helper that speaks through the Go package

// runWireHelper does nothing unless this process was started as the helper.
func runWireHelper() {
	if filepath.Base(os.Args[0]) != wireHelper {
		return
	}
	if err := serve(os.NewFile(3, "module")); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// serve lets in whoever is in the group nogroup and answers 123456.
func serve(module *os.File) error {
	c, err := wire.Accept(module)
	if err != nil {
		return err
	}
	if c.Hello().Service == "one-field" {
		return serveOneField(c)
	}
	if err := errors.Join(c.Info("Hello "+c.Hello().Name, false), c.Wait(60)); err != nil {
		return err
	}
	member, err := c.LookupGroup("nogroup")
	if err != nil || member != wire.Member {
		return errors.Join(err, c.Finish(wire.TypeIgnore, false))
	}
	answer, reason, err := c.Prompt("Code: ", false)
	if err != nil {
		return err
	}
	if reason != 0 || string(answer) != "123456" {
		return errors.Join(c.Info("No.", true), c.Finish(wire.TypeDeny, false))
	}
	return c.Finish(wire.TypeAllow, c.Hello().Phase == wire.PhaseAuthenticate)
}

// serveOneField lets in who types 123456 behind the password, and cuts it off.
func serveOneField(c *wire.Conn) error {
	typed, reason, err := c.Authtok("Password: ")
	if err != nil {
		return err
	}
	if reason != 0 || len(typed) <= 6 || string(typed[len(typed)-6:]) != "123456" {
		return c.Finish(wire.TypeDeny, false)
	}
	return errors.Join(c.CutAuthtok(6), c.Finish(wire.TypeAllow, false))
}

// wireHelperLine returns a folder for services and the module's line with the test binary as its helper.
func wireHelperLine(t *testing.T) (dir, line string) {
	t.Helper()
	dir = t.TempDir()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	helper := filepath.Join(dir, wireHelper)
	if err := os.Symlink(program, helper); err != nil {
		t.Fatal(err)
	}
	return dir, plain(t).module + " helper=" + helper
}

// TestModuleAndGoPackageUnderstandEachOther is one login with a helper made of the Go package, and Go as the application.
func TestModuleAndGoPackageUnderstandEachOther(t *testing.T) {
	t.Parallel()
	dir, line := wireHelperLine(t)
	pamtest.Service(t, dir, "service", "auth required "+line, "account required "+line)
	greeting := pamtest.Message{Style: pam.TextInfo, Text: "Hello nobody"}
	prompt := pamtest.Message{Style: pam.PromptEchoOff, Text: "Code: "}
	refusal := pamtest.Message{Style: pam.ErrorMsg, Text: "No."}
	for name, c := range map[string]struct {
		answers  []string
		codes    []pam.Error
		messages []pamtest.Message
	}{
		"right in both phases":    {[]string{"123456", "123456"}, []pam.Error{0, 0}, []pamtest.Message{greeting, prompt, greeting, prompt}},
		"wrong in authenticate":   {[]string{"1"}, []pam.Error{pam.ErrAuth}, []pamtest.Message{greeting, prompt, refusal}},
		"wrong in account":        {[]string{"123456", ""}, []pam.Error{0, pam.ErrPermDenied}, []pamtest.Message{greeting, prompt, greeting, prompt, refusal}},
		"no answer":               {nil, []pam.Error{pam.ErrAuth}, []pamtest.Message{greeting, prompt}},
		"no answer at the second": {[]string{"123456"}, []pam.Error{0, pam.ErrPermDenied}, []pamtest.Message{greeting, prompt, greeting, prompt, refusal}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := pamtest.Login{ConfDir: dir, Service: "service", User: "nobody", Converse: pamtest.Answers(c.answers...)}.Run(t)
			if !slices.Equal(r.Codes, c.codes) || !slices.Equal(r.Messages, c.messages) {
				t.Errorf("%v %v, want %v %v", r.Codes, r.Messages, c.codes, c.messages)
			}
		})
	}
}

// TestModuleAndGoPackageCutTheSame is a login with one field; the module behind ours tells what is left.
func TestModuleAndGoPackageCutTheSame(t *testing.T) {
	t.Parallel()
	dir, line := wireHelperLine(t)
	pamtest.Service(t, dir, "one-field", "auth required "+line, "auth optional "+authtokModule(t))
	for typed, want := range map[string]struct {
		code   pam.Error
		behind string
	}{
		"hunter2123456":      {0, "found hunter2"},
		"grün\u20ac123456":   {0, "found grün\u20ac"},
		"123456123456":       {0, "found 123456"},
		"hunter2123457":      {pam.ErrAuth, "found hunter2123457"},
		"123456":             {pam.ErrAuth, "found 123456"},
		"":                   {pam.ErrAuth, "found "},
		"hunter2123456 next": {pam.ErrAuth, "found hunter2123456 next"},
	} {
		r := pamtest.Login{
			ConfDir: dir, Service: "one-field", User: "nobody", Converse: pamtest.Answers(typed), Phases: []pamtest.Phase{pamtest.Authenticate},
		}.Run(t)
		messages := []pamtest.Message{{Style: pam.PromptEchoOff, Text: "Password: "}, {Style: pam.TextInfo, Text: want.behind}}
		if !slices.Equal(r.Codes, []pam.Error{want.code}) || !slices.Equal(r.Messages, messages) {
			t.Errorf("%q: %v %v, want %v", typed, r.Codes, r.Messages, want)
		}
	}
}

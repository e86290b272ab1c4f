package main

import (
	"path"
	"slices"
	"strings"

	"twokey/doctor"
	"twokey/internal/pamconf"
)

// The PAM stacks of the host; package pamconf reads them, and they are only looked at.

const (
	pamModule  = "pam_twokey.so"
	maxPAMFile = 1 << 20 // bytes
)

func (h *host) pam() pamconf.Host { return pamconf.Host{Root: h.root} }

// wiring is how a service's stack names our module.
type wiring struct {
	Service string   `json:"service"`
	Auth    []string `json:"auth"` // one for each line: its arguments
	Account []string `json:"account"`
	Session []string `json:"session"`
	Through string   `json:"through,omitempty"` // the file that the lines stand in, if it is not the service's own

	PassedBy bool `json:"passed_by"` // somebody can get in without being let through by our module
}

// phases names those in which the module is called: "auth (decoy), auth (after=password), account, session".
func (w wiring) phases() string {
	var all []string
	for _, phase := range []struct {
		name  string
		lines []string
	}{{"auth", w.Auth}, {"account", w.Account}, {"session", w.Session}} {
		for _, arguments := range phase.lines {
			if arguments != "" {
				arguments = " (" + arguments + ")"
			}
			all = append(all, phase.name+arguments)
		}
	}
	return strings.Join(all, ", ")
}

// wirings are the services of logins whose stacks name our module, sorted; first those whose own file does, then those that include it.
// That by which users change their devices comes with the program and lets nobody in: a host that has no other asks nobody.
func (h *host) wirings() ([]wiring, error) {
	names, err := h.pam().Services()
	if err != nil {
		return nil, err
	}
	var own, through []wiring
	for _, name := range names {
		if name == selfService {
			continue
		}
		s, err := h.pam().Read(name)
		if err != nil {
			return nil, err
		}
		switch w := wiringOf(s); {
		case len(w.Auth)+len(w.Account)+len(w.Session) == 0:
		case w.Through == "":
			own = append(own, w)
		default:
			through = append(through, w)
		}
	}
	return append(own, through...), nil
}

func wiringOf(s *pamconf.Service) wiring {
	w := wiring{Service: s.Name, Auth: []string{}, Account: []string{}, Session: []string{}, PassedBy: doctor.PassedBy(s)}
	for phase, arguments := range map[pamconf.Phase]*[]string{pamconf.Auth: &w.Auth, pamconf.Account: &w.Account, pamconf.Session: &w.Session} {
		for _, line := range s.Stacks[phase] {
			if line.Kind != pamconf.Module || line.Name() != pamModule {
				continue
			}
			*arguments = append(*arguments, strings.Join(line.Args, " "))
			if line.File != s.File {
				w.Through = path.Base(line.File)
			}
		}
	}
	return w
}

// noSuchService is about a name under which libpam would find no file.
func noSuchService(name string) *advised {
	return failed("no PAM service on this host is called %q", name).hint("ls /etc/pam.d lists the services")
}

func (h *host) pamServiceExists(name string) (bool, error) {
	names, err := h.pam().Services()
	return slices.Contains(names, name), err
}

package doctor

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"twokey/policy"
)

// Unit is what systemd says of a socket unit.
type Unit struct {
	Running   bool   // systemd runs on this host
	Loaded    string // LoadState: "loaded", "not-found", "masked"
	File      string // UnitFileState: "enabled", "disabled"
	Listening bool   // ActiveState is active
}

const systemctl = "/usr/bin/systemctl"

// MachineUnit asks systemd of this host, which runs where /run/systemd/system is (sd_booted(3)).
func MachineUnit(ctx context.Context, name string) (Unit, error) {
	if !new(examination).exists("/run/systemd/system") {
		return Unit{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, systemctl, "show", "--property=LoadState,UnitFileState,ActiveState", "--", name)
	cmd.Env = []string{"LC_ALL=C"}
	cmd.WaitDelay = patience
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		return Unit{}, fmt.Errorf("systemctl show %s: %w", name, err)
	}
	return unitOf(out.String()), nil
}

// unitOf reads what systemctl show prints.
func unitOf(text string) Unit {
	u := Unit{Running: true}
	for line := range strings.Lines(text) {
		switch name, value, _ := strings.Cut(strings.TrimSpace(line), "="); name {
		case "LoadState":
			u.Loaded = value
		case "UnitFileState":
			u.File = value
		case "ActiveState":
			u.Listening = value == "active"
		}
	}
	return u
}

// selfService: what users do without root goes by a PAM service and sockets.
func (e *examination) selfService() {
	if names, err := e.pam.Services(); err == nil && !slices.Contains(names, policy.SelfService) {
		e.add(Finding{Severity: Warning, ID: "self-service-missing", About: policy.SelfService,
			Message: policy.SelfService + ": users can do nothing without root, since /etc/pam.d/" + policy.SelfService + " is not there",
			Fix:     "put it back as twokey brings it; on Debian run: apt-get install --reinstall -o Dpkg::Options::=--force-confmiss twokey"})
	}
	e.socket("twokey-self.socket", "users enrol themselves, change their devices, and the helpdesk works")
	e.socket("twokey-verify.socket", "programs that do not run as root, such as screen lockers, ask for a code")
}

// socket: one that is masked is meant to be off.
func (e *examination) socket(name, what string) {
	if e.Unit == nil {
		return
	}
	u, err := e.Unit(e.ctx, name)
	if err != nil {
		e.add(Finding{Severity: Info, ID: "socket-unknown", About: "host", Message: "whether a socket is there cannot be told: " + oneLine(err), Fix: command("systemctl status %s", name)})
		return
	}
	off, fix := "", command("systemctl enable --now %s", name)
	switch {
	case !u.Running || u.Loaded == "masked":
		return
	case u.Loaded != "loaded":
		off, fix = "is not installed", "install twokey again"
	case !u.Listening:
		off = "does not listen"
	case u.File != "enabled":
		off = "is not enabled, so that it is gone after the next start"
	default:
		return
	}
	e.add(Finding{Severity: Warning, ID: "socket-off", About: "host", Fix: fix,
		Message: fmt.Sprintf("%s %s; by it %s (systemctl mask says that this is meant so)", name, off, what)})
}

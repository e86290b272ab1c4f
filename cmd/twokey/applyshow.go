package main

import (
	"errors"
	"fmt"
	"strings"

	"twokey/enroll/batch"
	"twokey/factor"
)

// newSecrets are what was made for a user, as apply --show-secrets --json prints it in the list "secrets", ahead of the list "users": each
// before it counts.
type newSecrets struct {
	User    string       `json:"user"`
	Devices []madeDevice `json:"devices"`
	Codes   []string     `json:"recovery_codes"`
}

type madeDevice struct {
	Device    string `json:"device"`
	Method    string `json:"method"`
	Secret    string `json:"secret"`
	URI       string `json:"uri"`
	Digits    int    `json:"digits"`
	Period    int    `json:"period"`
	Algorithm string `json:"algorithm"`
}

// openSecrets begins the list of secrets where they are to be shown, and else that of users.
func openSecrets(ui *ui, show bool) *listPrinter {
	if show {
		return ui.openList("secrets")
	}
	return ui.openList("users")
}

// showSecrets prints what was made, and has it where no kill can reach it before it is in force.
func (a *application) showSecrets(some []*batch.Plan) {
	if !a.show {
		return
	}
	a.telling.Lock()
	defer a.telling.Unlock()
	var items []any
	for _, p := range some {
		if p.Err != nil || len(p.Drafts)+len(p.Codes) == 0 {
			continue
		}
		a.printed[p] = true
		made := secretsOf(p)
		if items = append(items, made); !a.ui.json {
			a.saySecrets(made)
		}
	}
	err := errors.Join(a.list.add(items), a.ui.flush())
	for _, p := range some {
		if err != nil && a.printed[p] {
			p.Err = fmt.Errorf("%w: %w", errStopped, err)
		}
	}
}

func secretsOf(p *batch.Plan) newSecrets {
	s := newSecrets{User: p.User.Name, Devices: []madeDevice{}, Codes: append([]string{}, p.Codes...)}
	for _, made := range p.Drafts {
		d := made.Device
		s.Devices = append(s.Devices, madeDevice{d.Name, d.Method, factor.EncodeSecret(d.Secret), made.URI, d.Digits, d.Period, d.Algorithm})
	}
	return s
}

func (a *application) saySecrets(s newSecrets) {
	for _, d := range s.Devices {
		a.ui.say("%s, device %s\n  Key      %s\n  Address  %s", visible(s.User), visible(d.Device), factor.GroupSecret(d.Secret), d.URI)
	}
	if len(s.Codes) > 0 {
		a.ui.say("%s, recovery codes\n  %s", visible(s.User), strings.Join(s.Codes, "\n  "))
	}
}

package main

import (
	"fmt"
	"time"

	"twokey/audit"
	"twokey/internal/logindefs"
	"twokey/internal/proc"
	"twokey/internal/syslog"
	"twokey/pamhook"
	"twokey/policy/inforce"
	"twokey/secrets"
	"twokey/state"
)

// host gives a login what it needs of this machine, each thing when it is asked for.
func host(application, parent, self proc.ID) *pamhook.Host {
	return &pamhook.Host{
		Policy: func(config string) (*inforce.Policy, error) { return inforce.LoadAt(config, time.Now()) },
		Secrets: func(p *inforce.Policy) (pamhook.Secrets, error) {
			warnOfSigners(p)
			return openSecrets(p)
		},
		State:       func(p *inforce.Policy) (pamhook.States, error) { return state.Open(p.Paths.Data) },
		Append:      func(p *inforce.Policy, r audit.Record) error { return audit.Append(p.Paths.Audit, r) },
		Enrolment:   openEnrolment,
		Messenger:   openMessenger,
		Gone:        moduleGone,
		System:      logindefs.System,
		Warn:        func(message string) { syslog.Send(syslog.Critical, "twokey", message) },
		Now:         time.Now,
		Sleep:       time.Sleep,
		Name:        hostName(),
		Application: application,
		Parent:      parent,
		Self:        self,
	}
}

func openSecrets(p *inforce.Policy) (*secrets.Store, error) {
	return secrets.Open(p.Paths.Data, p.Paths.Key, p.Provisioners...)
}

// warnOfSigners says at each login what is wrong with provisioners: users of files that they signed are refused, and nobody else.
func warnOfSigners(p *inforce.Policy) {
	for _, text := range secrets.BadSigners(p.Provisioners) {
		syslog.Send(syslog.Critical, "twokey", fmt.Sprintf("no file is accepted by %q of provisioners, for which anybody can sign: twokey policy edit", text))
	}
}

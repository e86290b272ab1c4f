package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pamHost is a host with these files below its root.
func pamHost(t *testing.T, files map[string]string) *host {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return &host{root: root}
}

func TestWiringsFindsTheModuleWhereverItStands(t *testing.T) {
	const line = " required pam_twokey.so\n"
	loop := map[string]string{}
	for i := range 40 {
		loop[fmt.Sprintf("etc/pam.d/f%02d", i)] = fmt.Sprintf("@include f%02d\n@include f%02d\n", (i+1)%40, i)
	}
	for what, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"no folder":                           {nil, ""},
		"nobody calls it":                     {map[string]string{"etc/pam.d/sshd": "auth required pam_unix.so\n"}, ""},
		"three phases":                        {map[string]string{"etc/pam.d/sshd": "auth" + line + "account" + line + "session" + line}, "sshd: auth, account, session"},
		"a last line of its own":              {map[string]string{"etc/pam.d/sshd": "auth required pam_twokey.so"}, "sshd: auth"},
		"what lets nobody in":                 {map[string]string{"etc/pam.d/twokey-self": "auth" + line}, ""},
		"a comment":                           {map[string]string{"etc/pam.d/sshd": "#auth" + line + "auth required pam_unix.so # pam_twokey.so\n"}, ""},
		"a line in two":                       {map[string]string{"etc/pam.d/sshd": "auth \\\n" + line}, "sshd: auth"},
		"another's argument":                  {map[string]string{"etc/pam.d/sshd": "auth required pam_exec.so pam_twokey.so\n"}, ""},
		"another's name":                      {map[string]string{"etc/pam.d/sshd": "auth required my_pam_twokey.so\n"}, ""},
		"the vendor's folder":                 {map[string]string{"usr/lib/pam.d/sshd": "auth" + line}, "sshd: auth"},
		"the vendor's file behind the host's": {map[string]string{"usr/lib/pam.d/sshd": "auth" + line, "etc/pam.d/sshd": "auth required pam_unix.so\n"}, ""},
		"@include": {map[string]string{"etc/pam.d/sshd": "@include common\n", "etc/pam.d/common": "auth" + line + "account" + line},
			"common: auth, account; sshd by common: auth, account"},
		"include of one phase": {map[string]string{"etc/pam.d/sshd": "auth include common\n", "etc/pam.d/common": "auth" + line + "account" + line},
			"common: auth, account; sshd by common: auth"},
		"a phase within @include": {map[string]string{"etc/pam.d/sshd": "auth substack middle\n", "etc/pam.d/middle": "@include common\n", "etc/pam.d/common": "auth" + line + "account" + line},
			"common: auth, account; middle by common: auth, account; sshd by common: auth"},
		"files in a circle":         {loop, ""},
		"a file that is not there":  {map[string]string{"etc/pam.d/sshd": "@include none\nauth" + line}, "sshd: auth"},
		"an absolute path":          {map[string]string{"etc/pam.d/sshd": "@include /etc/pam.d/common\n", "etc/pam.d/common": "auth" + line}, "common: auth; sshd by common: auth"},
		"a file that is too large":  {map[string]string{"etc/pam.d/sshd": "auth" + line + strings.Repeat("#", maxPAMFile)}, ""},
		"a byte that is not UTF-8":  {map[string]string{"etc/pam.d/sshd": "\xff\xfe\nauth" + line}, "sshd: auth"},
		"a phase that there is not": {map[string]string{"etc/pam.d/sshd": "greeting" + line}, ""},
	} {
		found, err := pamHost(t, c.files).wirings()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		var texts []string
		for _, w := range found {
			by := ""
			if w.Through != "" {
				by = " by " + w.Through
			}
			texts = append(texts, w.Service+by+": "+w.phases())
		}
		if got := strings.Join(texts, "; "); got != c.want {
			t.Errorf("%s: %s, want %s", what, got, c.want)
		}
	}
}

func TestPhasesShowTheArguments(t *testing.T) {
	w := wiring{Service: "sshd", Auth: []string{"decoy", "after=password debug"}, Account: []string{""}, Session: []string{}}
	if got := w.phases(); got != "auth (decoy), auth (after=password debug), account" {
		t.Error(got)
	}
}

func TestWiringsTellWhetherALoginCanPassBy(t *testing.T) {
	const ours = "auth required pam_twokey.so\n"
	for what, c := range map[string]struct {
		stack string
		want  bool
	}{
		"alone":                       {ours, false},
		"behind a password":           {"auth required pam_unix.so\n" + ours, false},
		"behind a sufficient line":    {"auth sufficient pam_unix.so\n" + ours, true},
		"optional":                    {"auth required pam_unix.so\nauth optional pam_twokey.so\n", true},
		"root becoming somebody else": {"auth sufficient pam_rootok.so\n" + ours, false},
		"jumped over":                 {"auth [success=1 default=ignore] pam_unix.so\n" + ours + "auth required pam_permit.so\n", true},
		"not in the auth phase":       {"auth required pam_unix.so\naccount required pam_twokey.so\n", false},
	} {
		h := pamHost(t, map[string]string{"etc/pam.d/sshd": c.stack})
		found, err := h.wirings()
		if err != nil || len(found) != 1 || found[0].PassedBy != c.want {
			t.Errorf("%s: %+v, %v", what, found, err)
		}
		told := slices.ContainsFunc(h.look(false).Problems, func(p problem) bool { return p.Fix == "twokey doctor --service sshd" })
		if told != c.want {
			t.Errorf("%s: status tells of it: %v", what, told)
		}
	}
}

package moduletest

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// fault is a way in which the helper does not say ALLOW as it must.
type fault struct {
	helper  string // behaviour
	log     string // what the log must say; empty: the helper did nothing that is worth a line
	slow    bool   // takes until a deadline of the module
	answers []string
}

var faults = map[string]fault{
	"says no":                                        {helper: "deny"},
	"is killed":                                      {helper: "killed", log: "ended by signal 9"},
	"crashes":                                        {helper: "crash", log: "ended by signal 11"},
	"never reads":                                    {helper: "hung", log: "took too long", slow: true},
	"reads HELLO and says nothing":                   {helper: "silent", log: "took too long", slow: true},
	"prints rubbish and stays":                       {helper: "rubbish", log: "broke the protocol"},
	"ends without a verdict, status 0":               {helper: "exit-0", log: "ended without a verdict"},
	"ends without a verdict, status 1":               {helper: "exit-1", log: "(status 1)"},
	"says ALLOW and ends with status 1":              {helper: "allow-exit-1", log: "(status 1)"},
	"says ALLOW and is killed":                       {helper: "allow-killed", log: "ended by signal 9"},
	"says ALLOW and neither closes nor ends":         {helper: "allow-stay", log: "took too long", slow: true},
	"says ALLOW, closes and does not end":            {helper: "allow-close-stay", log: "had to be killed", slow: true},
	"says ALLOW and leaves the socket to a child":    {helper: "allow-fork", log: "took too long", slow: true},
	"says ALLOW twice":                               {helper: "allow-twice", log: "broke the protocol"},
	"says ALLOW and one byte more":                   {helper: "allow-more", log: "broke off"},
	"says ALLOW without its last byte":               {helper: "allow-cut", log: "broke off"},
	"says ALLOW in a shorter frame":                  {helper: "allow-short", log: "broke the protocol"},
	"says ALLOW with an unknown flag":                {helper: "allow-other-flag", log: "broke the protocol"},
	"says ALLOW with another nonce":                  {helper: "other-nonce", log: "broke the protocol"},
	"says ALLOW with a nonce whose last bit differs": {helper: "other-nonce-end", log: "broke the protocol"},
	"says ALLOW with a nonce of zeros":               {helper: "zero-nonce", log: "broke the protocol"},
	"says DENY, then ALLOW":                          {helper: "deny-allow", log: "broke the protocol"},
	"says IGNORE with another nonce":                 {helper: "other-nonce-ignore", log: "broke the protocol"},
	"says IGNORE and ends with status 1":             {helper: "ignore-exit-1", log: "(status 1)"},
	"says IGNORE and does not end":                   {helper: "ignore-stay", log: "took too long", slow: true},
	"announces too long a frame":                     {helper: "oversized", log: "broke the protocol"},
	"announces a frame of 4 GiB":                     {helper: "huge", log: "broke the protocol"},
	"sends more frames than there may be":            {helper: "frames-too-many", log: "broke the protocol"},
	"waits for 0 s":                                  {helper: "wait-0", log: "broke the protocol"},
	"waits for 91 s":                                 {helper: "wait-91", log: "broke the protocol"},
	"waits for 266 s":                                {helper: "wait-256", log: "broke the protocol"},
	"sends a type that does not exist":               {helper: "unknown-type", log: "broke the protocol"},
	"sends what only the module sends":               {helper: "own-direction", log: "broke the protocol"},
	"sends HELLO back":                               {helper: "echo-hello", log: "broke the protocol"},
	"sends an escape sequence":                       {helper: "escape-sequence", log: "broke the protocol"},
	"says ALLOW although the conversation failed":    {helper: "prompt-allow", answers: []string{"@fail"}},
	"says ALLOW although nothing was answered":       {helper: "prompt-allow", answers: []string{"@null"}},
	"says ALLOW although the answer came too late":   {helper: "prompt-allow", answers: []string{"@late:120"}},
	"asks for the password with an escape sequence":  {helper: "authtok-escape", log: "broke the protocol"},
	"asks for the password twice":                    {helper: "authtok-twice", log: "broke the protocol", answers: []string{"hunter2"}},
	"asks again for a password that is too long":     {helper: "authtok-twice", log: "broke the protocol", answers: []string{"@long"}},
	"asks again for a password that nobody gave":     {helper: "authtok-twice", log: "broke the protocol", answers: []string{"@fail"}},
	"says ALLOW although nobody gave a password":     {helper: "authtok-allow", answers: []string{"@fail"}},
	"says ALLOW although the password came too late": {helper: "authtok-allow", answers: []string{"@late:120"}},
	"cuts without having asked":                      {helper: "cut-first", log: "broke the protocol"},
	"cuts the answer to a prompt":                    {helper: "cut-answer", log: "broke the protocol", answers: []string{"123456"}},
	"cuts nothing":                                   {helper: "cut-0", log: "broke the protocol", answers: []string{"hunter2123456"}},
	"cuts everything":                                {helper: "cut-allow", log: "broke the protocol", answers: []string{"123456"}},
	"cuts more than there is":                        {helper: "cut-allow", log: "broke the protocol", answers: []string{"12345"}},
	"cuts an empty password":                         {helper: "cut-allow", log: "broke the protocol", answers: []string{""}},
	"cuts a password that is too long":               {helper: "cut-allow", log: "broke the protocol", answers: []string{"@long"}},
	"cuts sshd's junk":                               {helper: "cut-allow", log: "broke the protocol", answers: []string{junk}},
	"cuts 65535 bytes":                               {helper: "cut-65535", log: "broke the protocol", answers: []string{"hunter2123456"}},
	"cuts twice":                                     {helper: "cut-twice", log: "broke the protocol", answers: []string{"hunter2123456"}},
	"cuts with a shorter frame":                      {helper: "cut-one-byte", log: "broke the protocol", answers: []string{"hunter2123456"}},
	"cuts, says ALLOW and ends with status 1":        {helper: "cut-exit-1", log: "(status 1)", answers: []string{"hunter2123456"}},
	"asks and has gone when the answer comes":        {helper: "prompt-exit", log: "ended without a verdict", answers: []string{"@slow"}},
	"cuts as much as an answer can be": {
		helper: "cut-1024", log: "broke the protocol", answers: []string{strings.Repeat("7", 1024)},
	},
	"cuts and gives no verdict": {
		helper: "cut-no-verdict", log: "ended without a verdict", answers: []string{"hunter2123456"},
	},
	"waits beyond the end of all": {
		helper: "prompt-wait", log: "took too long", slow: true, answers: []string{"@late:110"},
	},
}

// TestHelperThatDoesNotAllowDenies runs every fault with the module as it is shipped and with the sanitizers, the slow ones
// all at once.
func TestHelperThatDoesNotAllowDenies(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	defer all.Wait()
	quick := make(chan struct{}, 4)
	for kind, k := range map[string]kit{"shipped": plain(t), "sanitized": sanitized(t)} {
		for name, f := range faults {
			all.Go(func() {
				t.Run(kind+"/"+name, func(t *testing.T) {
					if !f.slow {
						quick <- struct{}{}
						defer func() { <-quick }()
					}
					o := try{kit: k, helper: f.helper, answers: f.answers}.run(t)
					o.expect(authErr)
					o.expectLog(f.log)
					if o.seen == "" {
						t.Error("the helper was not started")
					}
				})
			})
		}
	}
}

// TestHelperThatCannotBeStartedDenies has the files that execve refuses.
func TestHelperThatCannotBeStartedDenies(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"missing":                  filepath.Join(dir, "missing"),
		"a folder":                 dir,
		"not executable":           write("not-executable", "#!/bin/true\n", 0o644),
		"a script without #!":      write("script", "exit 0\n", 0o755),
		"an empty file":            write("empty", "", 0o755),
		"a missing interpreter":    write("interpreter", "#!/nonexistent/sh\n", 0o755),
		"a link to itself":         loop,
		"behind a file":            filepath.Join(write("file", "", 0o644), "x"),
		"a name that is too long":  "/" + strings.Repeat("x", 300),
		"one that does not answer": "/bin/true",
		"one that fails":           "/bin/false",
	} {
		t.Run(name, func(t *testing.T) {
			for _, k := range []kit{plain(t), sanitized(t)} {
				o := try{kit: k, helper: path}.run(t)
				o.expect(authErr)
				o.expectLog(path)
			}
		})
	}
}

// TestModuleWithoutMeansDenies takes away what the module needs of the system.
func TestModuleWithoutMeansDenies(t *testing.T) {
	for name, c := range map[string]struct{ fault, log string }{
		"no process":                         {"fork", "no process for the helper"},
		"no randomness":                      {"getrandom", "could not be gathered"},
		"too little randomness":              {"getrandom-short", "could not be gathered"},
		"more groups than HELLO holds":       {"groups-5000", "too long for the helper"},
		"its exit status was taken":          {"waitpid", "took its exit status"},
		"an earlier try cannot be forgotten": {"pam_clear_data", ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, k := range []kit{plain(t), sanitized(t)} {
				o := try{kit: k, helper: "allow", options: []string{"-f", c.fault}}.run(t)
				o.expect(authErr)
				o.expectLog(c.log)
			}
		})
	}
	t.Run("the account phase cannot be announced", func(t *testing.T) {
		try{kit: plain(t), helper: "allow-account", options: []string{"-f", "pam_set_data"}}.run(t).expect(authErr)
	})
}

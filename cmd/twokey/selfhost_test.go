package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"twokey/enroll"
	"twokey/internal/pamtest"
	"twokey/pamhook/logintest/scratch"
)

// programs are built once, as they are shipped, in a folder that every user can look into.
var programs = sync.OnceValues(func() (built, error) {
	dir, remove, err := pamtest.ScratchDir("twokey-self-")
	if err != nil {
		return built{}, err
	}
	if _, err := scratch.BuildHelper(dir); err != nil {
		return built{}, err
	}
	if err := scratch.BuildNotify(dir); err != nil {
		return built{}, err
	}
	for _, build := range []*exec.Cmd{
		exec.Command("go", "build", "-tags", "urfave_cli_no_docs", "-ldflags", "-s -w -X twokey/deliver.helper="+dir+"/twokey-notify", "-o", dir+"/twokey",
			"twokey/cmd/twokey"),
		exec.Command("make", "--no-print-directory", "-C", "../../pamhook/module", "OUT="+dir, "HELPER="+dir+"/twokey-verify", "all"),
		exec.Command("install", "-m", "0755", "testdata/exits", dir),
	} {
		if out, err := build.CombinedOutput(); err != nil {
			return built{}, fmt.Errorf("%s: %w\n%s", build, err, out)
		}
	}
	return built{dir, remove}, nil
})

type built struct {
	dir  string
	keep func() error // whoever holds this keeps the folder, which goes with this process
}

// selfHost is a machine on which users can do things themselves: with the real socket, libpam, module and helper.
type selfHost struct {
	*pamtest.Machine
	*scratch.Host
	t       *testing.T
	suffix  string // of all names on it
	dir     string // of the machine
	twokey  string // the program
	people  map[string]pamtest.User
	devices map[string]*enroll.Draft
	journal journal
}

// newSelfHost makes one with these people, none of whom has a device. In settings and arguments NAME~ stands for the name of somebody or
// of a group.
func newSelfHost(t *testing.T, settings string, names ...string) *selfHost {
	t.Helper()
	all, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(all.dir, "host-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	h := &selfHost{t: t, suffix: "-" + pamtest.Suffix(), dir: dir, twokey: dir + "/twokey", people: map[string]pamtest.User{}, devices: map[string]*enroll.Draft{}}
	var users []pamtest.User
	first := firstUID()
	for i, name := range names {
		u := pamtest.User{Name: h.full(name + "~"), UID: first + uint32(i)}
		if name == "toor" { // another name of root
			u.UID = 0
		}
		h.people[name], users = u, append(users, u)
	}
	h.Machine = pamtest.NewMachine(t, dir, users...)
	h.Host = scratch.New(t, filepath.Join(dir, "files"), h.full(settings))
	if err := os.Link(all.dir+"/twokey", h.twokey); err != nil { // by its path the processes of this machine are known
		t.Fatal(err)
	}
	h.install(all.dir)
	h.listen()
	return h
}

// uids are given to people of all machines: they are the kernel's, and each may have so many connections at a time.
var uids atomic.Uint32

// firstUID begins twenty numbers that no other machine has.
func firstUID() uint32 { return 2000000000 + uint32(os.Getpid()%100000)*1000 + uids.Add(1)*20 }

// install puts the configuration and the PAM service, as they are shipped, where the programs look for them.
func (h *selfHost) install(built string) {
	h.t.Helper()
	etc := filepath.Join(h.dir, "etc")
	config, err := os.ReadFile(h.Config)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := os.MkdirAll(etc+"/twokey", 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(etc+"/twokey/twokey.yaml", config, 0o644); err != nil {
		h.t.Fatal(err)
	}
	shipped, err := os.ReadFile("../../packaging/pam.d/twokey-self")
	if err != nil {
		h.t.Fatal(err)
	}
	h.Service(selfService, strings.ReplaceAll(string(shipped), "pam_twokey.so after", built+"/pam_twokey.so after"))
}

// listen is what twokey-self.socket does.
func (h *selfHost) listen() {
	h.t.Helper()
	script := `mkdir -p /run/twokey && exec systemd-socket-activate --accept --listen=/run/twokey/self.sock "$1" serve-self`
	listener := h.Machine.Command("sh", "-c", script, "sh", h.twokey)
	listener.Env = append(listener.Env, "TWOKEY_TEST=what the server gets from its starter")
	listener.Stderr = &h.journal
	if err := listener.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		if err := listener.Process.Kill(); err != nil {
			h.t.Error(err)
		}
		_ = listener.Wait() // killed
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if h.Machine.Command("chmod", "0666", selfSocket).Run() == nil {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatal("nobody listens")
		}
	}
}

// journal is what the server writes beside the conversation.
type journal struct {
	mu  sync.Mutex
	all strings.Builder
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.all.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.all.String()
}

// enrol gives somebody a device in the place of what he has, as root would.
func (h *selfHost) enrol(name string) *enroll.Draft {
	h.t.Helper()
	u := h.people[name]
	r := scratch.Request()
	r.Recovery, r.Replace = 2, true
	h.devices[name] = h.Enrol(u.Name, u.UID, r)
	return h.devices[name]
}

// as runs twokey as somebody, who answers by lines of standard input.
func (h *selfHost) as(name, answers string, argv ...string) (out, complaint string, status int) {
	h.t.Helper()
	cmd := h.CommandAs(h.people[name], append([]string{h.twokey}, h.names(argv)...)...)
	var stdout, stderr strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(answers), &stdout, &stderr
	_ = cmd.Run() // the status says it
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

// full puts the full names in the place of NAME~.
func (h *selfHost) full(text string) string { return shortName.ReplaceAllString(text, "${1}"+h.suffix) }

var shortName = regexp.MustCompile(`([a-z]+)~`)

func (h *selfHost) names(argv []string) []string {
	all := []string{}
	for _, word := range argv {
		all = append(all, h.full(word))
	}
	return all
}

// group makes a group.
func (h *selfHost) group(name string, members ...string) {
	h.t.Helper()
	f, err := os.OpenFile(filepath.Join(h.dir, "etc/group"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	_, err = fmt.Fprintf(f, "%s:x:%d:%s\n", h.full(name+"~"), firstUID(), strings.Join(h.names(members), ","))
	if err := errors.Join(err, f.Close()); err != nil {
		h.t.Fatal(err)
	}
}

// atTerminal runs twokey as somebody who sits at a terminal of 80 columns.
func (h *selfHost) atTerminal(name string, argv ...string) *pamtest.Terminal {
	h.t.Helper()
	return pamtest.OpenTerminal(h.t, h.CommandAs(h.people[name], append([]string{h.twokey}, h.names(argv)...)...))
}

// proof are the two answers by which somebody proves who he is, with the code of so many steps from now: each works once.
func (h *selfHost) proof(name string, step int64) string {
	h.t.Helper()
	return h.Password + "\n" + scratch.Code(h.t, h.devices[name], step) + "\n"
}

// raw speaks to the server as somebody, without our client: what is written is sent, and what comes is returned.
func (h *selfHost) raw(name, sent string) string {
	h.t.Helper()
	cmd := h.CommandAs(h.people[name], "perl", "-e", rawClient, selfSocket)
	cmd.Stdin = strings.NewReader(sent)
	out, err := cmd.Output()
	if err != nil {
		h.t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// rawClient sends standard input, reads to the end, and prints that.
const rawClient = `
use IO::Socket::UNIX;
$SIG{PIPE} = "IGNORE";
my $s = IO::Socket::UNIX->new($ARGV[0]) or die "connect: $!";
local $/;
syswrite $s, <STDIN>;
while (sysread $s, my $b, 65536) { syswrite STDOUT, $b }
`

// request is a first message.
func (h *selfHost) request(argv ...string) string {
	h.t.Helper()
	line, err := encodeSelf(selfRequest{Version: selfVersion, Argv: h.names(argv), Columns: 80, Person: true, UTF8: true})
	if err != nil {
		h.t.Fatal(err)
	}
	return string(line)
}

// has reports whether somebody has a device.
func (h *selfHost) has(name string) bool {
	h.t.Helper()
	enrolled, err := h.Users.Secrets.Enrolled(h.people[name].Name)
	if err != nil {
		h.t.Fatal(err)
	}
	return enrolled
}

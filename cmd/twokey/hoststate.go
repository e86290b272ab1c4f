package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"twokey/audit"
	"twokey/internal/safefile"
	"twokey/policy"
	"twokey/secrets"
)

// hostState is what there is to say about a host; status --json prints it.
type hostState struct {
	On       bool        `json:"on"` // somebody can be asked
	Observe  bool        `json:"observe"`
	OffUntil *time.Time  `json:"off_until"` // null: not switched off, or for good
	Verdict  string      `json:"verdict"`
	Policy   policyState `json:"policy"`
	Users    userState   `json:"users"`
	HostKey  fileState   `json:"host_key"`
	Audit    auditState  `json:"audit"`
	Services []wiring    `json:"services"`
	Problems []problem   `json:"problems"` // what keeps logins from working, or would as soon as something else happens
	Next     string      `json:"next"`

	setUp bool // there is a configuration
	off   bool // switched off
	codes bool // a login takes enrolment codes
}

type policyState struct {
	File     string     `json:"file"`
	InForce  bool       `json:"in_force"` // of the file, or the last good one
	LastGood bool       `json:"last_good"`
	Since    *time.Time `json:"since"` // when it was seen first; null: no login has seen it yet, or that cannot be told
	Default  string     `json:"default"`

	unseen bool // no login has seen it yet
}

type userState struct {
	Enrolled         int      `json:"enrolled"`
	Required         int      `json:"required"`
	RequiredEnrolled int      `json:"required_enrolled"`
	Missing          []string `json:"missing"`    // required, without a device
	CodesOpen        []string `json:"codes_open"` // of those, whom an enrolment code is open to
	Throttled        []string `json:"throttled"`
	Pending          []string `json:"pending"` // reset, and not enrolled since

	Grace map[string]string `json:"grace"` // of some who are missing the last day on which they are let in all the same

	known bool // could be found out
}

type fileState struct {
	Path string `json:"path"`
	OK   bool   `json:"ok"`
}

type auditState struct {
	Path     string     `json:"path"`
	Records  uint64     `json:"records"`
	Last     *time.Time `json:"last"`
	Writable bool       `json:"writable"`
}

// problem is something wrong, with the next step.
type problem struct {
	Severity string `json:"severity"`
	Message  string `json:"message"`
	Fix      string `json:"fix"`
}

// The severities of a problem.
const (
	severe  = "error"   // no login that is asked works
	limited = "warning" // one user's, or one that does no harm yet
)

// look finds out what it can; what it cannot find out is a problem too, or needs root.
func (h *host) look(root bool) *hostState {
	s := &hostState{Problems: []problem{}, Services: []wiring{}, Policy: policyState{File: h.config}}
	s.Users = userState{Missing: []string{}, CodesOpen: []string{}, Throttled: []string{}, Pending: []string{}, Grace: map[string]string{}}
	services, err := h.wirings()
	if err != nil {
		s.problem(limited, "the PAM services cannot be read", err)
	}
	for _, w := range services {
		s.Services = append(s.Services, w)
		if w.PassedBy {
			s.Problems = append(s.Problems, problem{limited, "a login can pass by twokey: " + w.Service, "twokey doctor --service " + w.Service})
		}
	}
	if s.lookAtPolicy(h, root); s.Policy.InForce {
		s.lookAtSwitch(h.policy, time.Now())
		s.HostKey.Path, s.Audit.Path = h.path(h.policy.Paths.Key), h.path(h.policy.Paths.Audit)
		if root && s.lookAtFolders(h) {
			s.lookAtKey()
			s.lookAtAudit()
			s.lookAtUsers(h)
		}
	}
	s.On = s.setUp && !s.off && len(s.Services) > 0
	s.Verdict, s.Next = s.verdict(), s.next()
	return s
}

func (s *hostState) problem(severity, what string, err error) {
	s.Problems = append(s.Problems, problem{severity, what + ": " + oneLine(err), hintFor(err)})
}

// broken is the first problem by which no login works.
func (s *hostState) broken() (problem, bool) {
	i := slices.IndexFunc(s.Problems, func(p problem) bool { return p.Severity == severe })
	if i < 0 {
		return problem{}, false
	}
	return s.Problems[i], true
}

// lookAtPolicy finds the policy in force.
func (s *hostState) lookAtPolicy(h *host, root bool) {
	found, err := h.policyInForce()
	var wrong *policy.Error
	s.setUp = !errors.Is(err, fs.ErrNotExist) || errors.As(err, &wrong)
	switch {
	case !s.setUp:
	case err != nil && root && h.root == "":
		s.problem(severe, "every login that calls twokey is denied", err)
	case err != nil:
		s.problem(severe, "the configuration is wrong", err) // whether there is a last good policy cannot be seen from here
	default:
		h.policy = found.Config
		s.Policy.InForce, s.Policy.LastGood, s.Policy.unseen = true, found.LastGood, found.Changed
		if since, err := found.Since(h.config); err == nil && !found.Changed && h.root == "" {
			s.Policy.Since = timeOrNull(since)
		}
		if found.LastGood {
			s.problem(limited, "the last good policy is in force", found.Problem)
		}
		s.lookAtSigners(h)
	}
}

// lookAtSigners names the provisioners for whom anybody can sign. A login passes them over, so that nobody finds out otherwise why a file of
// theirs is refused.
func (s *hostState) lookAtSigners(h *host) {
	for _, signer := range secrets.BadSigners(h.policy.Provisioners) {
		s.Problems = append(s.Problems, problem{limited, fmt.Sprintf("no file is accepted by %q of provisioners, for which anybody can sign", signer),
			fmt.Sprintf("take it out of provisioners in %s; \"twokey key new-signer\" prints what belongs there", h.config)})
	}
}

func (s *hostState) lookAtSwitch(p *policy.Config, now time.Time) {
	s.Observe, s.off, s.Policy.Default = p.Observe, p.SwitchedOff(now), p.Default.String()
	s.codes = p.AtLogin == policy.AtLoginWithCode
	if s.off && !p.Off {
		s.OffUntil = timeOrNull(p.OffUntil)
	}
}

// lookAtFolders tells a host that has a configuration and no more from one on which something is gone.
func (s *hostState) lookAtFolders(h *host) bool {
	dir, err := safefile.OpenDir(h.path(h.policy.Paths.Data) + "/users")
	if err == nil {
		err = dir.Close()
	}
	if err == nil {
		return true
	}
	_, keyErr := safefile.ReadFile(s.HostKey.Path, safefile.Secret)
	if errors.Is(err, fs.ErrNotExist) && errors.Is(keyErr, fs.ErrNotExist) {
		s.setUp = false
		return false
	}
	s.problem(severe, "the users' files cannot be read", err)
	return false
}

func (s *hostState) lookAtKey() {
	key, err := secrets.OpenHostKey(s.HostKey.Path)
	if err != nil {
		s.problem(severe, "nobody's code can be checked", err)
		return
	}
	key.Wipe()
	s.HostKey.OK = true
}

func (s *hostState) lookAtAudit() {
	last, err := audit.ReadCheckpoint(s.Audit.Path)
	room := int64(0)
	if err == nil {
		s.Audit.Records = last.Sequence
		room, err = roomInLog(s.Audit.Path)
	}
	if err != nil {
		s.problem(severe, "nobody gets in, since nothing can be recorded", err)
		return
	}
	s.Audit.Writable = room >= leastRoom
	if !s.Audit.Writable {
		s.problem(severe, "nobody gets in, or soon will not, since there is no room for records", unix.ENOSPC)
	} else if room < enoughRoom {
		s.problem(limited, fmt.Sprintf("there is room for some %d more records, then nobody gets in", room/recordSize), unix.ENOSPC)
	}
	if entries, err := audit.Tail(s.Audit.Path, 1); err == nil && len(entries) == 1 && entries[0].Record != nil {
		s.Audit.Last = timeOrNull(entries[0].Record.Time)
	}
}

// How much room the log has, in bytes, free or reserved for it.
const (
	leastRoom  = 64 << 10
	enoughRoom = 4 << 20
	recordSize = 512 // about
)

// roomInLog opens what a login would write to, and writes nothing. It returns how many bytes the log can still take.
func roomInLog(path string) (int64, error) {
	dir, err := safefile.OpenLogDir(filepath.Dir(path))
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	name := filepath.Base(path)
	rules := safefile.Rules{MaxSize: 1 << 62, Forbid: 0o077}
	head, err := dir.Open(strings.TrimSuffix(name, filepath.Ext(name))+".head", unix.O_RDWR, rules)
	if err != nil {
		return 0, err
	}
	defer head.Close()
	var disk unix.Statfs_t
	if err := unix.Fstatfs(dir.Fd(), &disk); err != nil {
		return 0, err
	}
	free := int64(disk.Bavail) * disk.Bsize // of what is kept back, for root or the file system, not all can be used
	log, err := dir.Open(name, unix.O_RDWR|unix.O_APPEND, rules)
	if errors.Is(err, fs.ErrNotExist) {
		return free, nil // the next record makes it, and says that it was gone
	}
	if err != nil {
		return 0, err
	}
	defer log.Close()
	var file unix.Stat_t
	if err := unix.Fstat(int(log.Fd()), &file); err != nil {
		return 0, err
	}
	return free + max(0, file.Blocks*512-file.Size), nil
}

func (s *hostState) lookAtUsers(h *host) {
	u, err := h.users()
	if err != nil {
		s.problem(severe, "the users' files cannot be read", err)
		return
	}
	people, err := h.people(u)
	if err != nil {
		s.problem(limited, "the users cannot be listed", err)
		return
	}
	s.Users.known = true
	now := time.Now()
	for _, p := range people {
		s.count(&p, now)
	}
}

func (s *hostState) count(p *person, now time.Time) {
	users := &s.Users
	if p.enrolled {
		users.Enrolled++
	}
	if p.account != nil && p.required() {
		users.Required++
		if p.enrolled {
			users.RequiredEnrolled++
		} else {
			users.addMissing(p)
		}
	}
	if p.throttled(now) {
		users.Throttled = append(users.Throttled, p.name)
	}
	if p.mustEnroll() {
		users.Pending = append(users.Pending, p.name)
	}
	if p.problem != nil {
		s.problem(limited, "a user cannot log in", about(p.name, p.problem))
	}
}

func (u *userState) addMissing(p *person) {
	u.Missing = append(u.Missing, p.name)
	if p.code != nil {
		u.CodesOpen = append(u.CodesOpen, p.name)
	}
	if day := p.lastDay(); day != "" {
		if u.Grace == nil {
			u.Grace = map[string]string{}
		}
		u.Grace[p.name] = day
	}
}

// missing names them, with the last day on which they are let in all the same.
func (u userState) missing() []string {
	names := slices.Clone(u.Missing)
	for i, name := range names {
		if day := u.Grace[name]; day != "" {
			names[i] += " (let in until " + day + ")"
		}
	}
	return names
}

// verdict is the state in one line.
func (s *hostState) verdict() string {
	switch {
	case !s.setUp:
		return "OFF: twokey is not set up on this host"
	case s.OffUntil != nil:
		return "OFF until " + at(s.OffUntil) + ": nobody is asked (off_until)"
	case s.off:
		return "OFF: nobody is asked (enabled: false)"
	}
	if p, broken := s.broken(); broken && s.Observe {
		return "OBSERVING, nobody is refused; BROKEN when that ends: " + p.Message
	} else if broken {
		return "BROKEN: " + p.Message
	}
	text := s.enrolled() + "; wired into " + s.wiredInto()
	problems := ""
	if n := len(s.Problems); n == 1 {
		problems = ", with 1 problem"
	} else if n > 1 {
		problems = fmt.Sprintf(", with %d problems", n)
	}
	switch {
	case len(s.Services) == 0:
		return "OFF: nobody is asked, since no PAM service calls twokey"
	case s.Observe:
		return "OBSERVING, nobody is refused" + problems + ": " + text
	}
	return "on" + problems + ": " + text
}

// enrolled counts users: "12 of 15 required users are enrolled".
func (s *hostState) enrolled() string {
	switch {
	case !s.Users.known:
		return "how many are enrolled needs root"
	case s.Users.Required == 0:
		return fmt.Sprintf("nobody is required, %s enrolled", areUsers(s.Users.Enrolled))
	}
	text := fmt.Sprintf("%d of %d required users are enrolled", s.Users.RequiredEnrolled, s.Users.Required)
	switch open := len(s.Users.CodesOpen); open {
	case 0:
		return text
	case 1:
		return text + ", 1 has an enrolment code"
	default:
		return text + fmt.Sprintf(", %d have an enrolment code", open)
	}
}

func areUsers(n int) string {
	switch n {
	case 0:
		return "nobody is"
	case 1:
		return "1 user is"
	}
	return fmt.Sprintf("%d users are", n)
}

// wiredInto names the files that call the module; a file that others include stands for them.
func (s *hostState) wiredInto() string {
	var own []string
	through := map[string][]string{}
	for _, w := range s.Services {
		if w.Through == "" {
			own = append(own, w.Service)
		} else {
			through[w.Through] = append(through[w.Through], w.Service)
		}
	}
	for i, name := range own {
		if others := through[name]; len(others) > 0 {
			own[i] = fmt.Sprintf("%s (and by it %s)", name, shortList(others, 3))
		}
	}
	if len(own) == 0 {
		return "no PAM service"
	}
	return strings.Join(own, ", ")
}

// nothingToDo is how what is next begins where nothing is.
const nothingToDo = "nothing"

// next is the one thing to do.
func (s *hostState) next() string {
	switch {
	case !s.setUp:
		return "twokey init"
	case len(s.Problems) > 0 && s.Problems[0].Fix != "":
		return s.Problems[0].Fix
	case s.off:
		return "twokey enable"
	case s.Users.known && s.Users.Enrolled == 0:
		return "twokey enroll USER gives a user a second factor"
	case len(s.Services) == 0:
		return "call pam_twokey.so from a PAM service, such as sshd: the README has the lines. Keep a root shell open meanwhile"
	case s.Observe:
		return "twokey policy observed shows who would have been refused; when that is right: twokey config set observe false"
	case len(s.Users.Missing) > 0:
		return s.nextForMissing()
	}
	return nothingToDo + "; twokey status has the details"
}

// nextForMissing is how the first of those who are missing gets a device. With an enrolment code he does it himself.
func (s *hostState) nextForMissing() string {
	const all = " (all who are missing: twokey list --missing)"
	i := slices.IndexFunc(s.Users.Missing, func(name string) bool { return !slices.Contains(s.Users.CodesOpen, name) })
	if i < 0 {
		return nothingToDo + ": whoever is missing has an enrolment code" + all
	}
	name := s.Users.Missing[i]
	if s.codes && s.Users.Grace[name] == "" {
		return fmt.Sprintf("twokey enroll --code %s lets %s link a phone at the next login%s", name, name, all)
	}
	return "twokey enroll " + name + all
}

// note says whether the policy is that of the file.
func (p policyState) note() string {
	since := ""
	if p.Since != nil {
		since = ", since " + p.Since.Local().Format("2006-01-02 15:04")
	}
	switch {
	case !p.InForce:
		return "none"
	case p.LastGood:
		return "the LAST GOOD one" + since + "; " + p.File + " is wrong"
	case p.unseen:
		return p.File + ", from the next login on"
	}
	return p.File + since
}

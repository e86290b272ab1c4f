package deliver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"twokey/internal/localfiles"
)

// User is the system user that twokey-notify runs as. It owns nothing.
const User = "_twokey"

// helper is where make has installed twokey-notify; the linker sets it.
var helper = "/usr/libexec/twokey/twokey-notify"

// Helper is the absolute path of twokey-notify.
func Helper() string { return helper }

var (
	// ErrNoUser says that there is no user for twokey-notify to run as.
	ErrNoUser = errors.New("there is no system user " + User + ": useradd --system --no-create-home --shell /usr/sbin/nologin " + User)
	// ErrNotYet says that nothing has come by then.
	ErrNotYet = errors.New("twokey-notify has not answered yet")
	// ErrEnded says that twokey-notify is gone without its last answer: it was killed, or is not as it was installed.
	ErrEnded = errors.New("twokey-notify ended without an answer")
)

// FindUser finds User in /etc/passwd. ErrNoUser: it is not there.
func FindUser() (uid, gid uint32, err error) {
	account, found, err := localfiles.Find(User)
	switch {
	case err != nil:
		return 0, 0, err
	case !found:
		return 0, 0, ErrNoUser
	}
	return account.UID, account.GID, nil
}

// Running is a request on its way. Its methods are for one goroutine at a time.
type Running struct {
	kind    Kind
	process *os.Process
	stdin   *os.File // its end tells twokey-notify that nobody waits
	stdout  *os.File
	buffer  []byte // read, and not yet a whole line
	over    bool   // the last answer has been read
}

// handOver is how long twokey-notify may take to read its request.
const handOver = 5 * time.Second

// Start starts twokey-notify, at an absolute path, as this user and group, with one request. Whoever starts it must be root and must Close what
// he gets. An error is one of the request (ErrRequest) or of this host; the provider's are answers.
func Start(helper string, uid, gid uint32, req *Request) (*Running, error) {
	line, err := req.Encode()
	if err != nil {
		return nil, err
	}
	if !path.IsAbs(helper) {
		return nil, fmt.Errorf("%s: not an absolute path", helper)
	}
	r, err := start(helper, uid, gid)
	if err != nil {
		return nil, err
	}
	r.kind = req.Kind
	if err := r.hand(line); err != nil {
		return nil, errors.Join(fmt.Errorf("hand twokey-notify its request: %w", err), r.Close())
	}
	return r, nil
}

// hand writes the request. A pipe takes 64 KiB at once; a longer one waits for twokey-notify to read.
func (r *Running) hand(line []byte) error {
	if err := r.stdin.SetWriteDeadline(time.Now().Add(handOver)); err != nil {
		return err
	}
	_, err := r.stdin.Write(line)
	if errors.Is(err, syscall.EPIPE) {
		return nil // it is gone already: Next says so, or what it said before
	}
	return err
}

func start(helper string, uid, gid uint32) (*Running, error) {
	r := new(Running)
	child, err := r.pipes()
	defer closeAll(child)
	if err == nil {
		err = closeOthers()
	}
	if err == nil {
		r.process, err = os.StartProcess(helper, []string{helper}, &os.ProcAttr{
			Dir:   "/",
			Env:   []string{},
			Files: child,
			Sys: &syscall.SysProcAttr{
				Setsid:     true, // no terminal, and a process group that can be killed as one
				Credential: &syscall.Credential{Uid: uid, Gid: gid, Groups: []uint32{}},
			},
		})
	}
	if err != nil {
		closeAll([]*os.File{r.stdin, r.stdout})
		return nil, err
	}
	return r, nil
}

// pipes opens what stands between the two, and gives the child's ends as its descriptors 0, 1 and 2; also with an error, to be closed.
func (r *Running) pipes() ([]*os.File, error) {
	child := make([]*os.File, 3)
	var err error
	if child[0], r.stdin, err = os.Pipe(); err != nil {
		return child, err
	}
	if r.stdout, child[1], err = os.Pipe(); err != nil {
		return child, err
	}
	child[2], err = os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	return child, err
}

// closeAll closes what was opened and not written to.
func closeAll(files []*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close() // nothing was written that could be lost
		}
	}
}

// closeOthers keeps descriptors from twokey-notify that this process has not opened itself: a shell or a service may have left some open. Kernels
// before 5.11 cannot; the module closes all before it starts a login's helper.
func closeOthers() error {
	err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) {
		return nil
	}
	return err
}

// Next gives the next answer, waiting for it until then. ErrNotYet: nothing has come, and Next may be called again. io.EOF: the last one has
// been given. ErrEnded: there will be none. ErrAnswer: what came is no answer.
func (r *Running) Next(until time.Time) (Answer, error) {
	if r.over {
		return Answer{}, io.EOF
	}
	line, err := r.line(until)
	if err != nil {
		return Answer{}, err
	}
	answer, err := DecodeAnswer(line)
	if err != nil {
		return Answer{}, err
	}
	r.over = answer.State.Final(r.kind)
	return answer, nil
}

// line reads up to and with the next line feed.
func (r *Running) line(until time.Time) ([]byte, error) {
	if err := r.stdout.SetReadDeadline(until); err != nil {
		return nil, err
	}
	for {
		if i := bytes.IndexByte(r.buffer, '\n'); i >= 0 {
			line := r.buffer[:i+1]
			r.buffer = r.buffer[i+1:]
			return line, nil
		}
		if len(r.buffer) >= MaxLine {
			return nil, ErrAnswer
		}
		chunk := make([]byte, 4096)
		n, err := r.stdout.Read(chunk)
		r.buffer = append(r.buffer, chunk[:n]...)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, ErrNotYet
		case errors.Is(err, io.EOF):
			return nil, ErrEnded
		case err != nil:
			return nil, err
		}
	}
}

// farewell is how long twokey-notify may take to end by itself: a program that it has started for a text is in a group of its own, which only
// it can end with all that is in it.
const farewell = 500 * time.Millisecond

// Close ends twokey-notify, and what it may have started, if it still runs. A message that is with the provider is sent all the same.
func (r *Running) Close() error {
	err := errors.Join(r.stdin.Close(), r.stdout.Close())
	for end := time.Now().Add(farewell); !r.ended() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	// The number stays its own until Wait has been called.
	if killed := syscall.Kill(-r.process.Pid, syscall.SIGKILL); killed != nil && !errors.Is(killed, syscall.ESRCH) {
		err = errors.Join(err, killed)
	}
	_, waited := r.process.Wait()
	return errors.Join(err, waited)
}

// ended reports whether the process is over, and leaves it to Wait.
func (r *Running) ended() bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, r.process.Pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err != nil || info.Signo != 0
}

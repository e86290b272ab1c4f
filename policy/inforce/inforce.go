// Package inforce finds the policy that is in force: that of twokey.yaml, or, when that file has become wrong, the last one that
// was good, which is kept compiled in the data folder. Without either there is none, and every login is denied.
//
// What it must and must not do, each with a test:
//
//   - MUST keep the last good policy in force when the file is wrong, unreadable or gone, and say so. Attack, or accident: a typing
//     mistake that switches the second factor off for everybody, or locks everybody out.
//   - MUST answer ErrNone, and a policy that lets nobody in, when there is neither; never a default.
//   - MUST NOT put another file's policy in force: a PAM line may name a file of its own, more lenient than that of the host.
//   - MUST NOT put a compiled policy in force that others could have written, or that is not as package policy wrote it.
//   - MUST NOT put a policy of before a move of the data folder in force again.
//   - MUST put a good file in force also when it cannot be kept: a full disk must not lock the host.
//   - MUST name an entry that has ended to one login ([LoadAt]), and stop none because that cannot be kept. Accident: an exemption of
//     which nobody remembers why it is gone.
//
// # Files
//
// The compiled policy of /etc/twokey/twokey.yaml is the file "policy" in the data folder; that of any other file, of which a PAM line
// can name one (config=FILE), is "policy-" and the first 16 hexadecimal digits of the SHA-256 of its path. Package policy has
// the content.
//
// When a login looked last for entries that have ended is in "expired", or "expired-" and the same digits, beside it: one line of 28 bytes
// with the day by the host's clock,
//
//	twokey-expired 1 2026-11-22
//
// written in place under a lock on the file (fcntl(2), F_OFD_SETLK). It is there as soon as the policy has had an entry with a last day: a
// command that puts one in force writes the day of that ([Policy.Watch]), or else the next login its own.
// Whoever finds it locked leaves the look to the holder. What has ended between that day and today is given to the login that puts today
// there; a crash between that and its record loses the record.
package inforce

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"twokey/internal/safefile"
	"twokey/policy"
)

// DefaultConfig is the configuration where nothing else is said.
const DefaultConfig = "/etc/twokey/twokey.yaml"

// Policy is what is in force.
type Policy struct {
	*policy.Config
	Digest [sha256.Size]byte // of the source that it was compiled from
	Before [sha256.Size]byte // of the policy in force until now, when Changed; zero: there was none
	// Changed is set when this call was the one that kept a policy which differs from that of before. One that could not be kept is
	// a Problem at every login, and a change only once that is mended.
	Changed bool
	// LastGood is set when the configuration file is not what is in force.
	LastGood bool
	// Expired are the entries that have ended since a login looked before, for this one to record; [LoadAt] alone sets it.
	Expired []policy.Expiry
	// Problem says what an administrator has to mend: why the configuration file is not what is in force (LastGood), or why what
	// is in force could not be kept. nil: all is well.
	Problem error
}

// ErrNone is returned when there is no policy at all.
var ErrNone = errors.New("no usable policy")

// The compiled form of the largest configuration is larger than that.
var (
	sourceRules   = safefile.Rules{MaxSize: policy.MaxSource, Forbid: 0o022}
	compiledRules = safefile.Rules{MaxSize: policy.MaxCompiled, Forbid: 0o022}
)

// Load reads the configuration file at an absolute path and keeps what it compiled, unless that is kept already. With ErrNone comes a policy that lets nobody in, of which only the paths
// mean something: refusals have to be recorded somewhere.
func Load(config string) (*Policy, error) {
	return load(config, policy.PathsIn(nil).Data, keep)
}

// Peek returns what Load would, and keeps nothing: it is for showing what is in force, without taking from the next login that
// it is the first to see a change.
func Peek(config string) (*Policy, error) {
	notKept := func(string, string, []byte, string) error { return nil }
	return load(config, policy.PathsIn(nil).Data, notKept)
}

// load is Load with the usual place of the data folder and a way to keep what was compiled. The source is parsed also when it is what the
// compiled policy was made of: that takes a fifth of what parsing the compiled one does, which has every key.
func load(config, usual string, keep func(data, name string, compiled []byte, usual string) error) (*Policy, error) {
	name := compiledName(config)
	source, err := safefile.ReadFile(config, sourceRules)
	if err != nil {
		return lastGood(usual, name, policy.PathsIn(nil), err)
	}
	parsed, err := policy.Parse(source)
	if err != nil {
		return lastGood(dataFolder(policy.PathsIn(source), usual), name, policy.PathsIn(source), fmt.Errorf("%s: %w", config, err))
	}
	found := &Policy{Config: parsed, Digest: sha256.Sum256(source)}
	data, compiled := dataFolder(parsed.Paths, usual), parsed.Compile(found.Digest)
	kept, err := safefile.ReadFile(filepath.Join(data, name), compiledRules)
	if err == nil && bytes.Equal(kept, compiled) {
		return found, nil
	}
	last, lastErr := readCompiled(data, name)
	found.Problem = keep(data, name, compiled, usual)
	if found.Changed = found.Problem == nil; found.Changed && lastErr == nil {
		found.Before = last.Digest
	}
	return found, nil
}

// dataFolder is the usual place of the data folder, unless the configuration has moved it.
func dataFolder(paths policy.Paths, usual string) string {
	if paths.Data != policy.PathsIn(nil).Data {
		return paths.Data
	}
	return usual
}

// compiledName is the file of the compiled policy in the data folder.
func compiledName(config string) string {
	if config == DefaultConfig {
		return "policy"
	}
	sum := sha256.Sum256([]byte(config))
	return "policy-" + hex.EncodeToString(sum[:8])
}

// lastGood is the policy of before a problem.
func lastGood(data, name string, paths policy.Paths, problem error) (*Policy, error) {
	last, err := readCompiled(data, name)
	if err != nil {
		nobody := &policy.Config{Default: policy.Deny, Contact: policy.DefaultContact, SSHKeysAlone: policy.KeysDeny, Paths: paths}
		return &Policy{Config: nobody}, errors.Join(ErrNone, problem, err)
	}
	last.LastGood, last.Problem = true, problem
	return last, nil
}

func readCompiled(data, name string) (*Policy, error) {
	path := filepath.Join(data, name)
	b, err := safefile.ReadFile(path, compiledRules)
	if err != nil {
		return nil, fmt.Errorf("the last good policy: %w", err)
	}
	config, digest, err := policy.Load(b)
	if err != nil {
		return nil, fmt.Errorf("the last good policy: %s: %w", path, err)
	}
	return &Policy{Config: config, Digest: digest}, nil
}

// keep writes the compiled policy. One at the usual place of the data folder is of before that was moved, and goes: it must not
// come into force again when the file is so wrong that it does not even tell where the data folder is.
func keep(data, name string, compiled []byte, usual string) error {
	err := replace(data, name, compiled)
	if err == nil && data != usual {
		err = remove(usual, name)
	}
	if err != nil {
		return fmt.Errorf("the policy in force could not be kept: %w", err)
	}
	return nil
}

// Since tells when the policy was kept, which is when it came into force, but for a change that no login has seen yet (Changed).
func (p *Policy) Since(config string) (time.Time, error) {
	dir, err := safefile.OpenDir(p.Paths.Data)
	if err != nil {
		return time.Time{}, err
	}
	defer dir.Close()
	f, err := dir.Open(compiledName(config), unix.O_RDONLY, compiledRules)
	if err != nil {
		return time.Time{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}

func replace(data, name string, compiled []byte) error {
	dir, err := safefile.OpenDir(data)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Replace(name, compiled, 0o600)
}

func remove(data, name string) error {
	dir, err := safefile.OpenDir(data)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

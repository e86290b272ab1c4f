package secrets

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"twokey/internal/safefile"
)

const (
	suffix = ".age"
	// decoyFile is a name that no user's file has: escapes are two capital hex digits.
	decoyFile = "%decoy" + suffix
	decoyUser = "%decoy"
)

var fileRules = safefile.Rules{MaxSize: maxFile, Forbid: 0o077}

// Store is the folder of all users' secret files.
type Store struct {
	dir     *safefile.Dir
	keyPath string
	trusted []Signer
	mu      sync.Mutex
	hostKey *HostKey // nil until it is needed first
}

// Open opens the folder users below the data folder. The host key is read when it is needed first: whether a user is enrolled can
// be said without it. Beside the files of this host it takes those that the signers have signed, each as Signer.String gives it: the
// provisioners of the configuration. One that ParseSigner refuses accepts no file, and keeps none of the others from being opened: a
// wrong line must not lock everybody out. Who has somebody to tell finds it with BadSigners.
func Open(data, keyPath string, signers ...string) (*Store, error) {
	var trusted []Signer
	for _, text := range signers {
		if signer, err := ParseSigner(text); err == nil {
			trusted = append(trusted, signer)
		}
	}
	dir, err := safefile.OpenDir(data + "/users")
	if err != nil {
		return nil, err
	}
	return &Store{dir: dir, keyPath: keyPath, trusted: trusted}, nil
}

// Create makes the folder where it is missing, and opens it.
func Create(data, keyPath string) (*Store, error) {
	dir, err := safefile.MakeDir(data+"/users", 0o700)
	if err != nil {
		return nil, err
	}
	return &Store{dir: dir, keyPath: keyPath}, nil
}

// Close releases the folder and wipes the host key.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hostKey != nil {
		s.hostKey.Wipe()
		s.hostKey = nil
	}
	return s.dir.Close()
}

func (s *Store) key() (*HostKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hostKey != nil {
		return s.hostKey, nil
	}
	key, err := OpenHostKey(s.keyPath)
	if err != nil {
		return nil, err
	}
	s.hostKey = key
	return key, nil
}

// Enrolled reports whether something of the name of the user's file is there, whatever it is like: Load says that.
func (s *Store) Enrolled(user string) (bool, error) { return s.dir.Exists(fileName(user)) }

// Load opens a user's file. A user without one is fs.ErrNotExist, and nothing else is. Every other error means that the file
// lets nobody in: those of this package, and safefile's ErrOwner, ErrMode, ErrType, ErrLinks and ErrSize. Whether the record is
// older than one that was seen before, the caller has to tell by the serial.
func (s *Store) Load(user string) (*Record, error) {
	r, err := s.read(fileName(user))
	if err != nil {
		return nil, err
	}
	if r.User != user {
		return nil, s.failed(fileName(user), ErrWrongUser)
	}
	return r, nil
}

func (s *Store) read(file string) (*Record, error) {
	sealed, err := s.dir.Read(file, fileRules)
	if err != nil {
		return nil, err
	}
	key, err := s.key()
	if err != nil {
		return nil, err
	}
	r, err := key.open(sealed, s.trusted)
	if err != nil {
		return nil, s.failed(file, err)
	}
	return r, nil
}

func (s *Store) failed(file string, err error) error {
	return fmt.Errorf("%s/%s: %w", s.dir.Path(), file, err)
}

// SaveNew is Save for a user without a file: it is fs.ErrExist when there is one meanwhile, which stays.
func (s *Store) SaveNew(r *Record) error {
	key, err := s.key()
	if err != nil {
		return err
	}
	sealed, err := key.seal(r)
	if err != nil {
		return err
	}
	return s.dir.WriteNew(fileName(r.User), sealed, 0o600)
}

// Save puts a record in the place of the user's file. On any error the old file stays, except as safefile's Replace says.
func (s *Store) Save(r *Record) error { return s.write(fileName(r.User), r) }

// SaveNewIn is Save as part of a batch, see safefile.WriteAll, for a user without a file: that there is one, which then stays, is
// seen when the batch ends. Encrypting is most of the work; several sets may be prepared at once.
func (s *Store) SaveNewIn(set *safefile.Set, r *Record) error {
	key, err := s.key()
	if err != nil {
		return err
	}
	sealed, err := key.seal(r)
	if err != nil {
		return err
	}
	return set.WriteNew(s.dir, fileName(r.User), sealed, 0o600)
}

func (s *Store) write(file string, r *Record) error {
	key, err := s.key()
	if err != nil {
		return err
	}
	sealed, err := key.seal(r)
	if err != nil {
		return err
	}
	return s.dir.Replace(file, sealed, 0o600)
}

// Remove takes a user's file away; it is fs.ErrNotExist when there is none.
func (s *Store) Remove(user string) error { return s.dir.Remove(fileName(user)) }

// Users lists the names of all users who have a file, in order. A name that is too long for a file name stands inside the file:
// when such files cannot be opened, the error says so and the names are those of the others.
func (s *Store) Users() ([]string, error) {
	files, err := s.dir.Names()
	if err != nil {
		return nil, err
	}
	var users []string
	var unknown []error
	for _, file := range files {
		name, isUser := strings.CutSuffix(file, suffix)
		if !isUser || file == decoyFile {
			continue
		}
		user, err := safefile.UserName(name)
		if err != nil {
			user, err = s.userInside(file)
		}
		if err != nil {
			unknown = append(unknown, err)
			continue
		}
		users = append(users, user)
	}
	slices.Sort(users)
	return users, errors.Join(unknown...)
}

// userInside returns the name of the user whose file this is. A copy under another name is nobody's.
func (s *Store) userInside(file string) (string, error) {
	r, err := s.read(file)
	if err != nil {
		return "", err
	}
	if fileName(r.User) != file {
		return "", s.failed(file, ErrWrongUser)
	}
	return r.User, nil
}

// CreateDecoy makes the file on which the work is done for those who cannot get in, unless it is there. The user of r does not
// matter. Nobody may be let in for a code that matches it.
func (s *Store) CreateDecoy(r *Record) error {
	if exists, err := s.dir.Exists(decoyFile); exists || err != nil {
		return err
	}
	decoy := *r
	decoy.User = decoyUser
	return s.write(decoyFile, &decoy)
}

// LoadDecoy opens the decoy's file, with the same work as Load.
func (s *Store) LoadDecoy() (*Record, error) {
	r, err := s.read(decoyFile)
	if err != nil {
		return nil, err
	}
	if r.User != decoyUser {
		return nil, s.failed(decoyFile, ErrWrongUser)
	}
	return r, nil
}

// FileName is the name of a user's file in the folder of all users.
func FileName(user string) string { return fileName(user) }

func fileName(user string) string { return safefile.UserFileName(user) + suffix }

// RemoveStale removes what a writer that was killed more than an hour ago has left behind.
func (s *Store) RemoveStale(now time.Time) error { return s.dir.RemoveStale(now, time.Hour) }

// SealNote is HostKey.SealNote with this host's key.
func (s *Store) SealNote(info string, content []byte) ([]byte, error) {
	key, err := s.key()
	if err != nil {
		return nil, err
	}
	return key.SealNote(info, content)
}

// OpenNote is HostKey.OpenNote with this host's key.
func (s *Store) OpenNote(info string, sealed []byte) ([]byte, error) {
	key, err := s.key()
	if err != nil {
		return nil, err
	}
	return key.OpenNote(info, sealed)
}

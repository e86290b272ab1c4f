package secrets

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"filippo.io/age"

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
	dir *safefile.Dir
	key func() (*HostKey, error)
}

// Open opens the folder users below the data folder. The host key is read when it is needed first: whether a user is enrolled can be
// said without it.
func Open(data, keyPath string) (*Store, error) {
	dir, err := safefile.OpenDir(data + "/users")
	if err != nil {
		return nil, err
	}
	return &Store{dir, sync.OnceValues(func() (*HostKey, error) { return OpenHostKey(keyPath) })}, nil
}

// Create makes the folder where it is missing, and opens it.
func Create(data, keyPath string) (*Store, error) {
	dir, err := safefile.MakeDir(data+"/users", 0o700)
	if err != nil {
		return nil, err
	}
	return &Store{dir, sync.OnceValues(func() (*HostKey, error) { return OpenHostKey(keyPath) })}, nil
}

// Close releases the folder.
func (s *Store) Close() error { return s.dir.Close() }

// Enrolled reports whether the user has a secret file, whatever is in it.
func (s *Store) Enrolled(user string) (bool, error) { return s.dir.Exists(fileName(user)) }

// Load opens a user's file. A user without one is fs.ErrNotExist; every other error means that nobody may be let in by it.
func (s *Store) Load(user string) (*Record, error) {
	return s.load(fileName(user), user)
}

func (s *Store) load(name, user string) (*Record, error) {
	sealed, err := s.dir.Read(name, fileRules)
	if err != nil {
		return nil, err
	}
	key, err := s.key()
	if err != nil {
		return nil, err
	}
	r, err := open(sealed, key)
	if err != nil {
		return nil, fmt.Errorf("%s/%s: %w", s.dir.Path(), name, err)
	}
	if r.User != user {
		return nil, fmt.Errorf("%s/%s: %w", s.dir.Path(), name, ErrWrongUser)
	}
	return r, nil
}

// open decrypts a file. age notices damage only when it has given out the last byte, so nothing is looked at before.
func open(sealed []byte, key *HostKey) (*Record, error) {
	plain, err := age.Decrypt(bytes.NewReader(sealed), key.identity)
	var other *age.NoIdentityMatchError
	if errors.As(err, &other) {
		return nil, ErrWrongKey
	}
	if err != nil {
		return nil, ErrCorrupt
	}
	content, err := io.ReadAll(io.LimitReader(plain, maxPlaintext+1))
	defer clear(content)
	if err != nil {
		return nil, ErrCorrupt
	}
	return decode(content, key.macKey)
}

// seal encrypts a record to the host.
func seal(r *Record, key *HostKey) ([]byte, error) {
	content, err := encode(r, key.macKey)
	if err != nil {
		return nil, err
	}
	defer clear(content)
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, key.identity.Recipient())
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return sealed.Bytes(), nil
}

// Save puts a record in the place of the user's file. On any error the old file stays.
func (s *Store) Save(r *Record) error { return s.save(fileName(r.User), r) }

func (s *Store) save(name string, r *Record) error {
	key, err := s.key()
	if err != nil {
		return err
	}
	sealed, err := seal(r, key)
	if err != nil {
		return err
	}
	return s.dir.Replace(name, sealed, 0o600)
}

// Remove takes a user's file away; it is fs.ErrNotExist when there is none.
func (s *Store) Remove(user string) error { return s.dir.Remove(fileName(user)) }

// Users lists the names of all users who have a file, in no order.
func (s *Store) Users() ([]string, error) {
	files, err := s.dir.Names()
	if err != nil {
		return nil, err
	}
	var users []string
	for _, file := range files {
		name, isUser := strings.CutSuffix(file, suffix)
		if !isUser || file == decoyFile {
			continue
		}
		if user, err := safefile.UserName(name); err == nil {
			users = append(users, user)
		} else if user, ok := s.longName(file); ok {
			users = append(users, user)
		}
	}
	return users, nil
}

// longName finds the user of a file whose name is a hash: the name stands inside.
func (s *Store) longName(file string) (string, bool) {
	sealed, err := s.dir.Read(file, fileRules)
	if err != nil {
		return "", false
	}
	key, err := s.key()
	if err != nil {
		return "", false
	}
	r, err := open(sealed, key)
	if err != nil || fileName(r.User) != file {
		return "", false
	}
	return r.User, true
}

// CreateDecoy makes the file on which the work is done for those who cannot get in, unless it is there.
func (s *Store) CreateDecoy(r *Record) error {
	if exists, err := s.dir.Exists(decoyFile); exists || err != nil {
		return err
	}
	r.User = decoyUser
	return s.save(decoyFile, r)
}

// LoadDecoy opens the decoy's file.
func (s *Store) LoadDecoy() (*Record, error) { return s.load(decoyFile, decoyUser) }

func fileName(user string) string { return safefile.UserFileName(user) + suffix }

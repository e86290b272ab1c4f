package state

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"twokey/internal/safefile"
)

// decoys is how many decoys share the work for those who cannot get in, so that they wait for each other less.
const decoys = 8

// decoyMark begins the name of a decoy. No account has such a name.
const decoyMark = "\x00decoy"

// Decoy is the name of the decoy on whose state the work for a user is done who is unknown, or not enrolled, or may not get in.
func Decoy(user string) string {
	sum := sha256.Sum256([]byte(user))
	return fmt.Sprintf("%s%d", decoyMark, sum[0]%decoys)
}

// CreateDecoys makes the decoys that are missing.
func (s *Store) CreateDecoys() error {
	for i := range decoys {
		err := s.New(&State{User: fmt.Sprintf("%s%d", decoyMark, i), UID: ^uint32(0)})
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// Users lists the names of all users who have a state, in no order, also of those who were taken out. A name that is too long for
// a file name is left out.
func (s *Store) Users() ([]string, error) {
	files, err := s.users.Names()
	if err != nil {
		return nil, err
	}
	var users []string
	for _, file := range files {
		if user, err := safefile.UserName(file); err == nil && !strings.HasPrefix(user, decoyMark) {
			users = append(users, user)
		}
	}
	return users, nil
}

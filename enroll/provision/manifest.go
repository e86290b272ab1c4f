package provision

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"twokey/internal/safefile"
	"twokey/secrets"
)

const (
	manifestFile    = "manifest.json"
	manifestVersion = 1
	maxManifest     = 256 << 20 // bytes; a hundred thousand users with one device each are some 50 MB
	digestInfo      = "twokey manifest 1"
)

// manifest is the file of the name as the package comment has it.
type manifest struct {
	Version int          `json:"version"`
	Signer  string       `json:"signer"`
	Users   []*knownUser `json:"users"`
}

// knownUser is what was made for a user.
type knownUser struct {
	User          string            `json:"user"`
	Serial        uint64            `json:"serial"`
	Hosts         map[string]string `json:"hosts"`
	Phone         string            `json:"phone"`
	RecoveryCodes int               `json:"recovery_codes"`
	Devices       []knownDevice     `json:"devices"`
}

type knownDevice struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Method    string `json:"method"`
	Digits    int    `json:"digits"`
	Period    int    `json:"period"`
	Algorithm string `json:"algorithm"`
	Issuer    string `json:"issuer"`
	Label     string `json:"label"`
	Created   string `json:"created"`
	Until     string `json:"until"`
	Secret    string `json:"secret"`
	Provider  string `json:"provider,omitempty"`
}

// encode writes a manifest in its one spelling.
func (m *manifest) encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(m); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// decodeManifest takes what encode gives and nothing else; ErrManifest.
func decodeManifest(b []byte) (*manifest, error) {
	m := &manifest{}
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrManifest, err)
	}
	if m.Version != manifestVersion {
		return nil, fmt.Errorf("%w: version %d, want %d", ErrManifest, m.Version, manifestVersion)
	}
	for i, u := range m.Users {
		if u == nil || i > 0 && m.Users[i-1].User >= u.User {
			return nil, fmt.Errorf("%w: number %d of the users is not in the order of names", ErrManifest, i+1)
		}
		for _, d := range u.Devices {
			if !d.readable() {
				return nil, fmt.Errorf("%w: device %q of %q", ErrManifest, d.Name, u.User)
			}
		}
	}
	again, err := m.encode()
	if err != nil || !bytes.Equal(again, b) {
		return nil, errors.Join(fmt.Errorf("%w: it was edited", ErrManifest), err)
	}
	return m, nil
}

// readable reports whether what is read back of a device, when its file is made anew, can be.
func (d knownDevice) readable() bool {
	_, errID := parseID(d.ID)
	_, errCreated := parseTime(d.Created)
	_, errUntil := parseTime(d.Until)
	return errors.Join(errID, errCreated, errUntil) == nil
}

func parseID(text string) (id secrets.ID, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(id) {
		return id, ErrManifest
	}
	return secrets.ID(b), nil
}

// parseTime reads a time as the manifest has it; "" is none.
func parseTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339, text)
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// readManifest reads that of a folder; one that is not there knows nobody.
func readManifest(dir *safefile.Dir, signer secrets.Signer) (map[string]*knownUser, error) {
	users := map[string]*knownUser{}
	b, err := dir.Read(manifestFile, safefile.Rules{MaxSize: maxManifest, Forbid: 0o022})
	if errors.Is(err, fs.ErrNotExist) {
		return users, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := decodeManifest(b)
	if err != nil {
		return nil, fmt.Errorf("%s/%s: %w", dir.Path(), manifestFile, err)
	}
	if m.Signer != signer.String() {
		return nil, fmt.Errorf("%s/%s: %w", dir.Path(), manifestFile, ErrSigner)
	}
	for _, u := range m.Users {
		users[u.User] = u
	}
	return users, nil
}

func (j *Job) writeManifest() error {
	m := &manifest{Version: manifestVersion, Signer: j.signer.Public().String(), Users: []*knownUser{}}
	for _, u := range j.known {
		m.Users = append(m.Users, u)
	}
	slices.SortFunc(m.Users, func(a, b *knownUser) int { return strings.Compare(a.User, b.User) })
	b, err := m.encode()
	if err != nil {
		return err
	}
	return j.dir.Replace(manifestFile, b, 0o600)
}

// digest tells whether a number or a secret is still the same, to who has the signing key: without the key a number would be guessed
// in minutes.
func (j *Job) digest(user, field string, value []byte) string {
	mac := hmac.New(sha256.New, j.digestKey)
	mac.Write([]byte(user + "\n" + field + "\n"))
	mac.Write(value)
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// hostDigest is the short form of a host's public key.
func hostDigest(h Host) string {
	sum := sha256.Sum256([]byte(h.To.String()))
	return hex.EncodeToString(sum[:8])
}

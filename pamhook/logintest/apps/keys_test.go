package apps

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/pem"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// keyring has one key of each kind that a rule can tell apart. Each opens all accounts of the people for whom it was made.
type keyring struct {
	settings []string // of sshd_config(5), for a server that takes these keys
	file     string   // of the plain key, for the OpenSSH client
	keys     map[string]ssh.Signer
}

// The kinds of keys, and the words of ssh_auth that each of them is.
var kindsOfKeys = []struct {
	kind  string
	words []string
}{
	{"a key", []string{"publickey"}},
	{"a certificate", []string{"certificate"}},
	{"a security key", []string{"security-key"}},
	{"a security key with a certificate", []string{"security-key", "certificate"}},
}

func newKeyring(t *testing.T, people ...*person) *keyring {
	t.Helper()
	dir, err := os.MkdirTemp(scratchDir, "keyring-")
	must(t, err)
	must(t, os.Chmod(dir, 0o755))
	in := func(name string) string { return filepath.Join(dir, name) }
	k := &keyring{file: in("id"), keys: map[string]ssh.Signer{"a key": plainKey(t, in("id")), "a security key": newSecurityKey(t)}}
	var authorized []byte
	for _, key := range k.keys {
		authorized = append(authorized, ssh.MarshalAuthorizedKey(key.PublicKey())...)
	}
	must(t, os.WriteFile(in("authorized_keys"), authorized, 0o644))

	keygen(t, "-q", "-t", "ed25519", "-N", "", "-f", in("authority"))
	k.keys["a certificate"] = certified(t, in("authority"), plainKey(t, in("certified")), people)
	k.keys["a security key with a certificate"] = certified(t, in("authority"), newSecurityKey(t), people)
	k.settings = []string{"PubkeyAuthentication yes", "StrictModes no", // others may write to /tmp
		"AuthorizedKeysFile " + in("authorized_keys"), "TrustedUserCAKeys " + in("authority.pub")}
	return k
}

func keygen(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ssh-keygen", args...).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// plainKey makes a key and writes it to a file for the OpenSSH client.
func plainKey(t *testing.T, file string) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	must(t, err)
	must(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
	key, err := ssh.NewSignerFromKey(private)
	must(t, err)
	return key
}

// certified has the authority sign a key for the accounts of these people.
func certified(t *testing.T, authority string, key ssh.Signer, people []*person) ssh.Signer {
	t.Helper()
	var accounts []string
	for _, p := range people {
		accounts = append(accounts, p.Name)
	}
	public := filepath.Join(t.TempDir(), "key.pub")
	must(t, os.WriteFile(public, ssh.MarshalAuthorizedKey(key.PublicKey()), 0o644))
	keygen(t, "-q", "-s", authority, "-I", "test", "-n", strings.Join(accounts, ","), public)
	text, err := os.ReadFile(strings.TrimSuffix(public, ".pub") + "-cert.pub")
	must(t, err)
	parsed, _, _, _, err := ssh.ParseAuthorizedKey(text)
	must(t, err)
	signer, err := ssh.NewCertSigner(parsed.(*ssh.Certificate), key)
	must(t, err)
	return signer
}

// securityKey is what a FIDO token holds, without the token: sk-ssh-ed25519@openssh.com of OpenSSH's PROTOCOL.u2f.
type securityKey struct {
	private ed25519.PrivateKey
	public  ssh.PublicKey
}

const (
	skAlgorithm   = "sk-ssh-ed25519@openssh.com"
	skApplication = "ssh:"
	skPresent     = 0x01 // the flag that somebody has touched the token
)

func newSecurityKey(t *testing.T) securityKey {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	key, err := ssh.ParsePublicKey(ssh.Marshal(struct {
		Algorithm   string
		Key         []byte
		Application string
	}{skAlgorithm, public, skApplication}))
	must(t, err)
	return securityKey{private, key}
}

func (k securityKey) PublicKey() ssh.PublicKey { return k.public }

// Sign signs what a token signs: SHA256(application), flags, counter, SHA256(message). Flags and counter go with the signature.
func (k securityKey) Sign(_ io.Reader, message []byte) (*ssh.Signature, error) {
	flagsAndCounter := binary.BigEndian.AppendUint32([]byte{skPresent}, 1)
	application, digest := sha256.Sum256([]byte(skApplication)), sha256.Sum256(message)
	signed := append(append(application[:], flagsAndCounter...), digest[:]...)
	return &ssh.Signature{Format: skAlgorithm, Blob: ed25519.Sign(k.private, signed), Rest: flagsAndCounter}, nil
}

// Package provision makes users' files for hosts on a machine that is none of them and holds no host's key: it knows the hosts' public
// keys, signs what it makes, and cannot read it back. What it has made stands in a manifest, so that a second run changes nothing.
//
// MUST:
//   - The manifest holds no secret, no recovery code, and nothing by which somebody who has it could find out whether a guess of a
//     secret or a phone number is right.
//   - A user's file is made anew, with another secret, only where the caller has named the user: nobody's app stops working because a
//     list was edited.
//   - Killed at any point and run again, it ends in the same state.
//
// # Folder
//
// For one host without a name, FOLDER/NAME.age; for hosts with names, FOLDER/HOST/NAME.age: the files of package secrets, as they lie in
// the hosts' folders of users. FOLDER/manifest.json is the manifest.
//
// # Manifest
//
// JSON, indented, of up to 256 MiB, mode 0600. This one is of a user with one device on one host:
//
//	{
//	  "version": 1,
//	  "signer": "twokey-signer1ebVWLo_mVPlAeLES6KmLp5AfhTrmlb7X4OORC60ElmQ",
//	  "users": [
//	    {
//	      "user": "alice",
//	      "serial": 1767323045000,
//	      "hosts": {
//	        "web1": "6d152fa9c01105bb"
//	      },
//	      "phone": "",
//	      "recovery_codes": 0,
//	      "devices": [
//	        {
//	          "id": "0001020304050607",
//	          "name": "phone",
//	          "method": "totp",
//	          "digits": 6,
//	          "period": 30,
//	          "algorithm": "SHA1",
//	          "issuer": "Example Ltd",
//	          "label": "alice@web1",
//	          "created": "2026-01-02T03:04:05Z",
//	          "until": "",
//	          "secret": "4a0344c493e085ed1cb52adce7c90125"
//	        }
//	      ]
//	    }
//	  ]
//	}
//
// Users are in the order of their names, each once. hosts has for each host, "" for one without a name, the first 8 bytes of the SHA-256
// of its public key in hexadecimal; phone is "" or a digest of the number; recovery_codes how many there are. Of a device, secret is ""
// when it was made here, and a digest of it when the list gave it. All else is as in the user's file.
//
// A digest is the first 16 bytes, in hexadecimal, of the HMAC-SHA256 of the user's name, a line feed, the field ("phone", or "device "
// and the name), a line feed, and the number or the secret. Its key is HKDF-SHA256 of the 32 bytes of the private signing key, without
// salt, with the info "twokey manifest 1", 32 bytes.
package provision

import (
	"errors"
	"fmt"
	"strings"

	"twokey/internal/safefile"
	"twokey/secrets"
)

// Errors on which a caller may branch.
var (
	ErrHost     = errors.New("not a host: want age1…, or NAME=age1…")
	ErrManifest = errors.New("manifest is not usable")
	ErrSigner   = errors.New("the files in the folder are signed with another key: use that one, or another folder")
	ErrSealed   = errors.New("the user's file cannot be read here and would have to be made anew")
	ErrPolicy   = errors.New("requirements, exemptions and groups belong into the hosts' configuration: twokey policy")
)

// Host is a machine for which files are made.
type Host struct {
	Name string // of its folder; "": the files lie in the folder itself
	To   secrets.Recipient
}

// ParseHosts reads the public keys of hosts, each as "age1…" or as "NAME=age1…". Several need names, no two the same. ErrHost.
func ParseHosts(texts []string) ([]Host, error) {
	var hosts []Host
	seen := map[string]bool{}
	for _, text := range texts {
		name, key, named := strings.Cut(text, "=")
		if !named {
			name, key = "", text
		}
		to, err := secrets.ParseRecipient(key)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%w: %w", ErrHost, err)
		case named && (name == "" || safefile.UserFileName(name) != name):
			return nil, fmt.Errorf("%w: the name %q cannot be that of a folder", ErrHost, name)
		case !named && len(texts) > 1:
			return nil, fmt.Errorf("%w: several hosts need names", ErrHost)
		case seen[name]:
			return nil, fmt.Errorf("%w: %q is there twice", ErrHost, name)
		}
		seen[name] = true
		hosts = append(hosts, Host{name, to})
	}
	if len(hosts) == 0 {
		return nil, ErrHost
	}
	return hosts, nil
}

package main

import (
	"errors"
	"fmt"

	"twokey/factor"
	"twokey/internal/safefile"
)

// maxSecretFile is far above the longest secret in base32, in bytes.
const maxSecretFile = 4096

// readSecret reads the secret that --secret-file names; nil when there is none to read.
func (e *enrolment) readSecret() ([]byte, error) {
	var text string
	var err error
	switch e.secretFile {
	case "":
		return nil, nil
	case "-":
		text, err = e.ui.ask("The secret, in base32: ", true)
	default:
		text, err = e.readSecretFile()
	}
	if err != nil {
		return nil, err
	}
	secret, err := factor.DecodeSecret(text)
	if err != nil {
		return nil, fmt.Errorf("--secret-file %s: %w", e.secretFile, err)
	}
	return secret, nil
}

// readSecretFile reads a file that the administrator has chosen, wherever it lies. Whoever else can read it knows the second factor,
// and whoever can write it chooses it: that is worth a warning.
func (e *enrolment) readSecretFile() (string, error) {
	file, err := safefile.ReadImport(e.secretFile, maxSecretFile)
	if errors.Is(err, safefile.ErrType) {
		return "", failed("%s is not a regular file", e.secretFile).hint("to read the secret from a pipe: --secret-file -")
	}
	if err != nil {
		return "", err
	}
	if file.Mode&0o077 != 0 || file.Owner != 0 && file.Owner != e.account.UID {
		e.ui.warn("others have access to %s, which is the second factor of %s: chmod 600 '%s', or delete it", e.secretFile, e.account.Name, e.secretFile)
	}
	return string(file.Content), nil
}

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
	if err == nil {
		err = e.checkSecret(secret)
	}
	if err != nil {
		return nil, fmt.Errorf("--secret-file %s: %w", e.secretFile, err)
	}
	return secret, nil
}

// checkSecret finds out before anything else does, and without the name of the file, that a secret is too short or too long.
func (e *enrolment) checkSecret(secret []byte) error {
	err := e.params(e.policy.NewDevices, secret).Check()
	if e.allowShort && errors.Is(err, factor.ErrShortSecret) {
		return nil
	}
	return err
}

// readSecretFile reads a file that the administrator has chosen, wherever it lies. Whoever else can read it knows the second factor,
// and whoever can write it chooses it: that is worth a warning.
func (e *enrolment) readSecretFile() (string, error) {
	file, err := safefile.ReadImport(e.secretFile, maxSecretFile)
	switch {
	case errors.Is(err, safefile.ErrType):
		return "", failed("%s is not a regular file", e.secretFile).hint("to read the secret from a pipe: --secret-file -")
	case errors.Is(err, safefile.ErrSize):
		return "", failed("%s is larger than %d KiB", e.secretFile, maxSecretFile>>10).hint("the file has to have the secret and nothing else, in base32")
	case err != nil:
		return "", err
	}
	if file.Mode&0o077 != 0 || file.Owner != 0 && file.Owner != e.account.UID {
		e.ui.warn("others have access to %s, which is the second factor of %s: chmod 600 '%s', or delete it", e.secretFile, e.account.Name, e.secretFile)
	}
	return string(file.Content), nil
}

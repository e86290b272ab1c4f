package main

import (
	"bytes"
	"fmt"

	"twokey/policy"
	"twokey/secrets"
)

// checkSigners refuses provisioners with a key for which anybody can sign: that package secrets can tell, and not the policy.
func checkSigners(source []byte, provisioners []string) error {
	bad := secrets.BadSigners(provisioners)
	if len(bad) == 0 {
		return nil
	}
	line, column := placeOf(source, bad[0])
	return &policy.Error{Line: line, Column: column, Msg: fmt.Sprintf("provisioners: no file can be trusted by the key %q, for which anybody can sign", bad[0])}
}

// placeOf is where a text stands first outside of comment lines, line and column from 1.
func placeOf(source []byte, text string) (line, column int) {
	for each := range bytes.Lines(source) {
		line++
		if at := bytes.Index(each, []byte(text)); at >= 0 && !bytes.HasPrefix(bytes.TrimSpace(each), []byte("#")) {
			return line, at + 1
		}
	}
	return 1, 1
}

package policy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// MaxCompiled is the size cap of a compiled policy, in bytes: above what a
// configuration of [MaxSource] bytes can become, by JSON's escapes at the most.
const MaxCompiled = 8 * MaxSource

const firstLine = "twokey-policy 1 sha256:"

// document is the compiled form's second line: the keys in the order of the
// package comment.
type document struct {
	Version     int        `json:"version"`
	Enabled     bool       `json:"enabled"`
	Observe     bool       `json:"observe"`
	Issuer      string     `json:"issuer"`
	Contact     string     `json:"contact"`
	HelpURL     string     `json:"help_url"`
	Default     string     `json:"default"`
	Require     []Entry    `json:"require,omitempty"`
	Exempt      []Entry    `json:"exempt,omitempty"`
	NewDevices  deviceLine `json:"new_devices"`
	Discrepancy int        `json:"discrepancy"`
	Paths       Paths      `json:"paths"`
}

// deviceLine is NewDevices with the period as it is written: "30s".
type deviceLine struct {
	Digits    int    `json:"digits"`
	Period    string `json:"period"`
	Algorithm string `json:"algorithm"`
}

// Compile gives the compiled form of the policy; digest is the SHA-256 of the
// source that it was parsed from.
func (c *Config) Compile(digest [sha256.Size]byte) []byte {
	line, err := json.Marshal(document{
		Version: 1, Enabled: !c.Off, Observe: c.Observe,
		Issuer: c.Issuer, Contact: c.Contact, HelpURL: c.HelpURL,
		Default: c.Default.String(), Require: c.Require, Exempt: c.Exempt,
		NewDevices: deviceLine{
			Digits:    c.NewDevices.Digits,
			Period:    fmt.Sprintf("%ds", int(c.NewDevices.Period.Seconds())),
			Algorithm: c.NewDevices.Algorithm,
		},
		Discrepancy: c.Discrepancy, Paths: c.Paths,
	})
	if err != nil {
		panic("policy: strings and numbers did not become JSON: " + err.Error()) // unreachable
	}
	return fmt.Appendf(nil, "%s%x\n%s\n", firstLine, digest, line)
}

// Load reads a compiled policy and the digest of its source. It accepts what
// [Config.Compile] writes, byte by byte, and nothing else: a file that was cut off,
// merged or edited is no policy.
func Load(compiled []byte) (*Config, [sha256.Size]byte, error) {
	var digest [sha256.Size]byte
	if len(compiled) > MaxCompiled {
		return nil, digest, fmt.Errorf("compiled policy: %d bytes, the limit is %d", len(compiled), MaxCompiled)
	}
	first, rest, _ := bytes.Cut(compiled, []byte("\n"))
	digits, ok := strings.CutPrefix(string(first), firstLine)
	if !ok {
		return nil, digest, errors.New("compiled policy: the first line is of another format or version")
	}
	sum, err := hex.DecodeString(digits)
	if err != nil || len(sum) != len(digest) {
		return nil, digest, errors.New("compiled policy: the first line has no SHA-256 digest")
	}
	c, err := parse(rest)
	if err != nil {
		return nil, digest, fmt.Errorf("compiled policy: %w", err)
	}
	copy(digest[:], sum)
	if !bytes.Equal(c.Compile(digest), compiled) {
		return nil, [sha256.Size]byte{}, errors.New("compiled policy: not written by twokey, or damaged")
	}
	return c, digest, nil
}

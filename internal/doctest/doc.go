// Package doctest runs the examples of the documents that need more than one package: what docs/policy.md says of codes and clocks. It
// has nothing but tests.
package doctest

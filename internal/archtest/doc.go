// Package archtest keeps the architecture: which package may import which, what no program may link, who may open files, print, or
// ask the clock. It has tests only. The rules are in rules_test.go, and each has a made-up source that breaks it in
// violations_test.go: a rule that finds nothing any more fails its own test.
package archtest

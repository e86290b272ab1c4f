// Package moduletest holds the tests of the PAM module pam_twokey.so. They load it with the real libpam into a small application
// (testdata/drive.c), give it a helper that does wrong what can be done wrong (testdata/fake_helper.c), and look at what the
// application gets, what the helper was started with, and what is left behind. They must run as root.
package moduletest

// Package logintest tests whole logins: the real helper, started as the module starts it, on real files. What it tests of the
// module itself, and of sshd, sudo, su and login, stands in the packages that drive those. It has tests only.
package logintest

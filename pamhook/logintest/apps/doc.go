// Package apps tests logins through the programs that people log in with: ssh and sshd, sudo, su and login, with the module and
// the helper as they are shipped and the stack that is recommended. It has tests only.
//
// Each test has a machine of its own (pamtest.Machine), so that it touches nothing of the host, and users of its own. A refusal
// takes two seconds, so the tests run side by side.
package apps

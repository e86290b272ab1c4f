// Package sockettest holds the tests of the sockets on which systemd starts the helper: the units in packaging/systemd as systemd reads
// them, and whole logins of programs that are not root, and of programs that are setuid root, with the real module, the real helper and
// systemd-socket-activate in systemd's place. They must run as root.
package sockettest

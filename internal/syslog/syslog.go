// Package syslog says something to the host's syslog daemon, as well as it can: a host without one (a container, an early boot)
// is told nothing and nothing fails. It does what the standard library's log/syslog would do, without package net, which the
// login helper does not link.
package syslog

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Priorities of RFC 5424: facility 10 (security and authorization) times eight, and the severity.
const (
	Critical = 10*8 + 2
	Warning  = 10*8 + 4
	Notice   = 10*8 + 5
)

const socket = "/dev/log"

// maxMessage keeps a message within one datagram and one line of a journal.
const maxMessage = 2048

// Send writes one line for the program tag. Control characters are made visible: a user name with a newline in it must not
// become a line of its own.
func Send(priority int, tag, message string) { send(socket, priority, tag, message) }

func send(path string, priority int, tag, message string) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	// No time stamp: every daemon on /dev/log puts its own. A full queue drops the line rather than hold up a login.
	_ = unix.Sendto(fd, format(priority, tag, message), 0, &unix.SockaddrUnix{Name: path})
}

func format(priority int, tag, message string) []byte {
	line := fmt.Sprintf("<%d>%s: %s", priority, tag, strings.ToValidUTF8(message, "?"))
	line = strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' {
			return '?'
		}
		return r
	}, line)
	if len(line) > maxMessage {
		line = strings.ToValidUTF8(line[:maxMessage], "")
	}
	return []byte(line)
}

// Package pamconf reads the PAM stacks of a host and works out what they do, without calling a module. Its duty is to read a stack
// as libpam reads it and to come to the result that libpam would come to; a test compares it with the real one.
//
// # Files
//
// The stack of a service is in /etc/pam.d/SERVICE, else in /usr/lib/pam.d/SERVICE; where neither folder exists, in the lines of
// /etc/pam.conf that begin with its name. A phase for which it has no line takes that of the service "other". The form is that of
// pam.d(5), with Debian's "@include FILE", which takes the lines of every phase:
//
//	auth     [success=1 default=ignore]  pam_unix.so nullok
//	auth     requisite                   pam_deny.so
//	-auth    optional                    pam_cap.so [an argument with blanks]
//	account  include                     common-account
//	session  substack                    common-session
//
// A line that libpam cannot use is not left out: it fails when its turn comes, which is what [Line.Broken] says. A file that cannot
// be read to its end makes the whole service fail: [Service.Broken].
//
// # Evaluation
//
// Every line has an action for each result that its module may have (pam.conf(5)): ok, done, bad, die, ignore, reset, or how many
// lines to jump over. [Stack.Run] walks a stack with given results. [Stack.Outcomes] walks it with all that could happen, and
// finds every way in which it can end.
package pamconf

/* The helper that systemd starts: on a socket, out of reach of the application's caller. */
#define _GNU_SOURCE
#include "twokey.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* Whoever can put a link, or a socket of his own, where ours should be must not get to know who logs in, nor what is typed. */
static bool is_roots(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_uid == 0;
}

/* Who listens, as the kernel says it: the name alone could have come to mean another's since it was looked at. */
static bool listener_is_root(int fd)
{
	struct ucred listener = {.uid = (uid_t)-1};
	socklen_t n = sizeof listener;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &listener, &n) == 0 && n == sizeof listener && listener.uid == 0;
}

enum { CONNECT_SECONDS = 5 }; /* for which a full queue is waited at */

/* Connects to the helper and sends nothing. errno says why it is not there. */
enum reached helper_reach(struct login *l)
{
	const struct timeval patience = {CONNECT_SECONDS, 0};
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd, error;

	l->helper = l->args->socket != NULL ? l->args->socket : geteuid() == 0 ? TWOKEY_RUN "/root.sock" : TWOKEY_RUN "/verify.sock";
	memcpy(to.sun_path, l->helper, strnlen(l->helper, sizeof to.sun_path - 1));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || !keep_socket(l, fd))
		return NOT_THERE;
	(void)setsockopt(l->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	error = connect(l->fd, (const struct sockaddr *)&to, sizeof to) == 0 ? 0 : errno;
	if (error == 0 && is_roots(l->helper) && listener_is_root(l->fd))
		return REACHED;
	(void)close(l->fd);
	errno = error;
	return error != 0 ? NOT_THERE : STRANGER;
}

/* What the module knows about a login: PAM's items, the account as the name service has it, the client's connection. */
#define _GNU_SOURCE
#include "twokey.h"

#include <endian.h>
#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { VERSION = 2, CALLER_UID_ROOM = 7 };

enum {
	FLAG_DECOY = 1, FLAG_AFTER_PASSWORD = 2, FLAG_SILENT = 4, FLAG_LOOKUP_FAILED = 8, FLAG_DEBUG = 16, FLAG_ITEM_TOO_LONG = 32,
};

enum tag {
	TAG_USER = 1, TAG_NAME, TAG_UID, TAG_GIDS, TAG_HOME, TAG_SHELL, TAG_SERVICE, TAG_RHOST, TAG_RUSER, TAG_TTY,
	TAG_SSH_AUTH_INFO, TAG_CALLER_UID, TAG_CLIENT, TAG_CONFIG,
};

enum { FIRST_BUFFER = 1024, MAX_BUFFER = 16 << 20, MAX_GROUPS = 65536, MAX_DESCRIPTOR = 1024 };

static const char *item(const struct login *l, int which)
{
	const void *value = NULL;

	return pam_get_item(l->pamh, which, &value) == PAM_SUCCESS ? value : NULL;
}

static bool grow(char **buffer, size_t n)
{
	char *larger = realloc(*buffer, n);

	if (larger != NULL)
		*buffer = larger;
	return larger != NULL;
}

/* Sets known or lookup_failed, or neither: there is no such user. The two must not be confused: a user who is not there may be
 * treated like a stranger, one who cannot be looked up may be required. */
static void find_user(struct login *l)
{
	l->lookup_failed = true;
	for (size_t n = FIRST_BUFFER; n <= MAX_BUFFER && grow(&l->pw_buffer, n); n *= 2) {
		struct passwd *found = NULL;
		int error = getpwnam_r(l->user, &l->pw, l->pw_buffer, n, &found);

		if (error == ERANGE)
			continue;
		l->lookup_failed = error != 0;
		l->known = error == 0 && found != NULL;
		return;
	}
}

/* getgrouplist gives only the primary group, and no error, when the name service is down: that is why the helper asks
 * LOOKUP_GROUP for each group that matters to it. */
static bool find_groups(struct login *l)
{
	for (int room = 64; room <= MAX_GROUPS; room *= 2) {
		gid_t *larger = reallocarray(l->gids, (size_t)room, sizeof *larger);

		if (larger == NULL)
			return false;
		l->gids = larger;
		l->gid_count = room;
		if (getgrouplist(l->pw.pw_name, l->pw.pw_gid, l->gids, &l->gid_count) >= 0)
			return true;
	}
	return false;
}

/* The gids know groups of directory services that name no members; the list of members knows a group that a failure hid from
 * getgrouplist. Either makes a member. */
static enum membership is_member(const struct login *l, const struct group *group)
{
	for (int i = 0; i < l->gid_count; i++)
		if (l->gids[i] == group->gr_gid)
			return MEMBER;
	for (char **name = group->gr_mem; l->known && *name != NULL; name++)
		if (strcmp(*name, l->pw.pw_name) == 0)
			return MEMBER;
	return NOT_MEMBER;
}

enum membership membership(const struct login *l, const char *name)
{
	char *buffer = NULL;
	enum membership answer = LOOKUP_FAILED;

	for (size_t n = FIRST_BUFFER; !l->lookup_failed && n <= MAX_BUFFER && grow(&buffer, n); n *= 2) {
		struct group group, *found = NULL;
		int error = getgrnam_r(name, &group, buffer, n, &found);

		if (error == ERANGE)
			continue;
		if (error == 0)
			answer = found == NULL ? NO_SUCH_GROUP : is_member(l, found);
		break;
	}
	free(buffer);
	return answer;
}

static const char *without_mapping(const char *host)
{
	return strncasecmp(host, "::ffff:", 7) == 0 && strchr(host, '.') != NULL ? host + 7 : host;
}

/* Writes the peer of an IP socket as in 192.0.2.7:50022 or [2001:db8::1]:50022. */
static bool peer_is(int fd, const char *rhost, char *name, size_t size)
{
	struct sockaddr_storage peer = {0};
	socklen_t n = sizeof peer;
	char text[NI_MAXHOST], port[NI_MAXSERV];
	const char *host;

	if (getpeername(fd, (struct sockaddr *)&peer, &n) != 0 || (peer.ss_family != AF_INET && peer.ss_family != AF_INET6) ||
	    getnameinfo((struct sockaddr *)&peer, n, text, sizeof text, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return false;
	host = without_mapping(text);
	(void)snprintf(name, size, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
	return strcasecmp(host, without_mapping(rhost)) == 0;
}

/* The connection from PAM_RHOST, when there is exactly one: an application that serves several clients of one address in one
 * process must not end a login because another client leaves. Several descriptors of one connection are one client. */
static void find_client(struct login *l, const char *rhost, char *name, size_t size)
{
	char peer[NI_MAXHOST + NI_MAXSERV];
	struct pollfd all[MAX_DESCRIPTOR];

	for (int fd = 0; fd < MAX_DESCRIPTOR; fd++)
		all[fd] = (struct pollfd){fd, 0, 0};
	/* Which are open, in one call. It fails where the limit of descriptors is lower; then each is tried. */
	(void)poll(all, MAX_DESCRIPTOR, 0);
	for (int fd = 0; rhost != NULL && fd < MAX_DESCRIPTOR; fd++) {
		if ((all[fd].revents & POLLNVAL) != 0 || !peer_is(fd, rhost, peer, sizeof peer))
			continue;
		if (l->client >= 0 && strcmp(peer, name) != 0) {
			l->client = -1;
			*name = 0;
			return;
		}
		l->client = fd;
		(void)snprintf(name, size, "%s", peer);
	}
}

bool client_gone(const struct login *l)
{
	struct pollfd p = {l->client, POLLRDHUP, 0};

	return poll(&p, 1, 0) > 0;
}

static void put(struct hello *h, enum tag tag, const void *value, size_t n)
{
	const uint8_t head[] = {(uint8_t)tag, (uint8_t)(n >> 8), (uint8_t)n};
	const size_t kept = tag < TAG_CALLER_UID ? CALLER_UID_ROOM : 0; /* that one is never left out */

	if (n == 0)
		return;
	if (n > MAX_VALUE || n + sizeof head + kept > sizeof h->bytes - h->len) {
		h->too_long = true;
		return;
	}
	memcpy(h->bytes + h->len, head, sizeof head);
	memcpy(h->bytes + h->len + sizeof head, value, n);
	h->len += sizeof head + n;
}

static void put_text(struct hello *h, enum tag tag, const char *text)
{
	if (text != NULL)
		put(h, tag, text, strlen(text));
}

static void put_numbers(struct hello *h, enum tag tag, const uint32_t *numbers, size_t n)
{
	uint32_t big_endian[MAX_VALUE / sizeof *numbers];

	for (size_t i = 0; i < n && i < MAX_VALUE / sizeof *numbers; i++)
		big_endian[i] = htobe32(numbers[i]);
	put(h, tag, big_endian, n * sizeof *numbers);
}

static uint8_t hello_flags(const struct login *l, const struct hello *h)
{
	const struct args *a = l->args;

	return (uint8_t)((a->decoy ? FLAG_DECOY : 0) | (a->after_password ? FLAG_AFTER_PASSWORD : 0) |
			 (l->silent ? FLAG_SILENT : 0) | (l->lookup_failed ? FLAG_LOOKUP_FAILED : 0) | (a->debug ? FLAG_DEBUG : 0) |
			 (h->too_long ? FLAG_ITEM_TOO_LONG : 0));
}

static void write_hello(const struct login *l, struct hello *h, const char *rhost, const char *client)
{
	const uint32_t caller = getuid();
	uint32_t n;

	h->bytes[0] = HELLO;
	h->bytes[HEADER_SIZE] = VERSION;
	memcpy(h->bytes + HEADER_SIZE + 1, l->nonce, NONCE_SIZE);
	h->len = HEADER_SIZE + 1 + NONCE_SIZE;
	h->bytes[h->len++] = (uint8_t)l->phase;
	h->len += 2; /* the flags, at the end */
	put_text(h, TAG_USER, l->user);
	if (l->known) {
		put_text(h, TAG_NAME, l->pw.pw_name);
		put_numbers(h, TAG_UID, &l->pw.pw_uid, 1);
		put_numbers(h, TAG_GIDS, l->gids, (size_t)l->gid_count);
		put_text(h, TAG_HOME, l->pw.pw_dir);
		put_text(h, TAG_SHELL, l->pw.pw_shell);
	}
	put_text(h, TAG_SERVICE, item(l, PAM_SERVICE));
	put_text(h, TAG_RHOST, rhost);
	put_text(h, TAG_RUSER, item(l, PAM_RUSER));
	put_text(h, TAG_TTY, item(l, PAM_TTY));
	put_text(h, TAG_SSH_AUTH_INFO, pam_getenv(l->pamh, "SSH_AUTH_INFO_0"));
	put_numbers(h, TAG_CALLER_UID, &caller, 1);
	put_text(h, TAG_CLIENT, client);
	put_text(h, TAG_CONFIG, l->args->config);
	n = htobe32((uint32_t)(h->len - HEADER_SIZE));
	memcpy(h->bytes + 1, &n, sizeof n);
	h->bytes[HEADER_SIZE + 1 + NONCE_SIZE + 2] = hello_flags(l, h);
}

/* Reads everything once. */
bool gather(struct login *l, struct hello *h)
{
	const char *user = NULL, *rhost;
	char client[NI_MAXHOST + NI_MAXSERV] = "";

	if (pam_get_user(l->pamh, &user, NULL) != PAM_SUCCESS || user == NULL || *user == 0 || (l->user = strdup(user)) == NULL)
		return false;
	find_user(l);
	if (l->known && !find_groups(l))
		return false;
	rhost = item(l, PAM_RHOST);
	find_client(l, rhost, client, sizeof client);
	write_hello(l, h, rhost, client);
	return true;
}

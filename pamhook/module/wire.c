/* The frames of pamhook/wire. */
#define _GNU_SOURCE
#include "twokey.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { MAX_GROUP_NAME = 256, MAX_WAIT_SECONDS = 90 };

int64_t now_ms(void)
{
	struct timespec t = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* setting the wall clock must not move a deadline */
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Waits for the helper to speak, but no longer than the deadlines and the client's presence allow. */
static enum io wait_readable(const struct login *l)
{
	for (;;) {
		struct pollfd p[2] = {{l->fd, POLLIN, 0}, {l->client, POLLRDHUP, 0}};
		int64_t end = l->silence_end < l->total_end ? l->silence_end : l->total_end;
		int64_t left = end - now_ms();
		int n;

		if (left <= 0)
			return IO_LATE;
		n = poll(p, 2, (int)left);
		if (n < 0 && errno != EINTR)
			return IO_CUT;
		if (n > 0 && p[1].revents != 0)
			return IO_GONE;
		if (n > 0)
			return IO_OK;
	}
}

static enum io read_full(const struct login *l, uint8_t *to, size_t n)
{
	size_t have = 0;

	while (have < n) {
		enum io r = wait_readable(l);
		ssize_t got;

		if (r != IO_OK)
			return r;
		got = recv(l->fd, to + have, n - have, MSG_DONTWAIT);
		if (got == 0)
			return have == 0 ? IO_END : IO_CUT;
		if (got > 0)
			have += (size_t)got;
		else if (errno != EAGAIN && errno != EINTR)
			return IO_CUT;
	}
	return IO_OK;
}

/* No control character but newline, in ASCII or in UTF-8's two bytes (U+0080 to U+009F): a text must not move a terminal's
 * cursor, and must not end early at a NUL. */
static bool text_allowed(const uint8_t *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((s[i] < 0x20 && s[i] != '\n') || s[i] == 0x7F || (s[i] == 0xC2 && i + 1 < n && s[i + 1] < 0xA0))
			return false;
	return true;
}

/* The whole table of what the helper may say; without p only the length is checked, before anything is read. Types that only
 * the module sends are refused like those that do not exist. */
static bool allowed(uint8_t type, uint32_t n, const uint8_t *p)
{
	switch (type) {
	case PROMPT:
	case INFO:
		return n >= 1 && n <= 1 + MAX_TEXT && (p == NULL || (p[0] <= 1 && text_allowed(p + 1, n - 1)));
	case LOOKUP_GROUP:
		return n >= 1 && n <= MAX_GROUP_NAME && (p == NULL || memchr(p, 0, n) == NULL);
	case GET_AUTHTOK:
		return n <= MAX_TEXT && (p == NULL || text_allowed(p, n));
	case CUT_AUTHTOK:
		return n == 2 && (p == NULL || ((p[0] | p[1]) != 0 && p[0] < MAX_ANSWER >> 8));
	case WAIT:
		return n == 2 && (p == NULL || (p[0] == 0 && p[1] >= 1 && p[1] <= MAX_WAIT_SECONDS));
	case ALLOW:
		return n == NONCE_SIZE + 1 && (p == NULL || p[NONCE_SIZE] <= 1);
	case DENY:
	case IGNORE:
		return n == NONCE_SIZE;
	}
	return false;
}

/* Reads one frame and not a byte more, so that whatever follows a verdict is still there to be found. */
enum io read_frame(const struct login *l, struct frame *f)
{
	uint8_t header[HEADER_SIZE];
	uint32_t n;
	enum io r = read_full(l, header, sizeof header);

	if (r != IO_OK)
		return r;
	memcpy(&n, header + 1, sizeof n);
	n = be32toh(n);
	if (!allowed(header[0], n, NULL))
		return IO_BAD;
	r = read_full(l, f->payload, n);
	if (r != IO_OK)
		return r == IO_END ? IO_CUT : r;
	f->type = header[0];
	f->len = n;
	f->payload[n] = 0;
	return allowed(f->type, n, f->payload) ? IO_OK : IO_BAD;
}

/* All at once or not at all: everything that the module ever says unasked fits into the socket's buffer, so a helper that
 * does not read cannot make it wait. MSG_NOSIGNAL: the death of the helper must not kill the application. */
bool send_bytes(const struct login *l, const void *bytes, size_t n)
{
	return send(l->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)n;
}

/* Sends a frame of at most MAX_ANSWER bytes and leaves no copy of it behind. */
bool send_frame(const struct login *l, enum frame_type type, const void *payload, size_t n)
{
	uint8_t bytes[HEADER_SIZE + MAX_ANSWER] = {(uint8_t)type, 0, 0, (uint8_t)(n >> 8), (uint8_t)n};
	bool sent;

	if (n > MAX_ANSWER)
		return false;
	memcpy(bytes + HEADER_SIZE, payload, n);
	sent = send_bytes(l, bytes, HEADER_SIZE + n);
	explicit_bzero(bytes, sizeof bytes);
	return sent;
}

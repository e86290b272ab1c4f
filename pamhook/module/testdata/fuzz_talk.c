/*
 * fuzz_talk gives the relay whatever a helper could say. Besides memory errors it looks for what must not be: an accepted
 * conversation that does not end in exactly one verdict with the right nonce, that asks for a password in another phase than
 * authenticate, or that cuts more off it than leaves something.
 */
#define _GNU_SOURCE
#include "../twokey.h"

#include <security/pam_appl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const uint8_t nonce[NONCE_SIZE] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Answers with the prompt's own text, so that the input chooses the answers. */
static int converse(int n, const struct pam_message **messages, struct pam_response **responses, void *data)
{
	(void)data;
	*responses = calloc((size_t)n, sizeof **responses);
	if (messages[0]->msg_style == PAM_PROMPT_ECHO_OFF || messages[0]->msg_style == PAM_PROMPT_ECHO_ON)
		(*responses)->resp = strdup(messages[0]->msg);
	return strcmp(messages[0]->msg, "fail") == 0 ? (free((*responses)->resp), free(*responses), PAM_CONV_ERR) : PAM_SUCCESS;
}

int pam_get_item(const pam_handle_t *pamh, int which, const void **item)
{
	static const struct pam_conv conv = {converse, NULL};

	(void)pamh;
	*item = which == PAM_CONV ? (const void *)&conv : which == PAM_AUTHTOK ? "secret" : NULL;
	return PAM_SUCCESS;
}

/* The password too is the prompt's own text, and the modules before us have none. */
int pam_get_authtok(pam_handle_t *pamh, int which, const char **authtok, const char *prompt)
{
	(void)pamh, (void)which;
	*authtok = prompt;
	return strcmp(prompt, "fail") == 0 ? PAM_CONV_ERR : PAM_SUCCESS;
}

enum membership membership(const struct login *l, const char *group)
{
	(void)l;
	return strlen(group) % 2 == 0 ? MEMBER : LOOKUP_FAILED;
}

bool client_gone(const struct login *l)
{
	(void)l;
	return false;
}

static void check_last_frame(const uint8_t *data, size_t size, const struct frame *verdict)
{
	const size_t n = HEADER_SIZE + verdict->len;
	const uint8_t header[HEADER_SIZE] = {verdict->type, 0, 0, 0, (uint8_t)verdict->len};

	if (verdict->type != ALLOW && verdict->type != DENY && verdict->type != IGNORE)
		abort();
	if (verdict->len != (verdict->type == ALLOW ? NONCE_SIZE + 1 : NONCE_SIZE) || size < n)
		abort();
	if (memcmp(data + size - n, header, HEADER_SIZE) != 0 || memcmp(data + size - n + HEADER_SIZE, nonce, NONCE_SIZE) != 0)
		abort();
}

static void check_cut(const struct login *l)
{
	if (l->authtok != NULL && (!l->authtok_asked || l->phase != AUTHENTICATE))
		abort();
	if (l->cut != 0 && (l->authtok == NULL || l->cut >= strlen(l->authtok)))
		abort();
}

static void run(enum phase phase, const uint8_t *data, size_t size)
{
	static struct frame verdict;
	static char handle; /* nothing looks inside */
	struct login l = {
		.pamh = (pam_handle_t *)&handle, .phase = phase, .client = -1,
		.silence_end = now_ms() + SILENCE_MS, .total_end = now_ms() + TOTAL_MS,
	};
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
		abort();
	l.fd = ends[0];
	memcpy(l.nonce, nonce, NONCE_SIZE);
	if (send(ends[1], data, size, MSG_DONTWAIT) == (ssize_t)size) {
		shutdown(ends[1], SHUT_WR);
		if (talk(&l, &verdict) == IO_OK)
			check_last_frame(data, size, &verdict);
		check_cut(&l);
	}
	wipe(l.authtok);
	close(ends[0]);
	close(ends[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	run(AUTHENTICATE, data, size);
	run(ACCOUNT, data, size);
	return 0;
}

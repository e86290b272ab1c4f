/* The relay between the helper and the application's conversation. */
#define _GNU_SOURCE
#include "twokey.h"

#include <security/pam_appl.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FRAMES = 1024 }; /* one for each group that the policy names, and then some */

/* Returns what was typed, to be wiped, or NULL. */
static char *converse(const struct login *l, int style, const char *text)
{
	const struct pam_message message = {style, text}, *messages = &message;
	struct pam_response *response = NULL;
	const void *item = NULL;
	const struct pam_conv *conv;
	char *answer;

	if (pam_get_item(l->pamh, PAM_CONV, &item) != PAM_SUCCESS || item == NULL)
		return NULL;
	conv = item;
	if (conv->conv == NULL || conv->conv(1, &messages, &response, conv->appdata_ptr) != PAM_SUCCESS || response == NULL)
		return NULL; /* after a failure the response is not ours to free */
	answer = response->resp;
	free(response);
	return answer;
}

/* Through PAM_AUTHTOK, where the modules behind us look for what was typed, and where one before us has left it already. */
static char *get_authtok(const struct login *l, const char *prompt)
{
	const char *typed = NULL;

	return pam_get_authtok(l->pamh, PAM_AUTHTOK, &typed, prompt) == PAM_SUCCESS && typed != NULL ? strdup(typed) : NULL;
}

void wipe(char *text)
{
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	free(text);
}

/* Whether PAM_AUTHTOK is this text. Takes as long as the text is, whatever the password is, so that nobody measures his way to a
 * password by typing answers. */
bool is_authtok(const struct login *l, const char *text)
{
	const void *item = NULL;
	const char *password;
	size_t n, m = strlen(text);
	unsigned differ;

	if (pam_get_item(l->pamh, PAM_AUTHTOK, &item) != PAM_SUCCESS || item == NULL || *(const char *)item == 0)
		return false;
	password = item;
	n = strlen(password);
	differ = n != m;
	for (size_t i = 0; i < m; i++)
		differ |= (unsigned)(text[i] ^ password[i % n]);
	return differ == 0;
}

/* What sshd answers for a user whom it refuses itself, in the length of what was typed (auth-pam.c, fake_password). */
static bool is_junk(const char *answer)
{
	static const char pattern[] = "\b\n\r\177INCORRECT";
	size_t n = strlen(answer);

	for (size_t i = 0; i < n; i++)
		if (answer[i] != pattern[i % (sizeof pattern - 1)])
			return false;
	return n > 0;
}

/* A conversation cannot be interrupted, but an answer that comes too late is none. sshd's "password" method gives the password to
 * every prompt. */
static enum no_answer judge(const struct login *l, uint8_t question, const char *answer)
{
	if (answer == NULL && client_gone(l))
		return CLIENT_GONE;
	if (answer == NULL || now_ms() >= l->total_end)
		return CONVERSATION_FAILED;
	if (strlen(answer) > MAX_ANSWER)
		return ANSWER_TOO_LONG;
	if (question == PROMPT && is_authtok(l, answer))
		return IS_PASSWORD;
	return is_junk(answer) ? IS_JUNK : ANSWERED;
}

/* From here on the outcome is no, but the helper is let finish, to write down what happened. */
static void give_up(struct login *l, enum no_answer reason)
{
	l->hopeless = reason;
	l->client = -1;
	l->total_end = now_ms() + SILENCE_MS;
}

/* When the helper has gone, at the end of its time and while somebody sat at a question, what it had to say is still there to be read. */
static void relay_question(struct login *l, const struct frame *f)
{
	const char *text = (const char *)f->payload;
	enum no_answer reason = l->hopeless;
	char *answer = NULL;
	uint8_t byte;
	bool sent;

	if (reason == ANSWERED) {
		answer = f->type == GET_AUTHTOK ? get_authtok(l, text) :
			 converse(l, text[0] ? PAM_PROMPT_ECHO_ON : PAM_PROMPT_ECHO_OFF, text + 1);
		reason = judge(l, f->type, answer);
	}
	if (l->hopeless == ANSWERED && (reason == CONVERSATION_FAILED || reason == CLIENT_GONE))
		give_up(l, reason);
	byte = (uint8_t)reason;
	sent = reason == ANSWERED ? send_frame(l, ANSWER, answer, strlen(answer)) : send_frame(l, NO_ANSWER, &byte, 1);
	if (f->type == GET_AUTHTOK && reason == ANSWERED)
		l->authtok = answer;
	else
		wipe(answer);
	if (!sent && l->hopeless == ANSWERED)
		give_up(l, CONVERSATION_FAILED);
}

/* Something must be left for the modules behind us: an empty password is none. */
static bool take_cut(struct login *l, const struct frame *f)
{
	const size_t n = (size_t)(f->payload[0] << 8 | f->payload[1]);

	if (l->authtok == NULL || l->cut != 0 || n >= strlen(l->authtok))
		return false;
	l->cut = n;
	return true;
}

static bool relay_group(const struct login *l, const struct frame *f)
{
	uint8_t answer = (uint8_t)membership(l, (const char *)f->payload);

	return send_frame(l, GROUP, &answer, 1);
}

/* The account phase is an enrolment's alone, behind a whole authentication. Its texts are for whoever was asked in it, also by sudo, which
 * wants no messages (PAM_SILENT), and where a question has failed, as each does by sshd's "password" method. In the other phases such a text
 * would say something to strangers. */
static bool may_tell(const struct login *l)
{
	if (l->phase == ACCOUNT)
		return l->hopeless == ANSWERED || l->hopeless == CONVERSATION_FAILED;
	return !l->silent && l->hopeless == ANSWERED;
}

static bool relay_info(const struct login *l, const struct frame *f)
{
	if (may_tell(l))
		wipe(converse(l, f->payload[0] ? PAM_ERROR_MSG : PAM_TEXT_INFO, (const char *)f->payload + 1));
	return true;
}

/* A verdict must carry the nonce of this run and be the last thing that the helper says. */
static enum io check_verdict(struct login *l, const struct frame *f)
{
	struct frame more;
	enum io r;

	if (memcmp(f->payload, l->nonce, NONCE_SIZE) != 0)
		return IO_BAD;
	l->client = -1; /* nothing is waited for any more */
	l->silence_end = l->total_end = now_ms() + END_MS;
	r = read_frame(l, &more);
	return r == IO_END ? IO_OK : r == IO_OK ? IO_BAD : r;
}

/* Relays until the helper has ended the conversation. IO_OK: verdict is complete, well formed, of this run and the last. */
enum io talk(struct login *l, struct frame *f)
{
	for (int frames = 0; frames < MAX_FRAMES; frames++) {
		enum io r = read_frame(l, f);
		int64_t silence = SILENCE_MS;
		bool going = true;

		if (r != IO_OK)
			return r;
		switch (f->type) {
		case GET_AUTHTOK:
			if (l->phase != AUTHENTICATE || l->authtok_asked)
				return IO_BAD;
			l->authtok_asked = true;
			/* fall through */
		case PROMPT:
			relay_question(l, f);
			break;
		case CUT_AUTHTOK:
			if (!take_cut(l, f))
				return IO_BAD;
			break;
		case LOOKUP_GROUP:
			going = relay_group(l, f);
			break;
		case INFO:
			going = relay_info(l, f);
			break;
		case WAIT:
			silence = f->payload[1] * 1000;
			break;
		default:
			return check_verdict(l, f);
		}
		if (!going)
			return IO_CUT;
		l->silence_end = now_ms() + silence;
	}
	return IO_BAD;
}

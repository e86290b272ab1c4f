/*
 * pam_twokey.so asks for the second factor. It decides nothing: it starts twokey-verify as root, or finds it on a socket of systemd's,
 * relays its questions to the application, looks names up for it, and turns its verdict into a PAM result.
 *
 * The module MUST
 *  1. return PAM_SUCCESS from authenticate only for one complete, well-formed ALLOW frame with the nonce of this run, then end
 *     of file, then exit status 0, which a helper on a socket has none of; PAM_IGNORE only for an IGNORE frame with the same, and only
 *     from authenticate;
 *  2. never succeed on a `decoy` line;
 *  3. deny for everything else: unknown arguments, no memory, no randomness, no helper, no answer, no time left;
 *  4. ask for a delay of 2 s on every path of authenticate, and forget what an earlier try left in the handle;
 *  5. leave the application as it was: SIGCHLD, signal mask, descriptors, children;
 *  6. start the helper where the caller cannot stop, starve or limit it, with nothing of the application's but the socket;
 *  7. give the helper neither the password nor sshd's junk as an answer, and wipe every answer; the password only to GET_AUTHTOK;
 *  8. refuse when PAM_USER has changed during the conversation;
 *  9. end, whatever the helper does, and soon after the client has gone;
 * 10. say in the system log why it refused, without anything that a stranger typed;
 * 11. change PAM_AUTHTOK, once it is there, only as CUT_AUTHTOK says and only to succeed, when it still is what the helper saw: no
 *     code stays in it, and no password that the helper did not see is cut;
 * 12. deny when the helper was not told everything;
 * 13. grant no credentials and open no session while the account phase has still to ask: an application that leaves that phase out
 *     must not get a login out of authenticate alone;
 * 14. send nothing to a socket on which anybody but root listens, or which is not root's; and not start the helper where the caller
 *     could have started it: an application that is not root has the one on the socket or none;
 * 15. show a text of the helper's in authenticate and open_session only where the application wants messages (not PAM_SILENT) and no
 *     question has failed, so that all refusals look alike; in the account phase, which only who has succeeded reaches, also then;
 * 16. deny when an answer could not be sent, whatever the helper has said.
 * It MUST NOT set PAM_USER, open a file, read the environment, have a constructor, global or static data that
 * changes, or threads (sshd forks between pam_start and pam_authenticate).
 */
#define _GNU_SOURCE
#include "twokey.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define ACCOUNT_DUE "twokey_account" /* PAM data, not NULL from an authenticate that leaves a question to acct_mgmt to its answer */
#define NOT_ASKED "the account phase, which has still to ask, was left out or denied: is its line missing?"

enum { FAIL_DELAY_US = 2000000, SAID_NOTHING = -1 };

static bool take_argument(struct args *a, const char *arg)
{
	if (strcmp(arg, "decoy") == 0 && !a->decoy)
		a->decoy = true;
	else if (strcmp(arg, "after=password") == 0 && !a->after_password)
		a->after_password = true;
	else if (strcmp(arg, "debug") == 0 && !a->debug)
		a->debug = true;
	else if (strncmp(arg, "config=/", 8) == 0 && a->config == NULL)
		a->config = arg + 7;
	else if (strncmp(arg, "helper=/", 8) == 0 && a->helper == NULL)
		a->helper = arg + 7;
	else if (strncmp(arg, "socket=/", 8) == 0 && a->socket == NULL && strlen(arg + 7) < MAX_SOCKET)
		a->socket = arg + 7;
	else
		return false;
	return true;
}

/* An argument that is not understood may be a misspelt restriction: nobody is let in past it. */
static bool parse_arguments(pam_handle_t *pamh, enum phase phase, int argc, const char **argv, struct args *a)
{
	for (int i = 0; i < argc; i++) {
		if (!take_argument(a, argv[i])) {
			pam_syslog(pamh, LOG_ERR, "refused: unknown, repeated or malformed argument: %s", argv[i]);
			return false;
		}
	}
	if (a->decoy && phase != AUTHENTICATE) {
		pam_syslog(pamh, LOG_ERR, "refused: decoy belongs into an auth line");
		return false;
	}
	if (a->helper == NULL)
		a->helper = TWOKEY_HELPER;
	return true;
}

static bool make_nonce(uint8_t nonce[NONCE_SIZE])
{
	ssize_t n;

	do
		n = getrandom(nonce, NONCE_SIZE, 0);
	while (n < 0 && errno == EINTR);
	return n == NONCE_SIZE;
}

static void log_talk(const struct login *l, enum io r)
{
	static const char why[][32] = {
		[IO_OK] = "gave a verdict", [IO_END] = "ended without a verdict", [IO_CUT] = "broke off",
		[IO_LATE] = "took too long", [IO_GONE] = "waited, the client has gone", [IO_BAD] = "broke the protocol",
	};

	if (r != IO_OK || l->args->debug)
		pam_syslog(l->pamh, r == IO_OK ? LOG_DEBUG : LOG_ERR, "phase %d: %s %s", l->phase, l->helper, why[r]);
}

static int refusal(enum phase phase)
{
	return phase == AUTHENTICATE ? PAM_AUTH_ERR : phase == ACCOUNT ? PAM_PERM_DENIED : PAM_SESSION_ERR;
}

/* Leaves to the modules behind us what was typed before the code. */
static bool cut_authtok(const struct login *l)
{
	bool same;

	if (l->cut == 0)
		return true;
	same = is_authtok(l, l->authtok);
	explicit_bzero(l->authtok + strlen(l->authtok) - l->cut, l->cut);
	if (same && pam_set_item(l->pamh, PAM_AUTHTOK, l->authtok) == PAM_SUCCESS)
		return true;
	pam_syslog(l->pamh, LOG_ERR, "refused: the password %s", same ? "could not be cut" : "changed during the conversation");
	return false;
}

static bool set_account_due(pam_handle_t *pamh, bool due)
{
	return pam_set_data(pamh, ACCOUNT_DUE, due ? pamh : NULL, NULL) == PAM_SUCCESS;
}

static bool account_due(pam_handle_t *pamh)
{
	const void *due = NULL;

	return pam_get_data(pamh, ACCOUNT_DUE, &due) == PAM_SUCCESS && due != NULL;
}

/* The one door to success. */
static int settle(const struct login *l, enum io r, const struct frame *verdict, int status)
{
	const int no = refusal(l->phase);
	const void *user = NULL;

	if (r != IO_OK || status != 0 || l->hopeless != ANSWERED || l->args->decoy)
		return no;
	if (pam_get_item(l->pamh, PAM_USER, &user) != PAM_SUCCESS || user == NULL || strcmp(user, l->user) != 0) {
		pam_syslog(l->pamh, LOG_ERR, "refused: the user changed during the conversation");
		return no;
	}
	if (verdict->type == IGNORE && l->phase == AUTHENTICATE)
		return PAM_IGNORE;
	if (verdict->type == IGNORE && l->phase == OPEN_SESSION)
		return PAM_SUCCESS;
	if (verdict->type != ALLOW)
		return no;
	if (l->phase != OPEN_SESSION && !set_account_due(l->pamh, l->phase == AUTHENTICATE && verdict->payload[NONCE_SIZE] == 1))
		return no;
	return cut_authtok(l) ? PAM_SUCCESS : no;
}

static int speak(struct login *l, const struct hello *hello, bool last)
{
	struct frame verdict = {0};
	enum io r;
	int status;

	l->silence_end = now_ms() + SILENCE_MS;
	l->total_end = now_ms() + (l->phase == ACCOUNT ? ACCOUNT_MS : TOTAL_MS);
	if (hello->too_long) {
		pam_syslog(l->pamh, LOG_ERR, "refused: an item of this login is too long for the helper");
		l->hopeless = CONVERSATION_FAILED;
	}
	r = send_bytes(l, hello->bytes, hello->len) ? talk(l, &verdict) : IO_CUT;
	log_talk(l, r);
	/* A helper that breaks the rules is killed at once; one that is done, or whose client has gone, may finish its record. */
	status = helper_finish(l, r != IO_BAD && r != IO_LATE);
	return !last && verdict.type == 0 && (r == IO_END || r == IO_CUT) ? SAID_NOTHING : settle(l, r, &verdict, status);
}

/* Who is called by somebody else than root has the helper outside that caller's cgroup and limits, if systemd has it ready, and else
 * starts it himself: a socket without a listener, or a unit that does not start, must not shut everybody out of sudo. */
static int run_helper(struct login *l, const struct hello *hello)
{
	const bool is_root = geteuid() == 0;
	const enum reached reached = is_root && getuid() == 0 ? NOT_THERE : helper_reach(l);
	int result = SAID_NOTHING;

	if (reached == REACHED)
		result = speak(l, hello, !is_root);
	else if (reached == STRANGER)
		pam_syslog(l->pamh, LOG_ERR, "refused: %s is not root's", l->helper);
	else if (!is_root)
		pam_syslog(l->pamh, LOG_ERR, "refused: the application does not run as root, and %s: %m (systemctl enable --now "
			   "twokey-verify.socket)", l->helper);
	if (result == SAID_NOTHING && is_root && reached != STRANGER && helper_start(l))
		result = speak(l, hello, true);
	return result == SAID_NOTHING ? refusal(l->phase) : result;
}

static int run(pam_handle_t *pamh, int flags, enum phase phase, const struct args *args)
{
	struct login l = {.pamh = pamh, .args = args, .phase = phase, .client = -1};
	struct hello *hello = calloc(1, sizeof *hello);
	int result = refusal(phase);

	l.silent = ((unsigned)flags & PAM_SILENT) != 0;
	if (geteuid() != 0 && phase != AUTHENTICATE)
		pam_syslog(pamh, LOG_ERR, "refused: the application does not run as root");
	else if (hello == NULL || !make_nonce(l.nonce) || !gather(&l, hello))
		pam_syslog(pamh, LOG_ERR, "refused: the facts of this login could not be gathered");
	else
		result = run_helper(&l, hello);
	wipe(l.authtok);
	free(hello);
	free(l.user);
	free(l.pw_buffer);
	free(l.gids);
	return result;
}

EXPORT int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	struct args args = {0};

	(void)pam_fail_delay(pamh, FAIL_DELAY_US);
	if (!set_account_due(pamh, false) || !parse_arguments(pamh, AUTHENTICATE, argc, argv, &args))
		return PAM_AUTH_ERR;
	return run(pamh, flags, AUTHENTICATE, &args);
}

/* There are no credentials, and anything but success ends the session. */
EXPORT int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)argc, (void)argv;
	if (((unsigned)flags & PAM_DELETE_CRED) != 0 || !account_due(pamh))
		return PAM_SUCCESS;
	pam_syslog(pamh, LOG_ERR, "refused: %s", NOT_ASKED);
	return PAM_CRED_ERR;
}

EXPORT int pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	struct args args = {0};

	if (!parse_arguments(pamh, ACCOUNT, argc, argv, &args))
		return PAM_PERM_DENIED;
	return account_due(pamh) ? run(pamh, flags, ACCOUNT, &args) : PAM_SUCCESS;
}

EXPORT int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	struct args args = {0};

	if (!parse_arguments(pamh, OPEN_SESSION, argc, argv, &args))
		return PAM_SESSION_ERR;
	if (!account_due(pamh))
		return run(pamh, flags, OPEN_SESSION, &args);
	pam_syslog(pamh, LOG_ERR, "refused: %s", NOT_ASKED);
	return PAM_SESSION_ERR;
}

EXPORT int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)pamh, (void)flags, (void)argc, (void)argv;
	return PAM_SUCCESS;
}

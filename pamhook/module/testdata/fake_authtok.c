/* The behaviours of fake_helper for services with one field, into which password and code are typed together. */
#define _GNU_SOURCE
#include "fake_helper.h"

#include <stdlib.h>
#include <string.h>

static const char *get(const char *prompt)
{
	say(GET_AUTHTOK, prompt, (uint32_t)strlen(prompt));
	return answered();
}

static void cut(int n)
{
	const uint8_t payload[2] = {(uint8_t)(n >> 8), (uint8_t)n};

	say(CUT_AUTHTOK, payload, 2);
}

static void get_and_cut(int n)
{
	get("Password: ");
	cut(n);
}

/* The right code is 123456. */
static void authtok(void)
{
	const char *typed = get("Password: ");
	size_t n = strlen(typed);

	if (n <= 6 || strcmp(typed + n - 6, "123456") != 0) {
		verdict(DENY, 0);
		return;
	}
	cut(6);
	verdict(ALLOW, 0);
}

static void authtok_allow(void) { get("Password: "); verdict(ALLOW, 0); }
static void authtok_ignore(void) { get("Password: "); verdict(IGNORE, 0); }
static void authtok_deny(void) { get("Password: "); verdict(DENY, 0); }
static void authtok_no_text(void) { get(""); verdict(ALLOW, 0); }
static void authtok_escape(void) { get("\033[2J"); verdict(ALLOW, 0); }
static void authtok_twice(void) { get("Password: "); get("Again: "); verdict(ALLOW, 0); }
static void authtok_prompt(void) { get("Password: "); ask("Code: "); verdict(ALLOW, 0); }
static void prompt_authtok(void) { ask("Code: "); get("Password: "); verdict(ALLOW, 0); }
static void cut_allow(void) { get_and_cut(6); verdict(ALLOW, 0); }
static void cut_account(void) { get_and_cut(6); verdict(ALLOW, 1); }
static void cut_40(void) { get_and_cut(40); verdict(ALLOW, 0); }
static void cut_deny(void) { get_and_cut(6); verdict(DENY, 0); }
static void cut_ignore(void) { get_and_cut(6); verdict(IGNORE, 0); }
static void cut_exit_1(void) { get_and_cut(6); verdict(ALLOW, 0); exit(1); }
static void cut_no_verdict(void) { get_and_cut(6); }
static void cut_prompt(void) { get_and_cut(6); ask("Code: "); verdict(ALLOW, 0); }
static void cut_first(void) { cut(6); verdict(ALLOW, 0); }
static void cut_answer(void) { ask("Code: "); cut(1); verdict(ALLOW, 0); }
static void cut_0(void) { get_and_cut(0); verdict(ALLOW, 0); }
static void cut_1024(void) { get_and_cut(1024); verdict(ALLOW, 0); }
static void cut_65535(void) { get_and_cut(65535); verdict(ALLOW, 0); }
static void cut_twice(void) { get_and_cut(6); cut(1); verdict(ALLOW, 0); }
static void cut_one_byte(void) { get("Password: "); say(CUT_AUTHTOK, "\1", 1); verdict(ALLOW, 0); }

/* Asks in the phase after authenticate. */
static void authtok_later(void)
{
	if (phase() != 1)
		get("Password: ");
	verdict(ALLOW, 1);
}

const struct behaviour authtok_behaviours[] = {
	{"authtok", authtok}, {"authtok-allow", authtok_allow}, {"authtok-ignore", authtok_ignore}, {"authtok-deny", authtok_deny},
	{"authtok-no-text", authtok_no_text}, {"authtok-escape", authtok_escape}, {"authtok-twice", authtok_twice},
	{"authtok-prompt", authtok_prompt}, {"prompt-authtok", prompt_authtok}, {"authtok-later", authtok_later},
	{"cut-allow", cut_allow}, {"cut-account", cut_account}, {"cut-40", cut_40}, {"cut-deny", cut_deny}, {"cut-ignore", cut_ignore},
	{"cut-exit-1", cut_exit_1}, {"cut-no-verdict", cut_no_verdict}, {"cut-prompt", cut_prompt}, {"cut-first", cut_first},
	{"cut-answer", cut_answer}, {"cut-0", cut_0}, {"cut-1024", cut_1024}, {"cut-65535", cut_65535}, {"cut-twice", cut_twice},
	{"cut-one-byte", cut_one_byte}, {NULL, NULL},
};

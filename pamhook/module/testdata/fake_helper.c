/*
 * fake_helper stands in for twokey-verify and does wrong what can be done wrong. What it does is its name (the module passes it
 * nothing else), so that the tests link it under the names of the table below. It writes what it saw to NAME.seen.
 */
#define _GNU_SOURCE
#include "fake_helper.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

enum { SOCK = 3 };

static struct message hello;
struct message got;
static FILE *seen;
extern char **environ;

static void stay(void)
{
	for (;;)
		pause();
}

static int read_exactly(void *to, size_t n)
{
	size_t have = 0;

	while (have < n) {
		ssize_t r = read(SOCK, (char *)to + have, n - have);

		if (r <= 0)
			return 0;
		have += (size_t)r;
	}
	return 1;
}

void receive(struct message *m)
{
	uint8_t header[5];

	if (!read_exactly(header, 5))
		exit(3);
	m->type = header[0];
	m->len = (uint32_t)header[1] << 24 | (uint32_t)header[2] << 16 | (uint32_t)header[3] << 8 | header[4];
	if (m->len > 65536 || !read_exactly(m->payload, m->len))
		exit(3);
	m->payload[m->len] = 0;
}

static void send_raw(const void *bytes, size_t n)
{
	(void)!send(SOCK, bytes, n, MSG_NOSIGNAL);
}

void say(uint8_t type, const void *payload, uint32_t n)
{
	uint8_t bytes[20005] = {type, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};

	memcpy(bytes + 5, payload, n);
	send_raw(bytes, 5 + n);
}

void verdict(uint8_t type, uint8_t flags)
{
	uint8_t payload[17];

	memcpy(payload, hello.payload + 1, 16);
	payload[16] = flags;
	say(type, payload, type == ALLOW ? 17 : 16);
}

static void text(uint8_t type, uint8_t kind, const char *s)
{
	char payload[1024];
	int n = snprintf(payload, sizeof payload, "%c%s", kind, s);

	say(type, payload, (uint32_t)n);
}

static void say_wait(int seconds)
{
	const uint8_t payload[2] = {(uint8_t)(seconds >> 8), (uint8_t)seconds};

	say(WAIT, payload, 2);
}

void note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(seen, format, args);
	va_end(args);
	fflush(seen);
}

/* Receives the answer to a question and notes it. */
const char *answered(void)
{
	receive(&got);
	if (got.type == NO_ANSWER && got.len == 1) {
		note("no answer: %d\n", got.payload[0]);
		return "";
	}
	note("answer: %s\n", got.type == ANSWER ? (char *)got.payload : "?");
	return (char *)got.payload;
}

const char *ask(const char *question)
{
	text(PROMPT, 0, question);
	return answered();
}

uint8_t phase(void)
{
	return hello.payload[17];
}

/* --- what the helper is like, in one line for each fact --- */

static void note_status(void)
{
	static const char *const wanted[] = {"Uid:", "Gid:", "Groups:", "SigBlk:", "SigIgn:", "SigCgt:", "SigPnd:", "ShdPnd:"};
	FILE *f = fopen("/proc/self/status", "r");
	char line[4096];

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
			if (strncmp(line, wanted[i], strlen(wanted[i])) == 0)
				note("%s", line);
	if (f != NULL)
		fclose(f);
}

static void note_descriptors(void)
{
	char path[64], target[256];

	for (int fd = 0; fd < 4096; fd++) {
		ssize_t n;

		if (fd == fileno(seen) || fcntl(fd, F_GETFD) < 0)
			continue;
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		n = readlink(path, target, sizeof target - 1);
		target[n > 0 ? n : 0] = 0;
		note("fd %d %.10s\n", fd, target);
	}
}

static void note_facts(void)
{
	static const struct {
		const char *name;
		int which;
	} limits[] = {
		{"fsize", RLIMIT_FSIZE}, {"as", RLIMIT_AS}, {"data", RLIMIT_DATA}, {"cpu", RLIMIT_CPU}, {"nproc", RLIMIT_NPROC},
		{"memlock", RLIMIT_MEMLOCK}, {"stack", RLIMIT_STACK}, {"nofile", RLIMIT_NOFILE}, {"core", RLIMIT_CORE},
	};
	struct itimerval timer;
	char cwd[256] = "";
	mode_t mask = umask(0);

	umask(mask);
	note_descriptors();
	note_status();
	for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
		struct rlimit l;

		getrlimit((__rlimit_resource_t)limits[i].which, &l);
		note("limit %s %ld %ld\n", limits[i].name, (long)l.rlim_cur, (long)l.rlim_max);
	}
	for (char **e = environ; *e != NULL; e++)
		note("env %s\n", *e);
	getitimer(ITIMER_REAL, &timer);
	note("timer %ld\n", (long)(timer.it_value.tv_sec + timer.it_value.tv_usec));
	note("nice %d\n", getpriority(PRIO_PROCESS, 0));
	cpu_set_t processors;
	note("processors %d\n", sched_getaffinity(0, sizeof processors, &processors) == 0 ? CPU_COUNT(&processors) : -1);
	note("scheduler %d\n", sched_getscheduler(0));
	note("ioprio %ld\n", syscall(SYS_ioprio_get, 1, 0));
	note("timerslack %d\n", prctl(PR_GET_TIMERSLACK, 0L, 0L, 0L, 0L));
	note("umask %03o\n", (unsigned)mask);
	note("cwd %s\n", getcwd(cwd, sizeof cwd) != NULL ? cwd : "?");
	note("session %s\n", getsid(0) == getpid() ? "own" : "inherited");
}

/* --- the behaviours --- */

static void allow(void) { verdict(ALLOW, 0); }
static void allow_account(void) { verdict(ALLOW, 1); }
static void allow_other_flag(void) { verdict(ALLOW, 2); }
static void deny(void) { verdict(DENY, 0); }
static void ignore(void) { verdict(IGNORE, 0); }
static void nothing(void) {}
static void exit_1(void) { exit(1); }
static void killed(void) { raise(SIGKILL); }
static void crash(void) { *(volatile int *)0 = 1; }
static void rubbish(void) { send_raw("ALLOW\nyes\nOK\n", 13); stay(); }
static void allow_exit_1(void) { allow(); exit(1); }
static void ignore_exit_1(void) { ignore(); exit(1); }
static void allow_killed(void) { allow(); raise(SIGKILL); }
static void allow_twice(void) { allow(); allow(); }
static void allow_more(void) { allow(); send_raw("x", 1); }
static void allow_stay(void) { allow(); stay(); }
static void allow_close_stay(void) { allow(); close(SOCK); stay(); }
static void ignore_stay(void) { ignore(); stay(); }
static void deny_allow(void) { deny(); allow(); }
static void wait_0(void) { say_wait(0); allow(); }
static void wait_91(void) { say_wait(91); allow(); }
static void wait_256(void) { say_wait(256 + 10); allow(); }
static void wait_stay(void) { say_wait(90); stay(); }
static void slow(void) { say_wait(10); sleep(2); allow(); }
static void patient(void) { say_wait(30); sleep(16); allow(); }
static void facts(void) { note_facts(); allow(); }

static void other_nonce(void)
{
	hello.payload[1] ^= 1;
	allow();
}

static void other_nonce_end(void)
{
	hello.payload[16] ^= 0x80;
	allow();
}

static void other_nonce_ignore(void)
{
	hello.payload[1] ^= 1;
	ignore();
}

/* Its own idea of a nonce: what an ALLOW that does not look at HELLO would carry. */
static void zero_nonce(void)
{
	memset(hello.payload + 1, 0, 16);
	allow();
}

static void allow_cut(void)
{
	uint8_t bytes[21] = {ALLOW, 0, 0, 0, 17};

	memcpy(bytes + 5, hello.payload + 1, 16);
	send_raw(bytes, sizeof bytes);
}

static void allow_short(void)
{
	say(ALLOW, hello.payload + 1, 16);
}

/* A child keeps the socket open: no end of file follows the verdict. */
static void allow_fork(void)
{
	allow();
	if (fork() == 0) {
		sleep(20);
		exit(0);
	}
}

static void oversized(void)
{
	const uint8_t bytes[] = {PROMPT, 0, 1, 0, 0, 0, 'x'};

	send_raw(bytes, sizeof bytes);
	stay();
}

static void huge(void)
{
	const uint8_t bytes[] = {INFO, 0xFF, 0xFF, 0xFF, 0xFF, 0, 'x'};

	send_raw(bytes, sizeof bytes);
	stay();
}

static void frames(int n)
{
	for (int i = 0; i < n; i++)
		say_wait(1);
	allow();
}

static void frames_most(void) { frames(1023); }
static void frames_too_many(void) { frames(1024); }

static void unknown_type(void)
{
	say(0x87, "", 0);
	allow();
}

static void own_direction(void)
{
	say(ANSWER, "123456", 6);
	allow();
}

static void echo_hello(void)
{
	say(HELLO, hello.payload, hello.len);
	allow();
}

static void escape_sequence(void)
{
	text(INFO, 0, "\033[2J");
	allow();
}

/* The right code is 123456. */
static void prompt(void)
{
	verdict(strcmp(ask("Code: "), "123456") == 0 ? ALLOW : DENY, 0);
}

/* Allows whatever is answered. */
static void prompt_allow(void)
{
	ask("Code: ");
	allow();
}

/* Has gone when the answer comes. */
static void prompt_exit(void)
{
	text(PROMPT, 0, "Code: ");
}

static void prompt_wait(void)
{
	ask("Code: ");
	wait_stay();
}

static void prompt_twice(void)
{
	ask("Code: ");
	ask("Again: ");
	allow();
}

static void talkative(void)
{
	text(INFO, 0, "one\ntwo");
	text(INFO, 1, "caf\xc3\xa9");
	text(PROMPT, 1, "");
	receive(&got);
	verdict(got.type == ANSWER ? ALLOW : DENY, 0);
}

/* Says why not. */
static void told(void)
{
	ask("Code: ");
	text(INFO, 1, "It is over.");
	verdict(DENY, 0);
}

/* Does not wait for the answer: its time is over. */
static void late(void)
{
	text(PROMPT, 0, "Code: ");
	text(INFO, 1, "It is over.");
	verdict(DENY, 0);
}

/* Lets in without the answer, and goes. */
static void late_allow(void)
{
	text(PROMPT, 0, "Code: ");
	verdict(ALLOW, 0);
}

/* Looks up the groups that are typed, until an empty line. */
static void groups(void)
{
	char name[300];

	while (snprintf(name, sizeof name, "%s", ask("Group: ")) > 0) {
		say(LOOKUP_GROUP, name, (uint32_t)strlen(name));
		receive(&got);
		note("group %s: %d\n", name, got.type == GROUP && got.len == 1 ? got.payload[0] : -1);
	}
	allow();
}

/* The same in every phase, but authenticate announces the account phase. */
static void account(void)
{
	if (phase() == 1)
		allow_account();
	else if (phase() == 2)
		prompt();
	else
		ignore();
}

/* Announces the account phase, where it is not subject to the policy. */
static void account_ignore(void)
{
	verdict(phase() == 1 ? ALLOW : IGNORE, 1);
}

/* Announces the account phase, and does not live to see it. */
static void account_dies(void)
{
	if (phase() == 1)
		allow_account();
	else
		killed();
}

/* Announces the account phase, in which it does what the functions above do. */
static void account_told(void)
{
	if (phase() == 1)
		allow_account();
	else
		told();
}

static void account_late(void)
{
	if (phase() == 1)
		allow_account();
	else
		late();
}

static void account_late_allow(void)
{
	if (phase() == 1)
		allow_account();
	else
		late_allow();
}

static int first_run(void)
{
	struct stat st;

	return fstat(fileno(seen), &st) == 0 && st.st_size < 400;
}

/* Announces the account phase in the first run and refuses in every other. */
static void account_once(void)
{
	verdict(first_run() ? ALLOW : DENY, 1);
}

/* Announces the account phase in the first run and lets in without it in every other. */
static void account_first(void)
{
	verdict(ALLOW, (uint8_t)first_run());
}

static const struct behaviour behaviours[] = {
	{"allow", allow}, {"allow-account", allow_account}, {"allow-other-flag", allow_other_flag}, {"deny", deny},
	{"ignore", ignore}, {"exit-0", nothing}, {"exit-1", exit_1}, {"killed", killed}, {"silent", stay}, {"crash", crash},
	{"rubbish", rubbish}, {"allow-exit-1", allow_exit_1}, {"ignore-exit-1", ignore_exit_1}, {"allow-killed", allow_killed},
	{"allow-twice", allow_twice}, {"allow-more", allow_more}, {"allow-stay", allow_stay},
	{"allow-close-stay", allow_close_stay}, {"ignore-stay", ignore_stay}, {"deny-allow", deny_allow}, {"wait-0", wait_0},
	{"wait-91", wait_91}, {"wait-256", wait_256}, {"wait-stay", wait_stay}, {"slow", slow}, {"patient", patient},
	{"facts", facts}, {"other-nonce", other_nonce}, {"other-nonce-end", other_nonce_end},
	{"other-nonce-ignore", other_nonce_ignore}, {"zero-nonce", zero_nonce}, {"allow-cut", allow_cut},
	{"allow-short", allow_short}, {"allow-fork", allow_fork}, {"oversized", oversized}, {"huge", huge},
	{"frames-most", frames_most}, {"frames-too-many", frames_too_many}, {"unknown-type", unknown_type}, {"own-direction", own_direction},
	{"echo-hello", echo_hello}, {"escape-sequence", escape_sequence}, {"prompt", prompt}, {"prompt-allow", prompt_allow},
	{"prompt-exit", prompt_exit}, {"prompt-wait", prompt_wait}, {"prompt-twice", prompt_twice}, {"talkative", talkative}, {"groups", groups},
	{"account", account}, {"account-ignore", account_ignore}, {"account-once", account_once},
	{"account-first", account_first}, {"account-dies", account_dies}, {"told", told}, {"late", late}, {"late-allow", late_allow},
	{"account-told", account_told}, {"account-late", account_late}, {"account-late-allow", account_late_allow}, {NULL, NULL},
};

static int act(const struct behaviour *b, const char *name)
{
	for (; b->name != NULL; b++) {
		if (strcmp(name, b->name) == 0) {
			b->act();
			return 1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/') + 1;
	char path[4096];

	snprintf(path, sizeof path, "%s.seen", argv[0]);
	seen = fopen(path, "ae");
	if (argc != 1 || seen == NULL)
		return 9;
	note("pid %d\n", getpid());
	if (strcmp(name, "hung") == 0)
		stay();
	receive(&hello);
	if (hello.type != HELLO || hello.len < 20)
		return 9;
	note("hello ");
	for (uint32_t i = 0; i < hello.len; i++)
		note("%02x", hello.payload[i]);
	note("\n");
	return act(behaviours, name) || act(authtok_behaviours, name) ? 0 : 9;
}

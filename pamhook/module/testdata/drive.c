/*
 * drive is an application that speaks PAM, for the tests of the module: it says what the module did and what it left behind.
 *
 *	drive [-a ANSWER]... [-i ITEM=VALUE]... [-e NAME=VALUE]... [-p PHASE,...] [-f FAULT]... [-x QUIRK]... DIR SERVICE USER
 *
 * An ANSWER that begins with @ is an event in the conversation, see answer(). A FAULT makes a function of libc or libpam fail
 * under the module, see drive_faults.c. A QUIRK is a state that the application is in, see be_odd(). One line is printed for each
 * event, on a descriptor of its own.
 */
#define _GNU_SOURCE
#include "drive.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct words answers, faults;
int64_t clock_offset;
static struct words items, env, quirks;
static int next_answer;
static int report_fd;
static pam_handle_t *pamh;

static void add(struct words *w, char *word)
{
	if (w->count == MAX_WORDS)
		abort();
	w->word[w->count++] = word;
}

bool has(const struct words *w, const char *word)
{
	for (int i = 0; i < w->count; i++)
		if (strcmp(w->word[i], word) == 0)
			return true;
	return false;
}

/* Prints one line; newlines inside the text are printed as \n. */
void report(const char *kind, const char *text)
{
	dprintf(report_fd, "%s ", kind);
	for (; *text != 0; text++)
		if (*text == '\n')
			dprintf(report_fd, "\\n");
		else
			dprintf(report_fd, "%c", *text);
	dprintf(report_fd, "\n");
}

static void report_number(const char *kind, long number)
{
	dprintf(report_fd, "%s %ld\n", kind, number);
}

/* --- the conversation --- */

/* Writes the answer to a prompt; false: the conversation fails. */
static bool answer(char **to)
{
	const char *word = next_answer < answers.count ? answers.word[next_answer++] : "@fail";
	char byte;

	*to = NULL;
	if (strcmp(word, "@fail") == 0)
		return false;
	if (strcmp(word, "@null") == 0)
		return true;
	if (strncmp(word, "@user:", 6) == 0) {
		pam_set_item(pamh, PAM_USER, word + 6);
		word = "123456";
	} else if (strncmp(word, "@authtok:", 9) == 0) {
		pam_set_item(pamh, PAM_AUTHTOK, word + 9);
		word = "123456";
	} else if (strncmp(word, "@late:", 6) == 0) {
		clock_offset += atoi(word + 6);
		word = "123456";
	} else if (strcmp(word, "@secret") == 0) {
		*to = make_secret();
		return true;
	} else if (strcmp(word, "@slow") == 0) {
		usleep(300000);
		word = "123456";
	} else if (strcmp(word, "@long") == 0) {
		*to = malloc(1026);
		memset(*to, '1', 1025);
		(*to)[1025] = 0;
		return true;
	} else if (strcmp(word, "@wait") == 0) { /* until the test closes standard input */
		report("waiting", "");
		while (read(0, &byte, 1) > 0)
			;
		return false;
	}
	*to = strdup(word);
	return true;
}

static int converse(int n, const struct pam_message **messages, struct pam_response **responses, void *data)
{
	static const char *const kinds[] = {
		[PAM_PROMPT_ECHO_OFF] = "hidden", [PAM_PROMPT_ECHO_ON] = "shown", [PAM_ERROR_MSG] = "error", [PAM_TEXT_INFO] = "info",
	};
	struct pam_response *r = calloc((size_t)n, sizeof *r);
	bool ok = true;

	(void)data;
	for (int fd = 0; fd < 3 && has(&quirks, "closed"); fd++)
		(void)!write(fd, "not for the helper", 18);
	for (int i = 0; i < n; i++) {
		int style = messages[i]->msg_style;

		report(kinds[style], messages[i]->msg);
		if (style == PAM_PROMPT_ECHO_OFF || style == PAM_PROMPT_ECHO_ON)
			ok = answer(&r[i].resp) && ok;
	}
	if (ok) {
		*responses = r;
		return PAM_SUCCESS;
	}
	free(r);
	return PAM_CONV_ERR;
}

static void delay(int status, unsigned microseconds, void *data)
{
	(void)status, (void)data;
	report("delay", microseconds >= 1000000 && microseconds <= 3000000 ? "2s" : "wrong");
}

/* --- what the application is like before, and is to be like after --- */

struct before {
	struct sigaction sigchld;
	uint64_t mask;
	char descriptors[8192];
};

static void list_descriptors(char *to, size_t size)
{
	size_t n = 0;

	for (int fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			n += (size_t)snprintf(to + n, size - n, "%d ", fd);
}

static void look(struct before *b)
{
	memset(b, 0, sizeof *b);
	sigaction(SIGCHLD, NULL, &b->sigchld);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &b->mask, 8);
	list_descriptors(b->descriptors, sizeof b->descriptors);
}

static void compare(const struct before *b)
{
	struct before now;

	look(&now);
	/* SA_RESTORER is glibc's own mark on whatever was set once. */
	report("sigchld", b->sigchld.sa_handler == now.sigchld.sa_handler &&
		((b->sigchld.sa_flags ^ now.sigchld.sa_flags) & ~0x04000000) == 0 &&
		memcmp(&b->sigchld.sa_mask, &now.sigchld.sa_mask, 8) == 0 ? "same" : "changed");
	/* Signals 32 and 33 are glibc's own: whatever in libpam sets a mask clears them. */
	report("mask", ((b->mask ^ now.mask) & ~(3ULL << 31)) == 0 ? "same" : "changed");
	report("descriptors", strcmp(b->descriptors, now.descriptors) == 0 ? "same" : now.descriptors);
	report("children", waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD ? "none" : "left");
}

static void on_signal(int sig)
{
	while (sig == SIGCHLD && waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static void handle(int sig, void (*handler)(int), int flags)
{
	struct sigaction sa = {.sa_handler = handler, .sa_flags = flags};

	sigaddset(&sa.sa_mask, SIGUSR1);
	sigaction(sig, &sa, NULL);
}

/* The soft limit only: to raise a hard one back needs CAP_SYS_RESOURCE, which a test machine may lack. */
static void limit(__rlimit_resource_t which, rlim_t value)
{
	struct rlimit l;

	if (getrlimit(which, &l) != 0)
		abort();
	l.rlim_cur = value < l.rlim_max ? value : l.rlim_max;
	if (setrlimit(which, &l) != 0)
		abort();
}

/* Everything that a caller can do to himself before he calls su. */
static void be_hostile(void)
{
	static const uint64_t all = ~0ULL;
	uint64_t ignore[8] = {1}; /* the kernel's struct sigaction: SIG_IGN */
	const struct sched_param param = {0};
	int null = open("/dev/null", O_RDWR);

	for (int sig = 1; sig < _NSIG; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			syscall(SYS_rt_sigaction, sig, ignore, NULL, 8);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8);
	setpriority(PRIO_PROCESS, 0, 19);
	sched_setscheduler(0, SCHED_IDLE, &param);
	syscall(SYS_ioprio_set, 1, 0, 3 << 13);
	prctl(PR_SET_TIMERSLACK, 1000000000UL, 0UL, 0UL, 0UL);
	limit(RLIMIT_CORE, RLIM_INFINITY);
	limit(RLIMIT_FSIZE, 0);
	limit(RLIMIT_DATA, 256 << 20);
	limit(RLIMIT_MEMLOCK, 0);
	limit(RLIMIT_STACK, 1 << 20);
	dup2(null, 60);
	dup2(null, 900);
	limit(RLIMIT_NOFILE, 64);
	umask(0);
	setenv("LD_PRELOAD", "/nonexistent.so", 1);
	setenv("TWOKEY_SECRET", "1", 1);
	if (chdir("/tmp") != 0)
		abort();
	if (getuid() == 0 && setgroups(2, (gid_t[]){4, 27}) != 0)
		abort();
}

static void be_odd(void)
{
	if (has(&quirks, "handler"))
		handle(SIGCHLD, on_signal, SA_RESTART | SA_NOCLDSTOP);
	if (has(&quirks, "ignored"))
		handle(SIGCHLD, SIG_IGN, 0);
	if (has(&quirks, "nowait"))
		handle(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
	if (has(&quirks, "alarm")) {
		handle(SIGALRM, SIG_IGN, 0);
		alarm(1);
	}
	if (has(&quirks, "closed"))
		for (int fd = 0; fd < 3; fd++)
			close(fd);
	if (has(&quirks, "closed-error"))
		close(2);
	if (has(&quirks, "hostile"))
		be_hostile();
}

static void set_items(void)
{
	static const struct {
		const char *name;
		int item;
	} known[] = {{"rhost", PAM_RHOST}, {"ruser", PAM_RUSER}, {"tty", PAM_TTY}};

	for (int i = 0; i < items.count; i++)
		for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
			if (strncmp(items.word[i], known[k].name, strlen(known[k].name)) == 0)
				pam_set_item(pamh, known[k].item, strchr(items.word[i], '=') + 1);
	for (int i = 0; i < env.count; i++)
		pam_putenv(pamh, env.word[i]);
}

static void run_phase(const char *phase)
{
	const int flags = has(&quirks, "silent") ? (int)PAM_SILENT : 0;

	if (strcmp(phase, "auth") == 0)
		report_number("auth", pam_authenticate(pamh, flags));
	else if (strcmp(phase, "cred") == 0)
		report_number("cred", pam_setcred(pamh, (int)PAM_ESTABLISH_CRED | flags));
	else if (strcmp(phase, "delete") == 0)
		report_number("delete", pam_setcred(pamh, (int)PAM_DELETE_CRED | flags));
	else if (strcmp(phase, "refresh") == 0)
		report_number("refresh", pam_setcred(pamh, (int)PAM_REFRESH_CRED | flags));
	else if (strcmp(phase, "acct") == 0)
		report_number("acct", pam_acct_mgmt(pamh, flags));
	else if (strcmp(phase, "open") == 0)
		report_number("open", pam_open_session(pamh, flags));
	else if (strcmp(phase, "close") == 0)
		report_number("close", pam_close_session(pamh, flags));
	else
		abort();
}

int main(int argc, char **argv)
{
	const struct pam_conv conv = {converse, NULL};
	void (*delay_function)(int, unsigned, void *) = delay;
	char *phases = NULL;
	struct before before;
	pthread_t searcher;
	int option;

	while ((option = getopt(argc, argv, "a:i:e:p:f:x:")) != -1)
		if (option == 'p')
			phases = optarg;
		else if (option != '?')
			add(option == 'a' ? &answers : option == 'i' ? &items : option == 'e' ? &env : option == 'f' ? &faults : &quirks,
			    optarg);
	if (argc - optind != 3)
		return 2;
	report_fd = fcntl(1, F_DUPFD_CLOEXEC, 20);
	if (pam_start_confdir(argv[optind + 1], argv[optind + 2], &conv, argv[optind], &pamh) != PAM_SUCCESS)
		return 1;
	pam_set_item(pamh, PAM_FAIL_DELAY, (const void *)(uintptr_t)delay_function);
	set_items();
	be_odd();
	if (has(&answers, "@secret") && pthread_create(&searcher, NULL, search, NULL) != 0)
		abort();
	look(&before);
	for (char *phase = strtok(phases == NULL ? strdup("auth") : phases, ","); phase != NULL; phase = strtok(NULL, ","))
		run_phase(phase);
	compare(&before);
	search_once();
	pam_end(pamh, PAM_SUCCESS);
	return 0;
}

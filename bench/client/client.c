/* client CONFDIR SERVICE ATONCE: logs in through the real libpam, each time in a process of its own, as sshd does, ATONCE of them at a time.
 *
 * Standard input has one login a line, "USER CODE SOURCE"; an empty line ends a batch and starts it. For each login of the batch, in the order
 * of the lines, there is one line of output: what PAM said (0: let in), the nanoseconds from pam_start to pam_end, the microseconds of
 * processor time of the process and of those that it waited for, the most memory that the process has had, and that the largest of those
 * others has had, in kilobytes. Behind them stands "= NS": how long the batch took.
 *
 * A SERVICE that begins with "/" is a program, which is started in place of a login, with CONFDIR as its argument. */
#define _GNU_SOURCE
#include <security/pam_appl.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 8192, WORD = 128 };

struct login {
	char user[WORD], code[WORD], source[WORD];
};

struct result {
	int status;
	int64_t ns, cpu_us;
	long self_kb, others_kb;
};

static int64_t now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Every question is answered with the code. */
static int converse(int n, const struct pam_message **asked, struct pam_response **given, void *code)
{
	struct pam_response *r = calloc((size_t)n, sizeof *r);

	if (r == NULL)
		return PAM_BUF_ERR;
	for (int i = 0; i < n; i++)
		if (asked[i]->msg_style == PAM_PROMPT_ECHO_OFF || asked[i]->msg_style == PAM_PROMPT_ECHO_ON)
			r[i].resp = strdup(code);
	*given = r;
	return PAM_SUCCESS;
}

/* libpam calls it in place of its own wait of seconds behind a refusal (pam_fail_delay(3)). */
static void no_delay(int status, unsigned usec, void *data)
{
	(void)status, (void)usec, (void)data;
}

static int transaction(const char *confdir, const char *service, struct login *l)
{
	const struct pam_conv conv = {converse, l->code};
	union { void (*function)(int, unsigned, void *); const void *item; } delay = {no_delay};
	pam_handle_t *h;
	int status = pam_start_confdir(service, l->user, &conv, confdir, &h);

	if (status != PAM_SUCCESS)
		return status;
	(void)pam_set_item(h, PAM_RHOST, l->source);
	(void)pam_set_item(h, PAM_TTY, "ssh");
	(void)pam_set_item(h, PAM_FAIL_DELAY, delay.item);
	status = pam_authenticate(h, 0);
	if (status == PAM_SUCCESS)
		status = pam_acct_mgmt(h, 0);
	if (status == PAM_SUCCESS)
		status = pam_setcred(h, PAM_ESTABLISH_CRED);
	if (status == PAM_SUCCESS)
		status = pam_open_session(h, 0);
	(void)pam_end(h, status);
	return status;
}

static int program(const char *path, const char *argument)
{
	int status;
	pid_t pid = vfork();

	if (pid == 0) {
		(void)execl(path, path, argument, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return PAM_SYSTEM_ERR;
	return status == 0 ? PAM_SUCCESS : PAM_SYSTEM_ERR;
}

static int64_t micros(const struct rusage *u)
{
	return (u->ru_utime.tv_sec + u->ru_stime.tv_sec) * INT64_C(1000000) + u->ru_utime.tv_usec + u->ru_stime.tv_usec;
}

static _Noreturn void child(const char *confdir, const char *service, struct login *l, struct result *r)
{
	struct rusage self, others;
	int64_t began = now();

	r->status = service[0] == '/' ? program(service, confdir) : transaction(confdir, service, l);
	r->ns = now() - began;
	(void)getrusage(RUSAGE_SELF, &self);
	(void)getrusage(RUSAGE_CHILDREN, &others);
	r->cpu_us = micros(&self) + micros(&others);
	r->self_kb = self.ru_maxrss;
	r->others_kb = others.ru_maxrss;
	_exit(0);
}

static void reap(void)
{
	int status;

	if (wait(&status) < 0 || status != 0) {
		fputs("client: a login ended its process\n", stderr);
		exit(1);
	}
}

static void batch(const char *confdir, const char *service, int atonce, struct login *logins, struct result *results, int n)
{
	int running = 0;
	int64_t began = now(), took;

	for (int i = 0; i < n; i++) {
		pid_t pid;

		if (running == atonce) {
			reap();
			running--;
		}
		pid = fork();
		if (pid < 0)
			die("fork");
		if (pid == 0)
			child(confdir, service, &logins[i], &results[i]);
		running++;
	}
	for (; running > 0; running--)
		reap();
	took = now() - began;
	for (int i = 0; i < n; i++)
		printf("%d %lld %lld %ld %ld\n", results[i].status, (long long)results[i].ns, (long long)results[i].cpu_us, results[i].self_kb,
		       results[i].others_kb);
	printf("= %lld\n", (long long)took);
	(void)fflush(stdout);
}

int main(int argc, char **argv)
{
	static struct login logins[MOST];
	const int shared = PROT_READ | PROT_WRITE;
	struct result *results = mmap(NULL, MOST * sizeof *results, shared, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char line[4 * WORD];
	int n = 0;

	if (argc != 4 || atoi(argv[3]) < 1) {
		fputs("usage: client CONFDIR SERVICE ATONCE\n", stderr);
		return 2;
	}
	if (results == MAP_FAILED)
		die("mmap");
	while (fgets(line, sizeof line, stdin) != NULL) {
		if (line[0] == '\n') {
			batch(argv[1], argv[2], atoi(argv[3]), logins, results, n);
			n = 0;
		} else if (n == MOST || sscanf(line, "%127s %127s %127s", logins[n].user, logins[n].code, logins[n].source) != 3) {
			fputs("client: a line that is no login, or too many\n", stderr);
			return 2;
		} else {
			n++;
		}
	}
	return 0;
}

/* Starting the helper out of its caller's reach, and ending it without a trace. */
#define _GNU_SOURCE
#include "twokey.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HELPER_FD = 3, NOT_SET_UP = 126, NOT_STARTED = 127, KERNEL_SIGSET = _NSIG / 8, IOPRIO_WHO_PROCESS = 1 };

/* `ulimit -f 0; su` makes the helper's writes fail, -v and -t end it in the middle: the failed try would not be counted. Where
 * the hard limit cannot be raised (a container without CAP_SYS_RESOURCE) the soft one is raised to it. */
static void reset_limits(void)
{
	static const struct {
		__rlimit_resource_t which;
		rlim_t limit;
	} wanted[] = {
		{RLIMIT_FSIZE, RLIM_INFINITY}, {RLIMIT_AS, RLIM_INFINITY}, {RLIMIT_DATA, RLIM_INFINITY},
		{RLIMIT_CPU, RLIM_INFINITY}, {RLIMIT_NPROC, RLIM_INFINITY}, {RLIMIT_MEMLOCK, RLIM_INFINITY},
		{RLIMIT_STACK, 8 << 20}, {RLIMIT_NOFILE, 1024}, {RLIMIT_CORE, 0},
	};

	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
		struct rlimit l = {wanted[i].limit, wanted[i].limit};

		if (setrlimit(wanted[i].which, &l) == 0 || getrlimit(wanted[i].which, &l) != 0)
			continue;
		l.rlim_cur = l.rlim_max;
		(void)setrlimit(wanted[i].which, &l);
	}
}

/* Under sudo and su the caller's real uid would let him stop the helper while it holds another user's lock (SIGSTOP, or Ctrl-Z:
 * hence a session of its own), or start it with signals ignored or blocked. Raw system calls: glibc's setresuid signals the
 * other threads, which are not here after a fork, and glibc keeps its hands on signals 32 and 33. */
static bool reset_identity(void)
{
	const uint64_t defaults[8] = {0}; /* the kernel's struct sigaction: SIG_DFL, no flags, empty mask */

	if (setsid() < 0 || syscall(SYS_setgroups, 0, NULL) != 0 || syscall(SYS_setresgid, 0, 0, 0) != 0 ||
	    syscall(SYS_setresuid, 0, 0, 0) != 0)
		return false;
	for (int sig = 1; sig < _NSIG; sig++)
		(void)syscall(SYS_rt_sigaction, sig, defaults, NULL, KERNEL_SIGSET);
	return syscall(SYS_rt_sigprocmask, SIG_SETMASK, defaults, NULL, KERNEL_SIGSET) == 0;
}

/* `nice -n 19`, `chrt --idle`, `taskset` to a busy processor, `ionice -c3` or a huge timer slack would let the caller starve a
 * helper that holds a lock. A forked process has no alarms and timers of its parent's; the caller's cgroup cannot be left from
 * here. The kernel takes from the mask what there is and what the cgroup allows. */
static void reset_scheduling(void)
{
	const struct sched_param none = {0};
	unsigned long processors[128]; /* room for 8192 */

	for (size_t i = 0; i < sizeof processors / sizeof *processors; i++)
		processors[i] = ~0UL;
	(void)syscall(SYS_sched_setaffinity, 0, sizeof processors, processors);

	(void)sched_setscheduler(0, SCHED_OTHER, &none);
	(void)setpriority(PRIO_PROCESS, 0, 0);
	(void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, 0);
	(void)prctl(PR_SET_TIMERSLACK, 50000UL, 0UL, 0UL, 0UL);
}

/* The socket becomes descriptor 3, /dev/null 0 to 2; nothing else of the application's stays open. */
static bool reset_descriptors(int sock)
{
	int null;

	if (sock == HELPER_FD ? fcntl(sock, F_SETFD, 0) < 0 : dup2(sock, HELPER_FD) < 0)
		return false;
	null = open("/dev/null", O_RDWR);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
		return false;
	if (close_range(HELPER_FD + 1, ~0U, 0) != 0)
		for (int fd = HELPER_FD + 1; fd < 1 << 20; fd++) /* fs.nr_open by default: none is above */
			(void)close(fd);
	return true;
}

/* Between fork and exec: async-signal-safe calls only, no memory is allocated, nothing is formatted. The helper does one thing after the
 * other: with GOMAXPROCS its runtime makes no more threads than that takes, which is a twelfth of what a login costs. */
static _Noreturn void become_helper(int sock, const char *path)
{
	char *const argv[] = {(char *)(uintptr_t)path, NULL};
	char *const envp[] = {(char *)(uintptr_t)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", (char *)(uintptr_t)"GOMAXPROCS=1", NULL};

	if (!reset_identity())
		_exit(NOT_SET_UP);
	reset_limits();
	reset_scheduling();
	(void)umask(077);
	if (chdir("/") != 0 || !reset_descriptors(sock))
		_exit(NOT_SET_UP);
	(void)execve(path, argv, envp);
	_exit(NOT_STARTED);
}

/* Not 0 to 2, or an application that was started with standard output closed would print into the conversation. The buffer holds the
 * largest HELLO, whatever the system's default is. */
bool keep_socket(struct login *l, int low)
{
	const int room = 4 * MAX_PAYLOAD;

	l->fd = fcntl(low, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	(void)close(low);
	if (l->fd >= 0)
		(void)setsockopt(l->fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
	return l->fd >= 0;
}

static bool make_pair(struct login *l, int *theirs)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return false;
	*theirs = ends[1];
	if (keep_socket(l, ends[0]))
		return true;
	(void)close(*theirs);
	return false;
}

/* SIGCHLD is set to its default until helper_finish, as pam_unix does: an application's handler would take the exit status, and
 * where it is ignored there would be none. Every signal is blocked round the fork, so that no handler of the application runs
 * in the child. _Fork (glibc 2.34) and not fork: the pthread_atfork handlers of strange libraries are neither
 * async-signal-safe nor any business of the helper's. */
bool helper_start(struct login *l)
{
	const struct sigaction standard = {.sa_handler = SIG_DFL};
	const uint64_t all[2] = {~0ULL, ~0ULL};
	uint64_t before[2];
	int theirs;

	l->helper = l->args->helper;
	if (!make_pair(l, &theirs)) {
		pam_syslog(l->pamh, LOG_ERR, "refused: no socket for the helper: %m");
		return false;
	}
	(void)sigaction(SIGCHLD, &standard, &l->old_sigchld);
	(void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, all, before, KERNEL_SIGSET);
	l->pid = _Fork();
	if (l->pid == 0)
		become_helper(theirs, l->helper);
	(void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, before, NULL, KERNEL_SIGSET);
	(void)close(theirs);
	if (l->pid > 0)
		return true;
	pam_syslog(l->pamh, LOG_ERR, "refused: no process for the helper: %m");
	(void)close(l->fd);
	(void)sigaction(SIGCHLD, &l->old_sigchld, NULL);
	return false;
}

/* Like waitpid; 0 when the time is over. A process that has ended can be read from its pidfd; without one it is looked for again and again. */
static pid_t wait_until(pid_t pid, int *status, int64_t end)
{
	struct pollfd ended = {(int)syscall(SYS_pidfd_open, pid, 0), POLLIN, 0};
	pid_t got;

	for (;;) {
		int64_t left = end - now_ms();

		got = waitpid(pid, status, WNOHANG);
		if (got != 0 || left <= 0)
			break;
		(void)poll(&ended, 1, ended.fd < 0 ? 1 : (int)left);
	}
	if (ended.fd >= 0)
		(void)close(ended.fd);
	return got;
}

/* Ends the helper, at once or after END_MS, and returns its wait status: 0 only when it ended by itself, in time, with exit
 * status 0. The second wait is bounded too: a process in an uninterruptible write does not die. */
int helper_finish(const struct login *l, bool patient)
{
	const char *helper = l->helper;
	int status = -1;
	pid_t got;

	(void)shutdown(l->fd, SHUT_RDWR);
	(void)close(l->fd);
	if (l->pid == 0)
		return 0; /* it is systemd's child: its verdict and the end of file are all there is */
	got = wait_until(l->pid, &status, now_ms() + (patient ? END_MS : 0));
	if (got == 0) {
		pam_syslog(l->pamh, LOG_ERR, "%s had to be killed", helper);
		(void)kill(l->pid, SIGKILL);
		(void)wait_until(l->pid, &status, now_ms() + END_MS);
		status = -1;
	} else if (got < 0) {
		pam_syslog(l->pamh, LOG_ERR, "%s ended, and something in the application took its exit status", helper);
		status = -1;
	} else if (WIFSIGNALED(status)) {
		pam_syslog(l->pamh, LOG_ERR, "%s was ended by signal %d", helper, WTERMSIG(status));
	} else if (status != 0) {
		pam_syslog(l->pamh, LOG_ERR, "%s %s (status %d)", helper,
			   WEXITSTATUS(status) == NOT_STARTED ? "cannot be executed" : "failed", WEXITSTATUS(status));
	}
	(void)sigaction(SIGCHLD, &l->old_sigchld, NULL);
	return status;
}

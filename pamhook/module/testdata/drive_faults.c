/*
 * The functions of libc and libpam that drive lets fail under the module: the definitions here go before the libraries' own. And
 * the search for what the module leaves in memory, which one of them starts.
 */
#define _GNU_SOURCE
#include "drive.h"

#include <dlfcn.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <security/pam_appl.h>
#include <security/pam_modules.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* --- an answer of which no copy may stay behind --- */

enum { SECRET_SIZE = 64 };

static bool search_begun;
static sem_t search_now, searched;
static uint8_t complement[SECRET_SIZE]; /* of the secret answer, so that this program keeps no copy of it */

char *make_secret(void)
{
	char *secret = malloc(SECRET_SIZE + 1);

	if (secret == NULL || syscall(SYS_getrandom, complement, SECRET_SIZE, 0) != SECRET_SIZE)
		abort();
	for (int i = 0; i < SECRET_SIZE; i++) {
		complement[i] |= 0x80; /* no NUL in the secret */
		complement[i] &= 0xFE;
		secret[i] = (char)~complement[i];
	}
	secret[SECRET_SIZE] = 0;
	return secret;
}

/* Looks for the second half of the secret: free() writes over the beginning of what it is given. */
static bool contains_secret(const uint8_t *from, const uint8_t *to)
{
	const uint8_t *half = complement + SECRET_SIZE / 2;

	for (; from + SECRET_SIZE / 2 <= to; from++) {
		int i = 0;

		while (i < SECRET_SIZE / 2 && (from[i] ^ half[i]) == 0xFF)
			i++;
		if (i == SECRET_SIZE / 2)
			return true;
	}
	return false;
}

/* Searches the heap, the stack and all other memory that can have been written. It has a thread, and with it a stack, of its own:
 * it would itself write over what it looks for. */
void *search(void *unused)
{
	FILE *maps;
	char line[512], access[8];
	unsigned long from, to;
	bool left = false;

	while (sem_wait(&search_now) != 0)
		;
	maps = fopen("/proc/self/maps", "re");
	while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
		if (sscanf(line, "%lx-%lx %7s", &from, &to, access) == 3 && strncmp(access, "rw", 2) == 0)
			left = contains_secret((const uint8_t *)from, (const uint8_t *)to) || left;
	report("secret", maps == NULL ? "not looked for" : left ? "left" : "wiped");
	if (maps != NULL)
		fclose(maps);
	sem_post(&searched);
	return unused;
}

/* Has the memory searched, the first time that it is called after a secret was answered. */
void search_once(void)
{
	if (complement[0] != 0 && !search_begun && (search_begun = sem_post(&search_now) == 0))
		while (sem_wait(&searched) != 0)
			;
}

/* --- functions that fail under the module --- */

int clock_gettime(clockid_t id, struct timespec *t)
{
	int r = (int)syscall(SYS_clock_gettime, id, t);

	t->tv_sec += clock_offset;
	return r;
}

ssize_t getrandom(void *to, size_t n, unsigned flags)
{
	if (has(&faults, "getrandom")) {
		errno = ENOSYS;
		return -1;
	}
	if (has(&faults, "getrandom-short"))
		n /= 2;
	return syscall(SYS_getrandom, to, n, flags);
}

pid_t _Fork(void)
{
	pid_t (*real)(void) = (pid_t(*)(void))dlsym(RTLD_NEXT, "_Fork");

	if (!has(&faults, "fork"))
		return real();
	errno = EAGAIN;
	return -1;
}

/* What another thread that waits for any child does: it takes the status. */
pid_t waitpid(pid_t pid, int *status, int options)
{
	pid_t (*real)(pid_t, int *, int);

	/* First of all: what dlsym leaves on the stack may hide what is looked for. */
	if (pid > 0 && !has(&faults, "search-late"))
		search_once();
	real = (pid_t(*)(pid_t, int *, int))dlsym(RTLD_NEXT, "waitpid");
	if (pid > 0 && has(&faults, "waitpid"))
		while (real(pid, NULL, 0) >= 0)
			;
	return real(pid, status, options);
}

int close_range(unsigned first, unsigned last, int flags)
{
	if (has(&faults, "close_range")) {
		errno = ENOSYS;
		return -1;
	}
	return (int)syscall(SYS_close_range, first, last, flags);
}

int pam_set_data(pam_handle_t *handle, const char *name, void *data, void (*cleanup)(pam_handle_t *, void *, int))
{
	int (*real)(pam_handle_t *, const char *, void *, void (*)(pam_handle_t *, void *, int));
	const void *old = NULL;

	real = (int (*)(pam_handle_t *, const char *, void *, void (*)(pam_handle_t *, void *, int)))dlsym(RTLD_NEXT, "pam_set_data");
	if (has(&faults, "pam_set_data") && data != NULL)
		return PAM_BUF_ERR;
	if (has(&faults, "pam_clear_data") && data == NULL)
		return PAM_BUF_ERR;
	if (has(&faults, "pam_clear_due") && data == NULL && pam_get_data(handle, name, &old) == PAM_SUCCESS && old != NULL)
		return PAM_BUF_ERR;
	return real(handle, name, data, cleanup);
}

/* Only the change of a password fails. */
int pam_set_item(pam_handle_t *handle, int which, const void *item)
{
	int (*real)(pam_handle_t *, int, const void *) = (int (*)(pam_handle_t *, int, const void *))dlsym(RTLD_NEXT, "pam_set_item");
	const void *old = NULL;

	if (which == PAM_AUTHTOK && has(&faults, "pam_set_item") && pam_get_item(handle, PAM_AUTHTOK, &old) == PAM_SUCCESS && old != NULL)
		return PAM_BUF_ERR;
	return real(handle, which, item);
}

int getpwnam_r(const char *name, struct passwd *pw, char *buffer, size_t n, struct passwd **found)
{
	int (*real)(const char *, struct passwd *, char *, size_t, struct passwd **);

	real = (int (*)(const char *, struct passwd *, char *, size_t, struct passwd **))dlsym(RTLD_NEXT, "getpwnam_r");
	*found = NULL;
	if (has(&faults, "getpwnam"))
		return EIO;
	if (has(&faults, "getpwnam-endless") || (has(&faults, "getpwnam-big") && n < 100000))
		return ERANGE;
	return real(name, pw, buffer, n, found);
}

/* Groups by-gid, by-name, by-both, neither, down and big are the tests' own. */
int getgrnam_r(const char *name, struct group *g, char *buffer, size_t n, struct group **found)
{
	int (*real)(const char *, struct group *, char *, size_t, struct group **);
	static char member[] = "nobody", other[] = "somebody", *with[] = {other, member, NULL}, *without[] = {other, NULL};
	bool by_name = strcmp(name, "by-name") == 0, by_gid = strcmp(name, "by-gid") == 0, big = strcmp(name, "big") == 0;

	real = (int (*)(const char *, struct group *, char *, size_t, struct group **))dlsym(RTLD_NEXT, "getgrnam_r");
	*found = NULL;
	if (strcmp(name, "down") == 0)
		return ECONNREFUSED;
	if (strcmp(name, "endless") == 0 || (big && n < 1000000))
		return ERANGE;
	if (!by_name && !by_gid && !big && strcmp(name, "neither") != 0)
		return real(name, g, buffer, n, found);
	g->gr_gid = by_gid ? 65534 : 4000000000U;
	g->gr_mem = by_name || big ? with : without;
	*found = g;
	return 0;
}

int getgrouplist(const char *user, gid_t primary, gid_t *groups, int *count)
{
	int (*real)(const char *, gid_t, gid_t *, int *), many = 0, room = *count;

	real = (int (*)(const char *, gid_t, gid_t *, int *))dlsym(RTLD_NEXT, "getgrouplist");
	if (has(&faults, "groups-300"))
		many = 300;
	if (has(&faults, "groups-5000"))
		many = 5000;
	if (many == 0)
		return real(user, primary, groups, count);
	for (int i = 0; i < many && i < room; i++)
		groups[i] = i == 0 ? primary : (gid_t)(100000 + i);
	*count = many;
	return many <= room ? many : -1;
}

static void log_line(const char *format, va_list args)
{
	char text[4096];

	vsnprintf(text, sizeof text, format, args);
	report("log", text);
}

void syslog(int priority, const char *format, ...)
{
	va_list args;

	(void)priority;
	va_start(args, format);
	log_line(format, args);
	va_end(args);
}

void __syslog_chk(int priority, int flag, const char *format, ...)
{
	va_list args;

	(void)priority, (void)flag;
	va_start(args, format);
	log_line(format, args);
	va_end(args);
}

/*
 * A name service of a test's own: what nsswitch.conf(5) calls "twokeytest".
 *
 * carol (70001) is found under any spelling of her name. She is in "remote" by what is listed for her, not by the group's list, as
 * with an LDAP server that does not tell members; and the last of very many in "many". Names that begin with "down" have no answer.
 */
#include <errno.h>
#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static enum nss_status carol(struct passwd *p)
{
	*p = (struct passwd){ "carol", "x", 70001, 70002, "Carol of the test", "/home/carol", "/bin/sh" };
	return NSS_STATUS_SUCCESS;
}

static enum nss_status down(int *error)
{
	*error = ECONNREFUSED;
	return NSS_STATUS_UNAVAIL;
}

enum nss_status _nss_twokeytest_getpwnam_r(const char *name, struct passwd *p, char *buffer, size_t size, int *error)
{
	if (strncmp(name, "down", 4) == 0)
		return down(error);
	return strcasecmp(name, "carol") == 0 ? carol(p) : NSS_STATUS_NOTFOUND;
}

enum nss_status _nss_twokeytest_getpwuid_r(uid_t uid, struct passwd *p, char *buffer, size_t size, int *error)
{
	if (uid == 70009)
		return down(error);
	return uid == 70001 ? carol(p) : NSS_STATUS_NOTFOUND;
}

static int listed;

enum nss_status _nss_twokeytest_setpwent(int stay)
{
	listed = 0;
	return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_twokeytest_endpwent(void)
{
	return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_twokeytest_getpwent_r(struct passwd *p, char *buffer, size_t size, int *error)
{
	return listed++ == 0 ? carol(p) : NSS_STATUS_NOTFOUND;
}

enum { MANY = 5000 };

static enum nss_status many(struct group *g, char *buffer, size_t size, int *error)
{
	char **list = (char **)buffer;
	char *text = buffer + (MANY + 2) * sizeof(char *);
	if (size < (MANY + 2) * (sizeof(char *) + 8)) {
		*error = ERANGE;
		return NSS_STATUS_TRYAGAIN;
	}
	for (int i = 0; i < MANY; i++, text += 8) {
		snprintf(text, 8, "m%05d", i);
		list[i] = text;
	}
	list[MANY] = "carol";
	list[MANY + 1] = NULL;
	*g = (struct group){ "many", "x", 70004, list };
	return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_twokeytest_getgrnam_r(const char *name, struct group *g, char *buffer, size_t size, int *error)
{
	static char *nobody[] = { NULL };
	if (strncmp(name, "down", 4) == 0)
		return down(error);
	if (strcmp(name, "many") == 0)
		return many(g, buffer, size, error);
	if (strcmp(name, "remote") != 0)
		return NSS_STATUS_NOTFOUND;
	*g = (struct group){ "remote", "x", 70003, nobody };
	return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_twokeytest_initgroups_dyn(const char *user, gid_t group, long *start, long *size, gid_t **groups, long limit, int *error)
{
	if (strcmp(user, "carol") == 0 && *start < *size)
		(*groups)[(*start)++] = 70003;
	return NSS_STATUS_SUCCESS;
}

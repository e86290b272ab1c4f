/*
 * A PAM module that stands before or behind ours: `authtok.so give=TEXT` has got a password already, `authtok.so` tells the
 * application which one it finds.
 */
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <string.h>

int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	const void *password = NULL;

	(void)flags;
	if (argc == 1 && strncmp(argv[0], "give=", 5) == 0)
		return pam_set_item(pamh, PAM_AUTHTOK, argv[0] + 5);
	if (argc != 0 || pam_get_item(pamh, PAM_AUTHTOK, &password) != PAM_SUCCESS)
		return PAM_SERVICE_ERR;
	return pam_info(pamh, password == NULL ? "there is none" : "found %s", (const char *)password);
}

int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)pamh, (void)flags, (void)argc, (void)argv;
	return PAM_IGNORE;
}

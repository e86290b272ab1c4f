/* What the files of pam_twokey.so share. The language spoken with the helper is specified in pamhook/wire/wire.go. */
#ifndef TWOKEY_H
#define TWOKEY_H

#include <pwd.h>
#include <security/pam_modules.h>
#include <security/pam_ext.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <syslog.h>

#ifndef TWOKEY_HELPER
#define TWOKEY_HELPER "/usr/libexec/twokey/twokey-verify"
#endif
#ifndef TWOKEY_RUN
#define TWOKEY_RUN "/run/twokey"
#endif

enum { HEADER_SIZE = 5, NONCE_SIZE = 16, MAX_PAYLOAD = 65536, MAX_VALUE = 16384, MAX_TEXT = 16384, MAX_ANSWER = 1024, MAX_SOCKET = 108 };

enum {
	SILENCE_MS = 15000, /* for which the helper may say nothing, unless it sent WAIT */
	TOTAL_MS = 115000,  /* for one run: sshd's LoginGraceTime of 120 s, less 5 */
	ACCOUNT_MS = 615000, /* for an enrolment in the account phase: more than the helper's own 10 minutes */
	END_MS = 2000,      /* from a verdict to the end of file, and from there to the helper's end */
};

enum phase { AUTHENTICATE = 1, ACCOUNT = 2, OPEN_SESSION = 3 };

enum frame_type {
	HELLO = 0x01, ANSWER = 0x02, NO_ANSWER = 0x03, GROUP = 0x04,
	PROMPT = 0x81, INFO = 0x82, LOOKUP_GROUP = 0x83, WAIT = 0x84, GET_AUTHTOK = 0x85, CUT_AUTHTOK = 0x86,
	ALLOW = 0xA1, DENY = 0xA2, IGNORE = 0xA3,
};

enum no_answer { ANSWERED, CONVERSATION_FAILED, IS_PASSWORD, IS_JUNK, ANSWER_TOO_LONG, CLIENT_GONE };

enum membership { NO_SUCH_GROUP, NOT_MEMBER, MEMBER, LOOKUP_FAILED };

/* How reading the helper's socket went. */
enum io {
	IO_OK,
	IO_END,  /* end of file between two frames */
	IO_CUT,  /* the helper closed its end inside a frame, or without having read ours */
	IO_LATE, /* a deadline passed */
	IO_GONE, /* the client closed its connection to the application */
	IO_BAD,  /* something that the specification does not allow */
};

struct args {
	bool decoy, after_password, debug;
	const char *config, *helper, *socket; /* config may be NULL: the helper has a default; socket: there is one for each kind of caller */
};

/* One run of the helper. */
struct login {
	pam_handle_t *pamh;
	const struct args *args;
	enum phase phase;
	bool silent; /* PAM_SILENT */
	uint8_t nonce[NONCE_SIZE];

	char *user;         /* PAM_USER at the beginning */
	bool known;         /* pw and gids are set */
	bool lookup_failed; /* the name service did not answer */
	struct passwd pw;
	char *pw_buffer;
	gid_t *gids;
	int gid_count;
	int client; /* the client's connection to the application, or -1 */

	const char *helper; /* the program or the socket, for the log */
	int fd;             /* our end of the helper's socket */
	pid_t pid;          /* 0: the helper is not our child, there is a socket on which it is found */
	struct sigaction old_sigchld;
	int64_t silence_end, total_end; /* now_ms() must stay below both */
	enum no_answer hopeless;        /* not 0: whatever the helper says, the answer is no */

	bool authtok_asked; /* by GET_AUTHTOK */
	char *authtok;      /* the answer to it, or NULL */
	size_t cut;         /* bytes to be cut off its end, less than it has; 0: none */
};

struct frame {
	uint8_t type;
	size_t len;
	uint8_t payload[1 + MAX_TEXT + 1]; /* a NUL always follows */
};

struct hello {
	bool too_long;
	size_t len;
	uint8_t bytes[HEADER_SIZE + MAX_PAYLOAD];
};

int64_t now_ms(void);
enum io read_frame(const struct login *l, struct frame *f);
bool send_bytes(const struct login *l, const void *bytes, size_t n);
bool send_frame(const struct login *l, enum frame_type type, const void *payload, size_t n);

bool gather(struct login *l, struct hello *h);
enum membership membership(const struct login *l, const char *group);
bool client_gone(const struct login *l);

bool keep_socket(struct login *l, int low);
bool helper_start(struct login *l);
int helper_finish(const struct login *l, bool patient);

enum reached { REACHED, NOT_THERE, STRANGER };
enum reached helper_reach(struct login *l);

enum io talk(struct login *l, struct frame *verdict);
bool is_authtok(const struct login *l, const char *text);
void wipe(char *text);

#endif

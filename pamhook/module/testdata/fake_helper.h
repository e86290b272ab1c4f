/* What the files of fake_helper share. */
#ifndef FAKE_HELPER_H
#define FAKE_HELPER_H

#include <stdint.h>

enum { HELLO = 1, ANSWER = 2, NO_ANSWER = 3, GROUP = 4 };
enum {
	PROMPT = 0x81, INFO = 0x82, LOOKUP_GROUP = 0x83, WAIT = 0x84, GET_AUTHTOK = 0x85, CUT_AUTHTOK = 0x86,
	ALLOW = 0xA1, DENY = 0xA2, IGNORE = 0xA3,
};

struct message {
	uint8_t type;
	uint32_t len;
	uint8_t payload[65537];
};

struct behaviour {
	const char *name;
	void (*act)(void);
};

extern struct message got; /* what the module said last */
extern const struct behaviour authtok_behaviours[];

void receive(struct message *m);
void say(uint8_t type, const void *payload, uint32_t n);
void verdict(uint8_t type, uint8_t flags);
void note(const char *format, ...);
const char *ask(const char *question);
const char *answered(void);
uint8_t phase(void);

#endif

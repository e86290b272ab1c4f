/* What the two files of drive share. */
#ifndef DRIVE_H
#define DRIVE_H

#include <stdbool.h>
#include <stdint.h>

enum { MAX_WORDS = 256 };

struct words {
	int count;
	char *word[MAX_WORDS];
};

extern struct words answers, faults;
extern int64_t clock_offset; /* seconds by which the module's clock is ahead */

bool has(const struct words *w, const char *word);
void report(const char *kind, const char *text);

char *make_secret(void);
void *search(void *unused);
void search_once(void);

#endif

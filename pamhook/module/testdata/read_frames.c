/* read_frames gives each frame file named on its command line to the module's reader and prints the file's name and what became
 * of the frame: ok, end, cut or malformed. */
#define _GNU_SOURCE
#include "../twokey.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static size_t read_hex(const char *path, uint8_t *to, size_t size)
{
	FILE *f = fopen(path, "re");
	char line[4096];
	size_t n = 0;

	if (f == NULL)
		exit(1);
	while (fgets(line, sizeof line, f) != NULL)
		for (char *p = line; line[0] != '#' && isxdigit((unsigned char)p[0]) && n < size; p += 2) {
			const char digits[3] = {p[0], p[1], 0};

			to[n++] = (uint8_t)strtoul(digits, NULL, 16);
		}
	fclose(f);
	return n;
}

int main(int argc, char **argv)
{
	static const char *const classes[] = {[IO_OK] = "ok", [IO_END] = "end", [IO_CUT] = "cut", [IO_BAD] = "malformed"};

	for (int i = 1; i < argc; i++) {
		static uint8_t bytes[100000];
		static struct frame frame;
		size_t n = read_hex(argv[i], bytes, sizeof bytes);
		struct login l = {.client = -1, .silence_end = now_ms() + 5000, .total_end = now_ms() + 5000};
		int ends[2];

		if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0 || (n > 0 && write(ends[1], bytes, n) != (ssize_t)n))
			return 1;
		close(ends[1]);
		l.fd = ends[0];
		printf("%s %s\n", strrchr(argv[i], '/') + 1, classes[read_frame(&l, &frame)]);
		close(ends[0]);
	}
	return 0;
}

/* floor DIR: the least that a login which keeps what it did can cost: one aligned block of 4 KiB overwritten in DIR/slot and one line appended to
 * DIR/log, each synchronised with fdatasync(2). Linked statically, as what is started at a login is. Both files must be there, slot in full. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SLOT = 4096, LINE = 500 };

static int put(const char *dir, const char *name, int flags, size_t size, char fill)
{
	static char content[SLOT];
	char path[4096];
	int fd;

	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	memset(content, fill, size);
	content[size - 1] = '\n';
	fd = open(path, O_WRONLY | O_CLOEXEC | flags);
	return fd >= 0 && write(fd, content, size) == (ssize_t)size && fdatasync(fd) == 0 && close(fd) == 0;
}

int main(int argc, char **argv)
{
	return argc == 2 && put(argv[1], "slot", 0, SLOT, 's') && put(argv[1], "log", O_APPEND, LINE, 'l') ? 0 : 1;
}

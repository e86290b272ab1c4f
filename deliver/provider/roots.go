package provider

import (
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"twokey/deliver"
)

// maxLinks is how many links are followed, as path_resolution(7) has it.
const maxLinks = 40

// onlyRoots follows a program's name, step by step, to the file that it stands for. It refuses one that somebody else than root can write, or
// put another in place of: the file, each folder, and each link on the way. Folders in which only owners take things away, as /tmp, will do.
// What it returns has no links any more, and is what is to be run: nobody but root can have made another of it meanwhile.
func onlyRoots(program string) (file string, err error) {
	file, rest := "/", steps(program)
	if err := rootsAlone("/"); err != nil {
		return "", err
	}
	for links := 0; len(rest) > 0; {
		next := path.Join(file, rest[0])
		rest = rest[1:]
		var info unix.Stat_t
		if err := unix.Lstat(next, &info); err != nil {
			return "", notStarted(program, err)
		}
		if info.Mode&unix.S_IFMT != unix.S_IFLNK {
			if err := rootsAlone(next); err != nil {
				return "", err
			}
			file = next
			continue
		}
		if links++; links > maxLinks {
			return "", notStarted(program, unix.ELOOP)
		}
		if info.Uid != 0 {
			return "", ofOthers(next)
		}
		target := make([]byte, unix.PathMax)
		n, err := unix.Readlink(next, target)
		if err != nil {
			return "", notStarted(program, err)
		}
		if target[0] == '/' {
			file = "/"
		}
		rest = append(steps(string(target[:n])), rest...)
	}
	return file, nil
}

// steps are the parts of a path.
func steps(name string) []string {
	return strings.FieldsFunc(name, func(r rune) bool { return r == '/' })
}

// rootsAlone refuses a file or folder in which others than root write.
func rootsAlone(name string) error {
	var info unix.Stat_t
	if err := unix.Lstat(name, &info); err != nil {
		return notStarted(name, err)
	}
	sticky := info.Mode&unix.S_IFMT == unix.S_IFDIR && info.Mode&unix.S_ISVTX != 0
	if info.Uid != 0 || info.Mode&0o022 != 0 && !sticky {
		return ofOthers(name)
	}
	return nil
}

func ofOthers(name string) error {
	return &failure{
		problem: deliver.ProblemCommand, detail: name + " can be written by others than root, so it is not run",
		advice: "chown -h root " + name + "; chmod go-w " + name,
	}
}

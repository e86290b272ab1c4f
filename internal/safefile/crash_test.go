package safefile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"twokey/internal/safefile/disktest"
	"twokey/internal/stracetest"
)

func TestMustReplaceSoThatAFullDiskLeavesTheOldFile(t *testing.T) {
	for _, fileSystem := range []string{"ext4", "xfs", "tmpfs"} {
		t.Run(fileSystem, func(t *testing.T) {
			path := disktest.Mount(t, fileSystem)
			d := open(t, path)
			must(t, d.Replace("file", []byte("old"), 0o600))
			free := disktest.Fill(t, path)
			content := bytes.Repeat([]byte("new"), 3000)
			for range 3 { // a leftover of one try must not stop the next
				want(t, d.Replace("file", content, 0o600), unix.ENOSPC)
				want(t, d.WriteNew("another", content, 0o600), unix.ENOSPC)
				want(t, WriteExport(path+"/export", content), unix.ENOSPC)
			}
			holds(t, path+"/file", "old", 0o600)
			if names := all(t, path); !slices.Equal(names, []string{"file"}) {
				t.Errorf("left behind: %q", names)
			}
			free()
			must(t, d.Replace("file", content, 0o600))
			must(t, d.WriteNew("another", content, 0o600))
			must(t, WriteExport(path+"/export", content))
			holds(t, path+"/file", string(content), 0o600)
		})
	}
}

// replaceForever is the task of the child that is killed: the words of each content are all the same number.
func replaceForever(path string) {
	d, err := OpenDir(path)
	if err != nil {
		panic(err)
	}
	fmt.Println("begun")
	for n := uint64(1); ; n++ {
		content := bytes.Repeat(binary.BigEndian.AppendUint64(nil, n), 4096)
		if err := d.Replace("file", content, 0o600); err != nil {
			panic(err)
		}
	}
}

func TestMustReplaceSoThatKillAtAnyMomentLeavesAWholeFile(t *testing.T) {
	d, path := scratch(t)
	must(t, d.Replace("file", make([]byte, 8*4096), 0o600))
	interrupted := 0
	for range 60 {
		cmd := child("replace", path)
		begun, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		_, err = begun.Read(make([]byte, 1))
		must(t, err)
		time.Sleep(rand.N(5 * time.Millisecond))
		must(t, cmd.Process.Kill())
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != -1 {
			t.Fatalf("the child ended by itself: %v", err)
		}
		content, err := d.Read("file", Secret)
		if err != nil || len(content) != 8*4096 || !bytes.Equal(content[8:], content[:len(content)-8]) {
			t.Fatalf("%d bytes, %v: not one whole content", len(content), err)
		}
		interrupted += len(all(t, path)) - 1
		names, err := d.Names()
		if err != nil || len(names) != 1 {
			t.Errorf("names: %q, %v", names, err)
		}
		must(t, d.RemoveStale(time.Now().Add(2*time.Hour), time.Hour))
	}
	if interrupted == 0 {
		t.Error("no kill came in the middle of a Replace: this test has shown nothing")
	}
	if names := all(t, path); !slices.Equal(names, []string{"file"}) {
		t.Errorf("left behind: %q", names)
	}
}

func replaceOnce(path, name string, content []byte) error {
	d, err := OpenDir(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Replace(name, content, 0o600), d.Close())
}

func traced(t *testing.T, path string, options ...string) (trace string, err error) {
	t.Helper()
	return tracedTask(t, "once", path, options...)
}

// tracedTask runs a task under strace(1) with these options and returns what it recorded.
func tracedTask(t *testing.T, task, path string, options ...string) (trace string, err error) {
	t.Helper()
	record := filepath.Join(t.TempDir(), "trace")
	once := child(task, path)
	cmd := exec.Command("strace", append(append([]string{"-f", "-y", "-o", record}, options...), once.Args...)...)
	cmd.Args[len(cmd.Args)-2], cmd.Env = exe(t), once.Env
	out, err := cmd.CombinedOutput()
	b, readErr := os.ReadFile(record)
	must(t, readErr)
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return strings.Join(stracetest.Lines(string(b)), "\n"), err
}

func exe(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	must(t, err)
	return path
}

// Without power cuts, the order of the system calls is what can be seen of durability: the content before the name, and the
// name before the caller is told.
func TestMustSynchroniseTheContentThenTheNameThenTheDirectory(t *testing.T) {
	_, path := scratch(t)
	trace, err := traced(t, path, "-e", "trace=fsync,fdatasync,rename,renameat,renameat2")
	must(t, err)
	order := regexp.MustCompile(`(?s)fsync\(\d+<` + path + `/\.new-[0-9a-f]{16}>\) += 0.*` +
		`renameat2?\(\d+<` + path + `>, "\.new-[0-9a-f]{16}", \d+<` + path + `>, "file".*` +
		`fsync\(\d+<` + path + `>\) += 0`)
	if !order.MatchString(trace) {
		t.Errorf("not in this order:\n%s", trace)
	}
}

func TestMustReplaceSoThatAFailureAtAnyStepLeavesTheOldFile(t *testing.T) {
	for _, step := range []string{"fsync:error=EIO", "fchmod:error=EPERM", "renameat,renameat2:error=EIO"} {
		d, path := scratch(t)
		must(t, d.Replace("file", []byte("old"), 0o600))
		if _, err := traced(t, path, "-e", "inject="+step+":when=1"); err == nil {
			t.Errorf("%s: no error", step)
		}
		holds(t, path+"/file", "old", 0o600)
		if names := all(t, path); !slices.Equal(names, []string{"file"}) {
			t.Errorf("%s left behind: %q", step, names)
		}
	}
	// The directory's own: the file stands there, but its name may not be durable, and the caller must know.
	_, path := scratch(t)
	_, err := traced(t, path, "-P", path, "-e", "inject=fsync:error=EIO")
	if err == nil || !strings.Contains(err.Error(), "input/output error") {
		t.Errorf("the directory could not be synchronised, and the error is: %v", err)
	}
}

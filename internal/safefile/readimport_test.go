package safefile

import (
	"errors"
	"io/fs"
	"net"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestReadImportReadsARegularFileWhoeverOwnsItAndHoweverItIsReached(t *testing.T) {
	_, path := scratch(t)
	write(t, path+"/file", "content", 0o640)
	owned(t, path+"/file")
	link(t, "file", path+"/link")
	for _, name := range []string{"file", "link"} {
		got, err := ReadImport(path+"/"+name, 7)
		if err != nil || string(got.Content) != "content" || got.Mode != 0o640 || got.Owner != stranger {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	got, err := ReadImport(path+"/file", 6)
	want(t, err, ErrSize)
	if got != nil {
		t.Errorf("content together with an error: %+v", got)
	}
	// /proc gives files without a size: the limit counts for what is read.
	_, err = ReadImport("/proc/self/status", 10)
	want(t, err, ErrSize)
	if limit := new(LimitError); !errors.As(err, &limit) || limit.Limit != 10 {
		t.Errorf("%v", err)
	}
}

func TestReadImportMustNotBlockOnAFIFOOrADevice(t *testing.T) {
	_, path := scratch(t)
	must(t, unix.Mkfifo(path+"/fifo", 0o600))
	must(t, unix.Mknod(path+"/zero", unix.S_IFCHR|0o600, int(unix.Mkdev(1, 5))))
	l, err := net.Listen("unix", path+"/socket")
	must(t, err)
	defer l.Close()
	mkdir(t, path+"/directory", 0o700)
	for name, sentinel := range map[string]error{
		"fifo": ErrType, "zero": ErrType, "socket": ErrType, "directory": ErrType, "none": fs.ErrNotExist, "": ErrType,
		"none/file": fs.ErrNotExist, "a\x00b": unix.EINVAL, strings.Repeat("x", 256): unix.ENAMETOOLONG,
	} {
		got, err := ReadImport(path+"/"+name, 100)
		want(t, err, sentinel)
		if got != nil {
			t.Errorf("%q: %+v", name, got)
		}
	}
	before := openDescriptors(t)
	for range 10 {
		if _, err := ReadImport(path+"/fifo", 100); err == nil {
			t.Error("a FIFO was read")
		}
	}
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors open, before it were %d", after, before)
	}
}

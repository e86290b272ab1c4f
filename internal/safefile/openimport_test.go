package safefile

import (
	"io"
	"os"
	"strings"
	"testing"
)

func TestOpenImportRefusesALargeFileBeforeItIsRead(t *testing.T) {
	_, path := scratch(t)
	write(t, path+"/file", "", 0o640)
	must(t, os.Truncate(path+"/file", 1<<30))
	before := openDescriptors(t)
	f, file, err := OpenImport(path+"/file", 1<<20)
	want(t, err, ErrSize)
	if f != nil || file != nil {
		t.Error("a file together with an error")
	}
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors open, before it were %d", after, before)
	}
	for limit, size := range map[int64]string{64 << 20: "64 MiB", 4096: "4 KiB", 100: "100 bytes"} {
		must(t, os.Truncate(path+"/file", limit+1))
		_, _, err := OpenImport(path+"/file", limit)
		if err == nil || !strings.HasSuffix(err.Error(), "/file: too large, want at most "+size) {
			t.Errorf("%v, want %s", err, size)
		}
	}
	must(t, os.Truncate(path+"/file", 5))
	f, file, err = OpenImport(path+"/file", 5)
	must(t, err)
	defer f.Close()
	if b, err := io.ReadAll(f); len(b) != 5 || err != nil || file.Mode != 0o640 || file.Content != nil {
		t.Errorf("%d bytes, %v, %+v", len(b), err, file)
	}
}

package safefile

import (
	"io"
	"os"
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
	must(t, os.Truncate(path+"/file", 5))
	f, file, err = OpenImport(path+"/file", 5)
	must(t, err)
	defer f.Close()
	if b, err := io.ReadAll(f); len(b) != 5 || err != nil || file.Mode != 0o640 || file.Content != nil {
		t.Errorf("%d bytes, %v, %+v", len(b), err, file)
	}
}

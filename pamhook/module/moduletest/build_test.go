package moduletest

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"twokey/internal/pamtest"
)

func openModule(t *testing.T) *elf.File {
	t.Helper()
	f, err := elf.Open(plain(t).module)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestOnlyPAMEntryPointsAreVisible(t *testing.T) {
	symbols, err := openModule(t).DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	var visible []string
	for _, s := range symbols {
		if s.Section != elf.SHN_UNDEF {
			visible = append(visible, s.Name)
		}
	}
	slices.Sort(visible)
	want := []string{"pam_sm_acct_mgmt", "pam_sm_authenticate", "pam_sm_close_session", "pam_sm_open_session", "pam_sm_setcred"}
	if !slices.Equal(visible, want) {
		t.Errorf("visible: %q, want %q", visible, want)
	}
}

// TestNoStateBetweenCalls: several logins may run in one process, and sshd forks between pam_start and pam_authenticate.
func TestNoStateBetweenCalls(t *testing.T) {
	f := openModule(t)
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	ofCompiler := []string{"completed.0", "__dso_handle", "__TMC_END__"}
	for _, s := range symbols {
		if elf.ST_TYPE(s.Info) != elf.STT_OBJECT || s.Section >= elf.SectionIndex(len(f.Sections)) {
			continue
		}
		switch section := f.Sections[s.Section].Name; section {
		case ".data", ".bss", ".tdata", ".tbss":
			if !slices.Contains(ofCompiler, s.Name) {
				t.Errorf("%s is a variable in %s", s.Name, section)
			}
		}
	}
	// One constructor is the compiler's own frame_dummy.
	if s := f.Section(".init_array"); s != nil && s.Size > 8 {
		t.Errorf("%d bytes of constructors", s.Size)
	}
}

func TestModuleIsHardenedAndNeedsOnlyLibpamAndLibc(t *testing.T) {
	f := openModule(t)
	needed, err := f.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	if slices.Sort(needed); !slices.Equal(needed, []string{"libc.so.6", "libpam.so.0"}) {
		t.Errorf("needs %q", needed)
	}
	for tag, what := range map[elf.DynTag]string{elf.DT_RPATH: "RPATH", elf.DT_RUNPATH: "RUNPATH", elf.DT_TEXTREL: "TEXTREL"} {
		if values, err := f.DynValue(tag); err != nil || len(values) > 0 {
			t.Errorf("%s: %v, %v", what, values, err)
		}
	}
	if flags, err := f.DynValue(elf.DT_FLAGS_1); err != nil || len(flags) != 1 || flags[0]&uint64(elf.DF_1_NOW) == 0 {
		t.Errorf("not bound at load time: %v, %v", flags, err)
	}
	segments := map[elf.ProgType]elf.ProgFlag{}
	for _, p := range f.Progs {
		segments[p.Type] = p.Flags
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_W != 0 && p.Flags&elf.PF_X != 0 {
			t.Error("a segment is writable and executable")
		}
	}
	if _, ok := segments[elf.PT_GNU_RELRO]; !ok {
		t.Error("no RELRO")
	}
	if flags, ok := segments[elf.PT_GNU_STACK]; !ok || flags&elf.PF_X != 0 {
		t.Error("the stack is executable")
	}
	imported, err := f.ImportedSymbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range imported {
		if s.Name == "getenv" || s.Name == "secure_getenv" || s.Name == "pthread_create" ||
			s.Name == "fork" || s.Name == "system" || s.Name == "popen" || s.Name == "signal" || s.Name == "sprintf" {
			t.Errorf("the module calls %s", s.Name)
		}
	}
}

// TestPAMAuthtokIsTheOnlyItemThatIsSet: another user would get in with this one's second factor.
func TestPAMAuthtokIsTheOnlyItemThatIsSet(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(pamtest.ModuleDir(t), "*.c"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(content)
	}
	if strings.Count(all.String(), "pam_set_item") != 1 || strings.Count(all.String(), "pam_set_item(l->pamh, PAM_AUTHTOK, l->authtok)") != 1 {
		t.Error("pam_set_item is called more than once or with another item")
	}
}

func TestModuleBuildsWithClangToo(t *testing.T) {
	t.Parallel()
	pamtest.Make(t, "CC=clang", "OUT="+t.TempDir(), "all")
}

// TestModuleHasNoPathOfTheBuilder: the same sources give the same module wherever they lie.
func TestModuleHasNoPathOfTheBuilder(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(plain(t).module)
	if err != nil {
		t.Fatal(err)
	}
	if dir := filepath.Dir(pamtest.ModuleDir(t)); strings.Contains(string(content), dir) {
		t.Errorf("the module names %s", dir)
	}
	if again, err := os.ReadFile(pamtest.BuildModule(t, t.TempDir())); err != nil || string(again) != string(content) {
		t.Errorf("a second build differs (%v)", err)
	}
}

// frameFiles returns the files that the Go package's reader is tested with too.
func frameFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(pamtest.ModuleDir(t), "..", "wire", "testdata", "frames", "*.hex"))
	if err != nil || len(files) < 140 {
		t.Fatalf("%d frame files, want at least 140 (%v)", len(files), err)
	}
	return files
}

func TestFrameFiles(t *testing.T) {
	t.Parallel()
	reader := filepath.Join(t.TempDir(), "read_frames")
	compile(t, reader, "read_frames.c", "-fsanitize=address,undefined", filepath.Join(pamtest.ModuleDir(t), "wire.c"))
	files := frameFiles(t)
	out, err := exec.Command(reader, files...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want := linesOf(string(content), "# module:")
		got := linesOf(string(out), filepath.Base(file))
		if len(want) != 1 || !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", filepath.Base(file), got, want)
		}
	}
}

// TestFuzzTalk lets libFuzzer run over the frame files for a bounded number of runs; `make fuzz` has more patience.
func TestFuzzTalk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out := pamtest.Make(t, "OUT="+dir, "FUZZ_LIMIT=-runs=5000", "fuzz")
	seeds, err := os.ReadDir(filepath.Join(dir, "fuzz", "corpus"))
	const conversations = 11
	if want := len(frameFiles(t)) + conversations; err != nil || len(seeds) < want {
		t.Errorf("%d seeds, want %d (%v)", len(seeds), want, err)
	}
	if !strings.Contains(out, "Done 5000 runs") {
		t.Errorf("the fuzzer did not run to its end:\n%s", out)
	}
}

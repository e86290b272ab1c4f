package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"twokey/internal/pamtest"
)

// A code is good once: it is not spent on a picture that does not fit.
func TestANarrowTerminalIsRefusedBeforeAnybodyIsAsked(t *testing.T) {
	t.Parallel()
	h := newSelfHost(t, "", "alice")
	for columns, asks := range map[int]bool{30: false, 0: true, 200: true} {
		for _, argv := range [][]string{{"enroll"}, {"device", "add"}} {
			h.enrol("alice")
			line, err := encodeSelf(selfRequest{Version: selfVersion, Argv: argv, Columns: columns, UTF8: true})
			if err != nil {
				t.Fatal(err)
			}
			got := h.raw("alice", string(line)+`{"kind":"none","text":""}`+"\n")
			if strings.Contains(got, `"kind":"hidden"`) != asks {
				t.Errorf("%v, %d columns: %s", argv, columns, got)
			}
			says := strings.Contains(got, "this one has 30; nothing was changed") && strings.Contains(got, "add --qr "+h.people["alice"].Name+".png for a picture")
			if says == asks {
				t.Errorf("%v, %d columns: %s", argv, columns, got)
			}
		}
	}
	line, err := encodeSelf(selfRequest{Version: selfVersion, Argv: []string{"enroll", "--qr", "none", "--replace"}, Columns: 30})
	if err != nil {
		t.Fatal(err)
	}
	if got := h.raw("alice", string(line)+`{"kind":"none","text":""}`+"\n"); !strings.Contains(got, `"kind":"hidden"`) {
		t.Errorf("without a picture: %s", got)
	}
}

// ownFolder is a folder of somebody's.
func (h *selfHost) ownFolder(name string) string {
	h.t.Helper()
	dir := filepath.Join(h.dir, "home-"+name)
	uid := int(h.people[name].UID)
	if err := os.Mkdir(dir, 0o700); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Chown(dir, uid, uid); err != nil {
		h.t.Fatal(err)
	}
	return dir
}

func TestAUserHasThePictureInAFileOfHisOwn(t *testing.T) {
	t.Parallel()
	h := newSelfHost(t, "", "alice", "bob")
	dir := h.ownFolder("alice")
	for flags, right := range map[string]bool{"--qr " + dir + "/a.png": true, "--qr=" + dir + "/b.png --yes --replace": true, "-qr " + dir + "/c.png --yes --replace": false} {
		if !strings.Contains(flags, "a.png") {
			h.enrol("alice")
		} else if err := h.Users.Unenroll(h.people["alice"].Name); h.has("alice") {
			t.Fatal(err)
		}
		path := regexpPath(flags)
		x := h.atTerminal("alice", append([]string{"enroll"}, strings.Fields(flags)...)...)
		x.Expect("Password: ")
		answer := h.Password + "\n"
		x.Type(answer)
		if h.has("alice") {
			x.Expect("Verification code: ")
			x.Type(strings.TrimPrefix(h.proof("alice", 0), answer))
		}
		x.Expect("The QR code is in ")
		x.Expect("The code that the app shows now: ")
		if strings.ContainsAny(x.Screen(), "█▀▄") {
			t.Errorf("it is on the screen too:\n%s", x.Screen())
		}
		address := h.readPicture(path, "alice")
		code := appCode(t, address)
		if !right {
			x.Type(strings.Repeat(wrongFor(code)+"\n", confirmTries))
		} else {
			x.Type(code + "\n")
		}
		status := x.Wait()
		_, err := os.Stat(path)
		if (status == exitDone) != right || os.IsNotExist(err) == right {
			t.Errorf("%s: status %d, %v\n%s", flags, status, err, x.Screen())
		}
	}
}

func regexpPath(flags string) string {
	i := strings.Index(flags, "/")
	return strings.Fields(flags[i:])[0]
}

// readPicture reads the QR code in a file that must be somebody's alone.
func (h *selfHost) readPicture(path, name string) string {
	h.t.Helper()
	st, err := os.Stat(path)
	if err != nil || st.Mode() != 0o600 || st.Sys().(*syscall.Stat_t).Uid != h.people[name].UID {
		h.t.Fatalf("%v, %v", st, err)
	}
	out, err := exec.Command("zbarimg", "--quiet", "--raw", "--nodbus", path).Output()
	if err != nil {
		h.t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// What cannot be written is found out before the password and the code; root's side never hears of a file.
func TestAPictureThatCannotBeWrittenAsksForNothing(t *testing.T) {
	t.Parallel()
	h := newSelfHost(t, "", "alice")
	dir := h.ownFolder("alice")
	if err := os.WriteFile(dir+"/there.png", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{
		dir + "/there.png":     "file already exists",
		dir + "/no/folder.png": "no such file or directory",
		dir + "/x.gif":         "a file that ends in .png or .svg",
		"file":                 `not "file"`,
	} {
		_, complaint, status := h.as("alice", "", "enroll", "--qr", path)
		if status == exitDone || !strings.Contains(complaint, says) || strings.Contains(complaint, "Password") {
			t.Errorf("%s: status %d, %s", path, status, complaint)
		}
	}
	if out, err := exec.Command("twokey", "--root="+t.TempDir(), "enroll", "root", "--qr", "file").CombinedOutput(); err == nil || !strings.Contains(string(out), `not "file"`) {
		t.Errorf("%s, %v", out, err)
	}
}

func TestTheNameOfTheFileStaysHere(t *testing.T) {
	for typed, want := range map[string]string{
		"enroll --qr /a.png":                "enroll --qr file",
		"enroll -qr=/a.png --device /a.png": "enroll -qr=file --device /a.png",
		"enroll --qr none --qr /a.png":      "enroll --qr none --qr file",
	} {
		f := &ownFile{picture: &picture{path: "/a.png"}}
		if got := f.argv(strings.Fields(typed)); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: %v", typed, got)
		}
	}
}

// An address that nobody asked for is drawn nowhere.
func TestTheClientDrawsOnlyWhatWasWished(t *testing.T) {
	var out bytes.Buffer
	u := &ui{in: newInput(strings.NewReader("")), out: &out, err: &out}
	if err := (*ownFile)(nil).draw(u, "otpauth://totp/x"); err != errSelf {
		t.Error(err)
	}
	file, err := openPicture(t.TempDir() + "/" + pamtest.Suffix() + ".svg")
	if err != nil {
		t.Fatal(err)
	}
	f := &ownFile{picture: file}
	first, second := f.draw(u, "otpauth://totp/x?secret=GEZDGNBV"), f.draw(u, "otpauth://totp/y")
	content, err := os.ReadFile(file.path)
	if first != nil || second != errSelf || err != nil || !bytes.Contains(content, []byte("<svg")) {
		t.Errorf("%v, %v, %v", first, second, err)
	}
	if err := f.end(errGone); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(file.path); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
}

package apps

import (
	"strings"
	"testing"

	"twokey/deliver/fakes"
	"twokey/internal/pamtest"
)

// With Duo: where it does not know the phone yet, its address is shown; then a request has to be allowed. Whom Duo lets in without asking has
// shown no phone.
func TestAUserEnrolsWithDuoOverSSH(t *testing.T) {
	t.Parallel()
	s, people := newServiceSite(t, "", 1)
	anna, sshd := people[0], s.Sshd()
	must(t, s.Users.Reset(anna.Name))
	code := s.enrolmentCode(anna)
	s.duo.User(anna.Name, fakes.DuoUser{Policy: "allow"})
	x := pamtest.OpenTerminal(t, sshd.Client("ssh", anna.Name+"@127.0.0.1"))
	x.Expect("assword: ")
	x.Type(s.Password + "\n")
	toMenu(x, code)
	toDuo := func() {
		x.Type("7\n")
		x.Expect("Press Enter when it is installed (or q to stop): ")
		x.Type("\n")
	}
	toDuo()
	x.Expect("The message could not be sent.")
	x.Expect(toChoose)

	s.duo.Forget(anna.Name)
	toDuo()
	x.Expect(fakes.DuoEnrollURL)
	x.Expect("Press Enter to send a request to the phone (or q to stop): ")
	s.duo.User(anna.Name, fakes.DuoUser{})
	x.Type("\n")
	x.Expect("Allow the request on your phone, then press Enter here: ")
	q := s.theQuestion(t)
	if q.User != anna.Name || q.Factor != "push" || !strings.HasPrefix(q.Type, "Link this phone to "+anna.Name) {
		t.Errorf("%+v", q)
	}
	if enrolled, err := s.Users.Secrets.Enrolled(anna.Name); err != nil || enrolled {
		t.Errorf("enrolled %v, %v", enrolled, err)
	}
	s.duo.Answer(q.TxID, "allow")
	x.Type("\n")
	x.Expect("Press Enter when you have written them down: ")
	x.Type("\n")
	x.Expect("$ ")
	if record, err := s.Users.Secrets.Load(anna.Name); err != nil || len(record.Devices) != 1 || record.Devices[0].Method != "push" {
		t.Errorf("linked %v, %v", record, err)
	}
	s.Verified()
}

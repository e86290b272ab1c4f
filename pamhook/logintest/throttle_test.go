package logintest

import (
	"testing"

	"twokey/enroll"
	"twokey/pamhook/logintest/scratch"
	"twokey/pamhook/wire"
)

// from is a login of alice from an address, in a connection of its own.
func (h *host) from(address, client string) *wire.Hello {
	hello := h.login("alice", uid)
	hello.RHost, hello.Client = address, client
	return hello
}

func (h *host) answer(hello *wire.Hello, answer string) bool {
	h.t.Helper()
	return h.run(hello, talk{answers: []any{answer}, field: "hunter" + answer}).allowed()
}

const (
	home     = "198.51.100.1"
	hotel    = "203.0.113.9"
	stranger = "192.0.2.66"
)

// attacked is a host on which alice has logged in from home, and a stranger has then typed thirty wrong codes.
func attacked(t *testing.T) (*host, *enroll.Draft) {
	t.Helper()
	h := newHost(t, "")
	token := h.Enrol("alice", uid, counted())
	if !h.answer(h.from(home, home+":1"), scratch.Code(t, token, 0)) {
		t.Fatal("the owner did not get in before the attack")
	}
	for i := range 30 {
		if h.answer(h.from(stranger, stranger+":7"), "000000") {
			t.Fatalf("wrong code %d was accepted", i)
		}
	}
	return h, token
}

func TestAfterThirtyWrongCodesTheKnownSourceGetsInWithOneCode(t *testing.T) {
	h, token := attacked(t)
	if !h.answer(h.from(home, home+":2"), scratch.Code(t, token, 1)) {
		t.Errorf("refused: %s", h.Last(1)[0].Record.Reason)
	}
}

func TestAfterThirtyWrongCodesTheStrangerIsHeldToTheBucket(t *testing.T) {
	h, token := attacked(t)
	if h.answer(h.from(stranger, stranger+":8"), scratch.Code(t, token, 1)) {
		t.Error("the stranger's single code was looked at although the bucket is empty")
	}
	if h.answer(h.from(hotel, hotel+":8"), scratch.Code(t, token, 1)) {
		t.Error("another stranger's single code was looked at: the bucket is per source, which a botnet has many of")
	}
	if reason := h.Last(1)[0].Record.Reason; reason != "throttled: only two codes in a row are looked at" {
		t.Errorf("recorded as %q", reason)
	}
}

func TestAfterThirtyWrongCodesTheOwnerGetsInFromANewSourceWithAPair(t *testing.T) {
	h, token := attacked(t)
	if h.answer(h.from(hotel, hotel+":1"), scratch.Code(t, token, 1)+"000000") {
		t.Error("half a pair was accepted")
	}
	if !h.answer(h.from(hotel, hotel+":1"), scratch.Code(t, token, 1)+" "+scratch.Code(t, token, 2)) {
		t.Fatalf("the pair was refused: %s", h.Last(1)[0].Record.Reason)
	}
	if !h.answer(h.from(hotel, hotel+":2"), scratch.Code(t, token, 3)) {
		t.Errorf("after the pair the source is known, and one code was refused all the same: %s", h.Last(1)[0].Record.Reason)
	}
}

func TestAfterThirtyWrongCodesARecoveryCodeGetsInFromANewSource(t *testing.T) {
	h := newHost(t, "")
	r := scratch.Request()
	r.Recovery = 2
	draft := h.Enrol("alice", uid, r)
	for range 30 {
		h.answer(h.from(stranger, stranger+":7"), scratch.Wrong(t, draft))
	}
	if !h.answer(h.from(hotel, hotel+":1"), draft.RecoveryCodes[0]) {
		t.Errorf("refused: %s", h.Last(1)[0].Record.Reason)
	}
}

func TestFreshIPv6AddressesOfOneNetworkAreOneSource(t *testing.T) {
	h := newHost(t, "")
	token := h.Enrol("alice", uid, counted())
	if !h.answer(h.from("2001:db8:0:1::1", "[2001:db8:0:1::1]:1"), scratch.Code(t, token, 0)) {
		t.Fatal("the owner did not get in")
	}
	for range 30 {
		h.answer(h.from(stranger, stranger+":7"), "000000")
	}
	if !h.answer(h.from("2001:db8:0:1:ffff::2", "[2001:db8:0:1:ffff::2]:1"), scratch.Code(t, token, 1)) {
		t.Error("another address of the owner's network is taken for a stranger")
	}
	if h.answer(h.from("2001:db8:0:2::1", "[2001:db8:0:2::1]:1"), scratch.Code(t, token, 2)) {
		t.Error("an address of another network is taken for the owner's")
	}
}

func TestAnAddressMappedIntoIPv6IsTheSameSource(t *testing.T) {
	h := newHost(t, "")
	token := h.Enrol("alice", uid, counted())
	if !h.answer(h.from(home, home+":1"), scratch.Code(t, token, 0)) {
		t.Fatal("the owner did not get in")
	}
	for range 30 {
		h.answer(h.from(stranger, stranger+":7"), "000000")
	}
	if !h.answer(h.from("::ffff:"+home, home+":2"), scratch.Code(t, token, 1)) {
		t.Error("the same address in IPv6 spelling is taken for a stranger")
	}
}

func TestTyposBeforeTheRightCodeOfAConnectionCostNothing(t *testing.T) {
	h := newHost(t, "")
	token := h.Enrol("alice", uid, counted())
	for round := range 12 { // 24 typos: more than any bucket holds
		for range 2 {
			h.answer(h.from(home, home+":9"), "000000")
		}
		if !h.answer(h.from(home, home+":9"), scratch.Code(t, token, int64(round))) {
			t.Fatalf("round %d: the right code was refused: %s", round, h.Last(1)[0].Record.Reason)
		}
	}
}

func TestSuccessesOfOthersGiveAnAttackerNothingBack(t *testing.T) {
	h := newHost(t, "")
	token := h.Enrol("alice", uid, counted())
	for round := range 12 {
		// One server process for everybody, whose sockets the module does not find.
		h.answer(h.from(stranger, ""), "000000")
		if !h.answer(h.from(home, ""), scratch.Code(t, token, int64(round))) {
			t.Fatalf("round %d: the right code was refused: %s", round, h.Last(1)[0].Record.Reason)
		}
	}
	if h.answer(h.from(stranger, ""), scratch.Code(t, token, 12)) {
		t.Error("after twelve wrong codes the stranger's bucket still pays for a look")
	}
}

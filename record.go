package aictail

// Record is the unit in which events enter the journal.
type Record struct {
	// Stream names the sequence of pages that the record belongs to, for
	// example "tail/prod/am-access".
	Stream string
	// Checkpoint is the stream's restart state once the record is durable; nil
	// leaves it as it was. Its format belongs to the stream's owner.
	Checkpoint []byte
	// Events may be empty in a record that only moves the checkpoint.
	Events []Event
}

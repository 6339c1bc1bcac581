// Package journal is the durable log of events between the tailers and the sinks.
//
// It owns the folder of segment files: their format, when a record counts as
// durable, what a reader sees, what is deleted and what is set aside. It does not
// know what a stream's checkpoint means, which events are duplicates or who reads
// it: those who read keep their own positions (package checkpoint stores them).
//
// # Crash safety
//
// A record is in one of three states. Written: Append returned; nobody can read
// it, and a crash may keep or lose it. Durable: Sync returned nil; every reader
// gets it exactly once, whatever happens to the process or the power. Void: Append
// or Sync returned an error; no reader ever gets it, unless the process ends
// before any later Append succeeded: then the record is what an unsynced record is
// after a crash, kept or lost as a whole.
//
// What the journal assumes: a file that was fsynced keeps its bytes; a file's name
// survives once its folder was fsynced; a write that was not fsynced may survive
// in any part. What it does with that:
//
//   - A segment is written by one run of the program only, strictly in order. Its
//     header and its name are durable before the first record in it counts.
//   - After a failed write or fsync nothing is known about the file any more, not
//     even whether a second fsync that succeeds means anything. So everything
//     after the last durable byte becomes void, the segment ends there, and the
//     next Append starts a new segment. The header of the new segment says where
//     the previous one ends: void records that reached the disk in spite of the
//     error are outside, also after a restart. File names strictly between the two
//     are left over from failed creations, were never counted, and are removed.
//   - Numbers of void positions are not given out again while the process lives.
//     After a restart they may be; nobody has seen them.
//   - At Open the newest segment is read as a whole. A bad record that can't have
//     been durable, and all behind it, is cut off: the crash tore it. To tell a
//     torn record from a rotten one every record carries the offset up to which
//     its segment was durable when it was written.
//   - A bad record that was durable is damage: it is skipped, reported with its
//     positions, stream and times, and its file is kept in the folder corrupt/.
//     Checkpoints in damaged records are not used.
//   - Segments are deleted oldest first, each deletion durable before the next, so
//     that what is there is always the newest part without a hole. A hole is
//     reported as damage.
//
// Known limit: if truncating a failed segment fails too and later the header of
// its successor rots, void records of the failed segment may be read.
//
// # Why own segments and not hashicorp/raft-wal
//
// raft-wal is a good log for one consumer, the Raft library, and that shows:
// entries are numbered without gaps and a failed write must be repeated under the
// same number, while here numbers of failed writes must never come back; it is
// truncated at both ends by index, while here several readers, a retention time
// and a size decide; a corrupt entry makes the log unusable, while here a record
// is skipped, reported and its file kept, because the tenant can be asked again;
// it keeps its index in a second store (bbolt) that has to agree with the files;
// it preallocates and has one entry per index, not a page of events with the
// state of its stream. Its last release is of 2023. What it does well is taken
// over: fsync of file and folder before anything counts, a checksum on everything,
// tests that fail every single file operation.
package journal

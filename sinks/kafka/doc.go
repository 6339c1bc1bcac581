// Package kafka writes events to Kafka, each event once, through kill -9, lost
// connections and leaders that move. It owns the connections to the brokers, the
// choice of topic and partition, the records, and reading back what a request
// without an answer has left. It does not batch, wait between attempts or count,
// which is deliver's part.
//
// # Records
//
// A record's value is the event's Raw, its time the event's, its key what the
// configured JSON pointer finds. The headers say what the value may not:
// aictail-id, aictail-position, aictail-source, aictail-tenant, and aictail-origin,
// which is the installation's id and the sink's name.
//
// Of each partition at most one request is on its way, acknowledged by all
// replicas in sync, so events with one key keep their order. After a failure
// nothing more is sent to the partition before the failed events came again.
//
// # Crash safety
//
// There is no idempotent producer in kafka-go, and one would not help: its
// sequence numbers do not survive the process. Once comes from the positions in
// the headers.
//
// Assumed of Kafka: a record that was acknowledged with acks=all stays, and so
// does a record that could be read, until retention removes it. An unclean leader
// election breaks this for every client. Assumed of the topic: records are not
// compacted away while their events are uncommitted, nor removed by retention.
//
// The state, which is committed with the read position, holds an offset for each
// partition, next, such that
//
//	every record of ours whose event is uncommitted is at or behind next,
//	or its event is named in the state (ahead).
//
// An acknowledgement tells the records' offsets, so after a batch next is exactly
// behind them. Before the first request to a partition that the state does not
// name, its end is asked for and saved. The state stays true whatever part of a
// batch deliver commits, since events that are delivered while ones before them
// failed are named in it.
//
// A partition is in doubt after a start, and after a request that may have
// arrived: no answer, or one that does not exclude that the records were appended
// (a time-out, too few replicas after the append, a leader that lost its office
// while it waited for them). Nothing more is sent to it before the doubt is
// settled.
//
// As long as the connection lives, the answer can still come: a broker that stood
// still acts on what is in its sockets when it goes on, however late. So the
// connection is kept and the answer waited for, across any number of Sends, unless
// another broker leads the partition by now, or minutes have passed.
//
// If there will be no answer, the partition is read from next to its end. The events of ours that are found are delivered, all others of
// the doubt are not; next moves to the end. What was found is a set of single
// positions. It is never a highest position below which all is skipped: events
// reach several partitions and so arrive out of order, and a replay sends old
// positions again on purpose, which must arrive.
//
// The end that is read to is the end of the leader's log, not the end that a
// consumer sees: a record can be in the log, wait for replicas, and become
// readable later. The leader tells that end to the replica id for debugging. If
// what consumers see does not reach it in time, the doubt stays, and its events
// wait.
//
// A doubt concerns an event wherever it would be sent now. In a running process
// the events of each request are known; one that is waited for is not sent
// anywhere. After a restart an event can be behind next only in a partition of its
// topic that it could have been sent to: the one for its key or, without a key or
// if the number of partitions has changed, any. If topic or key were configured
// differently, every partition in the state is read before anything is sent.
//
// What else can happen to a log:
//
//   - Retention has removed next: reading begins at the first record there is.
//   - The topic was made anew, or its end was cut off by an unclean election, so
//     that next is behind the end: all of it is read, and the last 100,000 events
//     of ours in it are noted. An acknowledgement below next shows the same; the
//     state is then saved at once. If a new log has grown past the old next before
//     that, the records of one batch are not found.
//   - The topic is gone: nothing of it can be found, and sending pauses until it
//     exists. If the sink itself has created a topic, what was known of the name is
//     forgotten.
//   - Others write to the topic: their records are read and passed over; other
//     sinks and installations have another origin. The offset of a quiet partition
//     is moved on every ten minutes, so that there is never much to read, as long as
//     the sink is sent anything and the topic was written to since the start.
//
// # Where an event can repeat
//
// A request that was written, and that the broker has not taken from its socket
// when the partition has been read back, can still be appended afterwards: the
// process was killed, or its connection cut, at that moment, and the broker was
// slower with the old request than with four round trips on a new connection. No
// client that does without Kafka's transactions can exclude it. A stop of the
// daemon waits for answers, not to bring it about (see stopGrace). The other cases
// are named above: records that were removed, compacted or lost between the crash and the
// restart, and a topic made anew at that moment.
//
// # Why not something simpler
//
// Reading the highest position of each partition at start, without a state, would
// need to read back without bound to find a partition's last record of ours, and
// "all up to the highest" is wrong as said above. Transactions would bind the
// records to Kafka but not to the read position, for which the state is needed
// anyway; kafka-go can't produce in one either.
package kafka

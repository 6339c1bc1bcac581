package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	kafkago "github.com/segmentio/kafka-go"

	"aictail/sinks"
)

// effect says what a produce request that failed has done.
type effect int

const (
	// unclear: the records may be in the log, or get there.
	unclear effect = iota
	// nothing: the broker refused the records before it appended them.
	nothing
	// tooLarge: nothing, because there are too many of them or one is too large.
	tooLarge
	// badRecord: nothing, because of one record or several.
	badRecord
)

// codes says what the error codes mean that an operator or the sink can do
// something about. A code that is not here is one of kind Retry with an unclear
// effect: that is always safe. In particular the codes of a leader that is no
// longer one (3, 5, 6, 56) also come when it had appended the records and lost
// its office while it waited for the replicas.
var codes = map[kafkago.Error]struct {
	kind   sinks.Kind
	effect effect
	remedy string
}{
	kafkago.MessageSizeTooLarge: {sinks.Split, tooLarge, "raise max.message.bytes of the topic"},
	kafkago.RecordListTooLarge:  {sinks.Split, tooLarge, "raise segment.bytes of the topic"},
	kafkago.InvalidMessageSize:  {sinks.Split, tooLarge, "raise max.message.bytes of the topic"},
	kafkago.InvalidRecord:       {sinks.Poison, badRecord, "look for checks of records at the broker, such as schema validation"},
	kafkago.InvalidTimestamp: {sinks.Poison, badRecord,
		"the time of the event is out of the bounds of the topic: raise message.timestamp.before.max.ms and check the broker's clock"},
	kafkago.InvalidMessage:          {sinks.Retry, nothing, "the request was damaged on its way"},
	kafkago.NotEnoughReplicas:       {sinks.Retry, nothing, "fewer replicas are in sync than min.insync.replicas of the topic asks for: bring brokers back"},
	kafkago.ThrottlingQuotaExceeded: {sinks.Retry, nothing, "raise the quota of aictail's user"},

	kafkago.NotEnoughReplicasAfterAppend: {sinks.Retry, unclear, "fewer replicas are in sync than min.insync.replicas of the topic asks for: bring brokers back"},
	kafkago.KafkaStorageError:            {sinks.Retry, unclear, "check the disks of the broker"},
	kafkago.RequestTimedOut:              {sinks.Retry, unclear, "the replicas are slow: check the brokers, or raise timeout"},

	kafkago.TopicAuthorizationFailed:    {sinks.Refused, nothing, "grant aictail's user Write, Read and Describe on the topic (Read is for telling after a crash what has arrived)"},
	kafkago.ClusterAuthorizationFailed:  {sinks.Refused, nothing, "grant aictail's user the right at the cluster: Create for create_topics"},
	kafkago.InvalidTopic:                {sinks.Refused, nothing, "Kafka does not take a topic of that name: change topic"},
	kafkago.InvalidRequiredAcks:         {sinks.Refused, nothing, "the broker does not take acks=all"},
	kafkago.UnsupportedForMessageFormat: {sinks.Refused, nothing, "the topic has a message format without headers: remove its message.format.version"},
	kafkago.UnsupportedCompressionType:  {sinks.Refused, nothing, "the broker does not know this compression: change compression"},
	kafkago.UnsupportedVersion:          {sinks.Refused, nothing, "the broker is too old or too new for this version of aictail"},
	kafkago.PolicyViolation:             {sinks.Refused, nothing, "a policy of the cluster forbids it"},
	kafkago.SecurityDisabled:            {sinks.Refused, nothing, "the broker has security switched off"},
	kafkago.SASLAuthenticationFailed:    {sinks.Refused, nothing, "check sasl.username, sasl.password and sasl.mechanism"},
	kafkago.UnsupportedSASLMechanism:    {sinks.Refused, nothing, "change sasl.mechanism"},
	kafkago.IllegalSASLState:            {sinks.Refused, nothing, "the broker's listener asks for SASL: set sasl.mechanism, sasl.username and sasl.password"},
	kafkago.InvalidReplicationFactor:    {sinks.Refused, nothing, "there are not that many brokers: change create_topics.replication"},
	kafkago.InvalidPartitionNumber:      {sinks.Refused, nothing, "change create_topics.partitions"},
	kafkago.InvalidConfiguration:        {sinks.Refused, nothing, "a default of the cluster does not hold for a new topic: create the topic by hand"},
}

// codeError is an error code in a few words: kafkago's are sentences.
type codeError struct{ code kafkago.Error }

func (e *codeError) Error() string {
	if e.code.Title() == "" {
		return fmt.Sprintf("Kafka error %d", int(e.code))
	}
	return fmt.Sprintf("%s (Kafka error %d)", e.code.Title(), int(e.code))
}

func (e *codeError) Unwrap() error { return e.code }

// codeOf returns the error code in err, if the broker gave one.
func codeOf(err error) (kafkago.Error, bool) {
	return errors.AsType[kafkago.Error](err)
}

// notSent reports whether a request failed before all of it was written.
func notSent(err error) bool {
	_, ok := errors.AsType[*notSentError](err)
	return ok
}

// effectOf says what a produce request that failed with err has done.
func effectOf(err error) effect {
	if notSent(err) {
		return nothing
	}
	code, ok := codeOf(err)
	if !ok {
		return unclear
	}
	return codes[code].effect
}

// classify turns a failure into one that says how to go on. What it was about
// stands in front. Free text of the broker is left out, as it may quote a
// record.
func classify(about string, err error) *sinks.Error {
	if e, ok := errors.AsType[*sinks.Error](err); ok {
		return e
	}
	if code, ok := codeOf(err); ok {
		verdict := codes[code]
		text := fmt.Errorf("%s: %w", about, &codeError{code})
		if verdict.remedy != "" {
			text = fmt.Errorf("%w: %s", text, verdict.remedy)
		}
		return &sinks.Error{Kind: verdict.kind, Err: text}
	}
	kind, remedy := connectionTrouble(err)
	text := fmt.Errorf("%s: %w", about, stripped(err))
	if remedy != "" {
		text = fmt.Errorf("%w: %s", text, remedy)
	}
	return &sinks.Error{Kind: kind, Err: text}
}

// stripped takes the names of kafkago's functions away, which say nothing to an
// operator.
func stripped(err error) error {
	if e, ok := errors.AsType[*notSentError](err); ok {
		return e.err
	}
	if inner := errors.Unwrap(err); inner != nil && strings.HasPrefix(err.Error(), "kafka.(*Client).") {
		return inner
	}
	return err
}

// connectionTrouble says of a failure without a code what is to be done.
func connectionTrouble(err error) (sinks.Kind, string) {
	_, unknownHost := errors.AsType[*net.DNSError](err)
	_, badCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, unknownAuthority := errors.AsType[x509.UnknownAuthorityError](err)
	_, notTLS := errors.AsType[tls.RecordHeaderError](err)
	_, handshake := errors.AsType[*tlsError](err)
	_, auth := errors.AsType[*authError](err)
	op, _ := errors.AsType[*net.OpError](err)
	alert := op != nil && op.Op == "remote error" // how crypto/tls marks what the other side says
	switch {
	case errors.Is(err, context.Canceled):
		return sinks.Retry, ""
	case unknownHost:
		return sinks.Retry, "check brokers, and the names that the brokers give themselves (advertised.listeners)"
	case handshake && (errors.Is(err, io.EOF) || errors.Is(err, context.DeadlineExceeded)):
		return sinks.Retry, "if this goes on, the port may be one without TLS: check brokers and tls.enabled"
	case errors.Is(err, errSASLCut):
		return sinks.Retry, "if this goes on, check sasl.username, sasl.password and sasl.mechanism"
	case errors.Is(err, context.DeadlineExceeded):
		return sinks.Retry, "check that the brokers can be reached and are well, or raise timeout"
	case badCertificate, unknownAuthority:
		return sinks.Refused, "check tls.ca_file and tls.server_name"
	case alert:
		return sinks.Refused, "the broker does not accept aictail's side of TLS: check tls.cert_file and tls.key_file"
	case notTLS:
		return sinks.Refused, "the broker does not speak TLS on this port: check brokers and tls.enabled"
	case auth:
		return sinks.Refused, "check sasl.username, sasl.password and sasl.mechanism"
	case errors.Is(err, errNotKafka):
		return sinks.Refused, "check brokers and tls.enabled"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return sinks.Retry, "if this goes on, the broker may want TLS or SASL on this port: check tls.enabled and sasl.mechanism"
	}
	return sinks.Retry, sinks.Unreached(err, "brokers")
}

// refused is an error that somebody has to do something about.
func refused(format string, args ...any) *sinks.Error {
	return &sinks.Error{Kind: sinks.Refused, Err: fmt.Errorf(format, args...)}
}

// retry is an error that goes away.
func retry(format string, args ...any) *sinks.Error {
	return &sinks.Error{Kind: sinks.Retry, Err: fmt.Errorf(format, args...)}
}

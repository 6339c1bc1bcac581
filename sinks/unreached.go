package sinks

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// Unreached says what to do about a connection that was not made or was lost, "" for
// errors of another kind. key is the configuration key with the addresses.
func Unreached(err error, key string) string {
	op, _ := errors.AsType[*net.OpError](err)
	dns, unresolved := errors.AsType[*net.DNSError](err)
	switch {
	case op != nil && op.Op == "proxyconnect":
		return "the proxy cannot be reached: check HTTPS_PROXY, HTTP_PROXY and NO_PROXY in the daemon's environment"
	case unresolved && dns.IsNotFound:
		return "no such name is known: check " + key + " and this machine's DNS"
	case unresolved:
		return "this machine's DNS does not answer: check it"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nobody listens there: start the server, or check " + key
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "no way leads there: check " + key + ", routes and firewalls"
	case op != nil && op.Op == "dial" && op.Timeout():
		return "nothing answers there: check " + key + ", and look for a firewall on the way"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was cut: if this goes on, look at the server and at what is on the way to it"
	}
	return ""
}

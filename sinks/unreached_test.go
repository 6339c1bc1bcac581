package sinks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestUnreached(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	_, refused := net.Dial("tcp", address)
	on := func(op string, err error) error {
		return fmt.Errorf("send: %w", &net.OpError{Op: op, Net: "tcp", Err: err})
	}
	for _, tt := range []struct {
		err  error
		want string // "" for nothing
	}{
		{refused, "nobody listens there: start the server, or check urls"},
		{on("proxyconnect", on("dial", syscall.ECONNREFUSED)), "HTTPS_PROXY"},
		{on("dial", &net.DNSError{IsNotFound: true}), "no such name is known: check urls"},
		{on("dial", &net.DNSError{IsTimeout: true}), "DNS does not answer"},
		{on("dial", os.NewSyscallError("connect", syscall.EHOSTUNREACH)), "check urls, routes"},
		{on("dial", os.NewSyscallError("connect", syscall.ETIMEDOUT)), "firewall"},
		{on("dial", os.ErrDeadlineExceeded), "firewall"},
		{on("read", os.NewSyscallError("read", syscall.ECONNRESET)), "cut"},
		{on("write", os.NewSyscallError("write", syscall.EPIPE)), "cut"},
		{fmt.Errorf("read: %w", io.ErrUnexpectedEOF), "cut"},
		{io.EOF, "cut"},
		{context.Canceled, ""},
		{context.DeadlineExceeded, ""},
		{errors.New("something else"), ""},
	} {
		got := Unreached(tt.err, "urls")
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%v: %q, want %q", tt.err, got, tt.want)
		}
	}
}

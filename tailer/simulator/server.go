package simulator

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Start serves the tenant on a free port of the loopback interface and returns
// its URL. stop closes all connections, stalled ones too, and returns when the
// server's goroutines have ended.
func Start(t *Tenant) (url string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listen for the simulated tenant: %w", err)
	}
	var connections sync.WaitGroup
	server := &http.Server{
		Handler:           t,
		ReadHeaderTimeout: 10 * time.Second,
		// http.Server.Close does not wait for handlers; their connections tell
		// when they are done. StateNew is reported by Serve's own goroutine, so
		// none begins after Serve has returned.
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				connections.Add(1)
			case http.StateHijacked, http.StateClosed:
				connections.Done()
			}
		},
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	stop = sync.OnceFunc(func() {
		// Errors of closing say nothing that the caller could act on.
		_ = server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			_ = listener.Close()
		}
		connections.Wait()
	})
	return "http://" + listener.Addr().String(), stop, nil
}

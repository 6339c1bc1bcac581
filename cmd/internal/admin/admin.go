// Package admin serves the daemon's own HTTP pages: /healthz, /readyz, /metrics,
// /api/status and a page that shows the status to people. It owns no state: what
// it shows is handed to it. It serves no event content and no secrets.
package admin

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/exporter-toolkit/web"
	"go.uber.org/zap"
)

//go:embed status.html status.css status.js
var files embed.FS

// Check is one condition of readiness.
type Check struct {
	Name string
	// Err returns nil if the condition holds, otherwise what is wrong. It must
	// not block.
	Err func() error
}

// Config is what the user sets.
type Config struct {
	// Address is host:port.
	Address string
	// WebConfigFile, in the form of Prometheus's exporters, has TLS and users; "" is
	// neither. It is read again with every request.
	WebConfigFile string
}

// Deps is what the program injects. Its functions are called concurrently.
type Deps struct {
	Gatherer prometheus.Gatherer
	Checks   []Check
	// Alive returns nil while the daemon makes progress at all.
	Alive  func() error
	Status func() (Status, error)
	// Backfill has the sweep of a source read a stretch of time.
	Backfill func(BackfillRequest) (BackfillResult, error)
	// Replay sets a sink back in the journal, and ReplayLetters sends a sink its
	// dead letters again. Both wait for the sink until their context ends.
	Replay        func(context.Context, ReplayRequest) (ReplayResult, error)
	ReplayLetters func(context.Context, LettersRequest) (LettersResult, error)
	// Log takes warnings of connections that fail; nil: none.
	Log *zap.Logger
}

// BackfillRequest is the body of a POST to /api/backfill.
type BackfillRequest struct {
	Tenant string    `json:"tenant"`
	Source string    `json:"source"`
	Begin  time.Time `json:"begin"`
	End    time.Time `json:"end"`
	// Again has the time read also where it is covered.
	Again bool `json:"again,omitempty"`
	// Duplicates allows that events are delivered once more that the journal no longer
	// knows of.
	Duplicates bool `json:"duplicates,omitempty"`
}

// BackfillResult is the answer.
type BackfillResult struct {
	// Covered: all of that time has been swept; there is nothing to do.
	Covered bool `json:"covered,omitempty"`
}

// RequestHeader must be set on every POST. A page of another site that a browser
// shows cannot set it.
const RequestHeader = "X-Aictail-Request"

// Server is the admin server.
type Server struct {
	listener net.Listener
	http     *http.Server
	log      webLog
	// web is the web configuration as it was when the server was made: whether it
	// speaks https does not change.
	web  WebConfig
	file string
}

// Listen binds the address. Serve answers on it.
func Listen(cfg Config, deps Deps) (*Server, error) {
	webConfig, err := ReadWebConfig(cfg.WebConfigFile)
	if err != nil {
		return nil, fmt.Errorf("admin.web_config_file: %w", err)
	}
	page, err := template.New("status.html").Funcs(funcs).ParseFS(files, "status.html")
	if err != nil {
		return nil, fmt.Errorf("parse the status page: %w", err)
	}
	l, err := net.Listen("tcp", cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("admin.listen: %w; choose another address or stop what uses this one", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeChecks(w, []Check{{Name: "daemon", Err: deps.Alive}})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { writeChecks(w, deps.Checks) })
	mux.Handle("GET /metrics", promhttp.HandlerFor(deps.Gatherer, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /api/status", func(w http.ResponseWriter, _ *http.Request) {
		status, err := deps.Status()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(status) // the reader has gone away
	})
	mux.HandleFunc("POST /api/backfill", handle(func(_ context.Context, req BackfillRequest) (BackfillResult, error) {
		return deps.Backfill(req)
	}))
	mux.HandleFunc("POST /api/replay", handle(deps.Replay))
	mux.HandleFunc("POST /api/deadletter/replay", handle(deps.ReplayLetters))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		status, err := deps.Status()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		w.Header().Set("Cache-Control", "no-store")
		_ = page.Execute(w, newView(status, r.FormValue("span"))) // the reader has gone away
	})
	for _, name := range []string{"status.css", "status.js"} {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, name) })
	}
	log := newWebLog(deps.Log)
	return &Server{listener: l, log: log, web: webConfig, file: cfg.WebConfigFile, http: &http.Server{
		Handler: mux, ErrorLog: log.std(),
		// Scrapes and people are local and quick; these bounds keep a stuck
		// client from holding a connection for ever.
		ReadHeaderTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
	}}, nil
}

// URL returns the address that the server is bound to.
func (s *Server) URL() string { return s.web.Scheme() + "://" + s.listener.Addr().String() + "/" }

// Serve answers until ctx ends.
func (s *Server) Serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = s.http.Close() })
	defer stop()
	if err := web.Serve(s.listener, s.http, &web.FlagConfig{WebConfigFile: &s.file}, slog.New(s.log)); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("admin server: %w", err)
	}
	return nil
}

// Close releases the address without serving.
func (s *Server) Close() error { return s.listener.Close() }

// writeChecks answers 200 with a line per check, or 503 if one fails.
func writeChecks(w http.ResponseWriter, checks []Check) {
	var body []byte
	code := http.StatusOK
	for _, c := range checks {
		if err := c.Err(); err != nil {
			code = http.StatusServiceUnavailable
			body = fmt.Appendf(body, "failed: %s: %v\n", c.Name, err)
		} else {
			body = fmt.Appendf(body, "ok: %s\n", c.Name)
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(body) // the reader has gone away
}

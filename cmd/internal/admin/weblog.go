package admin

import (
	"context"
	"log"
	"log/slog"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// webLog takes what the libraries that serve say of failed connections and of a web
// configuration that cannot be read any more. Anybody who can connect can make them
// say it: of each kind, one line a minute goes to the log.
type webLog struct{ log *zap.Logger }

func newWebLog(l *zap.Logger) webLog {
	if l == nil {
		l = zap.NewNop()
	}
	return webLog{l.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(core, time.Minute, 1, 0)
	}))}
}

// std returns the log that http.Server writes to.
func (l webLog) std() *log.Logger { return log.New(l, "", 0) }

// Write takes a line of http.Server's.
func (l webLog) Write(line []byte) (int, error) {
	l.log.Warn("the admin server could not serve a connection", zap.String("reason", explainText(string(line))))
	return len(line), nil
}

func explainText(line string) string {
	// A handshake that fails because of the web configuration says so here.
	return explain(textError(strings.TrimSpace(line)))
}

// textError is an error with a text and nothing else.
type textError string //nolint:errname // not a kind of error

func (e textError) Error() string { return string(e) }

// Enabled, Handle, WithAttrs and WithGroup implement slog.Handler.
func (l webLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle takes a record of the toolkit's, whose messages are constant.
func (l webLog) Handle(_ context.Context, r slog.Record) error {
	reason := ""
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "err" {
			reason = explainText(a.Value.String())
		}
		return true
	})
	l.log.Error("admin.web_config_file: "+r.Message+": the admin server answers nobody until it is mended", zap.String("reason", reason))
	return nil
}

func (l webLog) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l webLog) WithGroup(string) slog.Handler      { return l }

package main

import (
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"

	"aictail/cmd/internal/config"
	"aictail/cmd/internal/supervise"
)

// newLogger returns the daemon's own log, one line per entry. In systemd's journal the
// lines have priorities, for "journalctl -p warning".
func newLogger(c config.Log, w zapcore.WriteSyncer) (*zap.Logger, error) {
	level, err := zapcore.ParseLevel(c.Level)
	if err != nil {
		return nil, fmt.Errorf("log.level: %w", err)
	}
	encoder := newEncoder(c.Format)
	if w == os.Stderr && supervise.StderrIsJournal() {
		encoder = prioritised{Encoder: encoder, pool: buffer.NewPool()}
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(w), level)), nil
}

func newEncoder(format string) zapcore.Encoder {
	enc := zap.NewProductionEncoderConfig()
	enc.TimeKey = "time"
	enc.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	enc.EncodeDuration = zapcore.StringDurationEncoder
	if format != "console" {
		return zapcore.NewJSONEncoder(enc)
	}
	enc.EncodeTime = zapcore.TimeEncoderOfLayout(time.TimeOnly)
	enc.EncodeLevel = zapcore.CapitalLevelEncoder
	enc.ConsoleSeparator = "  "
	return zapcore.NewConsoleEncoder(enc)
}

// prioritised begins each line with its priority as sd-daemon(3) wants it; the journal
// takes that off again.
type prioritised struct {
	zapcore.Encoder
	pool buffer.Pool
}

func (p prioritised) Clone() zapcore.Encoder {
	return prioritised{Encoder: p.Encoder.Clone(), pool: p.pool}
}

func (p prioritised) EncodeEntry(e zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	line, err := p.Encoder.EncodeEntry(e, fields)
	if err != nil {
		return nil, err
	}
	defer line.Free()
	out := p.pool.Get()
	out.AppendString(priority(e.Level))
	_, err = out.Write(line.Bytes())
	return out, err
}

func priority(level zapcore.Level) string {
	switch {
	case level >= zapcore.ErrorLevel:
		return "<3>"
	case level == zapcore.WarnLevel:
		return "<4>"
	case level == zapcore.InfoLevel:
		return "<6>"
	}
	return "<7>"
}

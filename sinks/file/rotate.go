package file

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"go.uber.org/zap"
)

// due reports whether a file is to be rotated before the batch is written. Only
// a clean file is: its rotated form is never cut.
func (s *Sink) due(t *target, touched bool, now time.Time) bool {
	if t.length == 0 || t.h == nil || !t.clean() {
		return false
	}
	if s.rotation.Every > 0 && now.Sub(t.since) >= s.rotation.Every {
		return true
	}
	return touched && s.rotation.MaxSize > 0 && t.length+t.bytes > s.rotation.MaxSize
}

// rotate gives a file its rotated name and lets go of it. A crash after the
// rename loses nothing: the next Open warns that the file is gone from its path.
func (s *Sink) rotate(t *target, now time.Time) error {
	if err := t.h.Sync(); err != nil {
		t.cut = true // the handle is of no more use; reclaim opens another one
		return fmt.Errorf("rotate output file: %w", err)
	}
	name, err := s.freeName(t.path, now)
	if err != nil {
		return fmt.Errorf("rotate output file: %w", err)
	}
	if err := s.fs.Rename(t.path, name); err != nil {
		return fmt.Errorf("rotate output file: %w", err)
	}
	size := t.length
	if err := t.forget(); err != nil {
		s.log.Warn("close rotated file", zap.String("file", name), zap.Error(err))
	}
	if err := s.fs.SyncFolder(filepath.Dir(t.path)); err != nil {
		return fmt.Errorf("rotate output file: %w", err)
	}
	s.log.Info("rotated output file", zap.String("file", t.path), zap.String("to", name), zap.Int64("bytes", size))
	s.archiver.add(strings.TrimSuffix(t.path, s.template.ext))
	return nil
}

// freeName returns a rotated name that is taken neither by a file nor by its
// compressed form.
func (s *Sink) freeName(path string, now time.Time) (string, error) {
	stem := strings.TrimSuffix(path, s.template.ext) + "-" + now.UTC().Format(stampLayout)
	for n := 0; ; n++ {
		name := stem + s.template.ext
		if n > 0 {
			name = fmt.Sprintf("%s-%d%s", stem, n, s.template.ext)
		}
		taken := false
		for _, suffix := range []string{"", suffixGzip, suffixZstd} {
			_, err := s.fs.Stat(name + suffix)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return "", err
			}
			taken = taken || err == nil
		}
		if !taken {
			return name, nil
		}
	}
}

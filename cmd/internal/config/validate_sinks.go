package config

import (
	"maps"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// minRotate is where a size is more likely a forgotten unit than meant.
const minRotate = 64 << 10

// Bounds of what is sent at once. A reader of the journal holds 4 MiB twice; below
// 64 KiB, or with a minute between two batches, nothing works as it should.
const (
	maxBatchEvents = 100_000
	minBatchBytes  = 64 << 10
	maxBatchBytes  = 4 << 20
	maxBatchAge    = time.Minute
	// minDeadLetters holds the largest event of a usual tenant.
	minDeadLetters = 1 << 20
)

// delivery checks the keys that all types of sink have.
func (v *validator) delivery(path string, s Sink) {
	batch := below(path, "batch")
	if n := s.Batch.MaxEvents; n < 1 || n > maxBatchEvents {
		v.add(below(batch, "max_events"), "want 1 to %d", maxBatchEvents)
	}
	if n := s.Batch.MaxBytes; n < minBatchBytes || n > maxBatchBytes {
		v.add(below(batch, "max_bytes"), "want %s to %s", Bytes(minBatchBytes), Bytes(maxBatchBytes))
	}
	v.duration(below(batch, "max_age"), s.Batch.MaxAge, 0, maxBatchAge)
	if s.DeadLetters.MaxSize < minDeadLetters {
		v.add(below(below(path, "dead_letters"), "max_size"), "want at least %s", Bytes(minDeadLetters))
	}
}

func (v *validator) fileSink(path string, f *FileSink) {
	v.template(below(path, "path"), f.Path)
	r := f.Rotate
	rotate := below(path, "rotate")
	if r.MaxSize != 0 && r.MaxSize < minRotate {
		v.add(below(rotate, "max_size"), "want at least %s, or 0 for never; is the unit missing?", Bytes(minRotate))
	}
	if r.Every != 0 {
		v.duration(below(rotate, "every"), r.Every, time.Second, math.MaxInt64)
	}
	if r.Keep < 0 {
		v.add(below(rotate, "keep"), "want the number of old files to keep, or 0 for all")
	}
	if r.MaxSize == 0 && r.Every == 0 && (r.Keep > 0 || r.Compress != "none") {
		v.warn(rotate, "keep and compress have no effect without max_size or every")
	}
}

// template checks the path of a file sink.
func (v *validator) template(key, path string) {
	v.path(key, path, "name a file, such as /var/log/aictail/{tenant}/{source}.ndjson")
	for _, found := range regexp.MustCompile(`\{[^{}]*\}`).FindAllString(path, -1) {
		if !slices.Contains([]string{"{tenant}", "{source}", "{date}"}, found) {
			v.add(key, "unknown placeholder%s; the placeholders are {tenant}, {source} and {date}", v.got(key, found))
		}
	}
	if bare := regexp.MustCompile(`\{[^{}]*\}`).ReplaceAllString(path, ""); strings.ContainsAny(bare, "{}") {
		v.add(key, "has a { or } that is not part of {tenant}, {source} or {date}")
	}
	if last := path[strings.LastIndexByte(path, '/')+1:]; last == "" || last == "." || last == ".." {
		v.add(key, "ends with a folder: add the name of a file, such as {source}.ndjson")
	}
}

// sharedPaths finds file sinks that would write to the same files.
func (v *validator) sharedPaths(sinks map[string]Sink) {
	first := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(sinks)) {
		file := sinks[name].File
		if file == nil || file.Path == "" {
			continue
		}
		path := filepath.Clean(file.Path)
		if absolute, err := filepath.Abs(path); err == nil {
			path = absolute
		}
		if other, twice := first[path]; twice {
			v.add(below(below("sinks", name), "path"), "the same as that of sink %s: two sinks cannot write to one file", other)
			continue
		}
		first[path] = name
	}
}

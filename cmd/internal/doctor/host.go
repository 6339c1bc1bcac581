package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"aictail/checkpoint"
	"aictail/cmd/internal/admin"
	"aictail/cmd/internal/config"
	"aictail/sinks"
	"aictail/sinks/file"
)

// dataDir looks at the folder of the daemon's state.
func dataDir(cfg *config.Config) []sinks.Finding {
	const remedy = "give the user that runs aictail write permission, or set another data_dir; run doctor as that user"
	folder := cfg.DataDir
	_, err := os.Stat(folder)
	missing := errors.Is(err, fs.ErrNotExist)
	for errors.Is(err, fs.ErrNotExist) && folder != filepath.Dir(folder) {
		folder = filepath.Dir(folder)
		_, err = os.Stat(folder)
	}
	if err := file.Writable(folder); err != nil {
		return []sinks.Finding{bad("folder", remedy, "%v", err)}
	}
	found := good("folder", "%s can be written by this user (uid %d)", cfg.DataDir, os.Geteuid())
	if missing {
		found = good("folder", "%s does not exist yet; the daemon creates it when it starts first", cfg.DataDir)
	}
	return []sinks.Finding{found, journalSpace(cfg, folder)}
}

// journalSpace compares what the journal may grow to with what is free.
func journalSpace(cfg *config.Config, folder string) sinks.Finding {
	free, err := file.Free(folder)
	if err != nil {
		return doubtful("space", "", "%v", err)
	}
	used := sizeOf(filepath.Join(cfg.DataDir, "journal"))
	most := int64(cfg.Journal.MaxSize)
	text := fmt.Sprintf("the journal has %s of at most %s, and %s are free", admin.Size(used), admin.Size(most), admin.Size(int64(free)))
	if used+int64(free) < most {
		return doubtful("space", "free space there or lower journal.max_size: polling stops when the disk is full, long before the journal is",
			"%s", text)
	}
	return good("space", "%s", text)
}

// sizeOf returns the size of the files in a folder; 0 if it cannot be read.
func sizeOf(folder string) int64 {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return 0
	}
	var size int64
	for _, e := range entries {
		if in, err := e.Info(); err == nil && in.Mode().IsRegular() {
			size += in.Size()
		}
	}
	return size
}

// daemon looks whether one runs, and asks it how it is.
func daemon(ctx context.Context, cfg *config.Config, version string) []sinks.Finding {
	pid, held, err := checkpoint.Holder(cfg.DataDir)
	switch {
	case err != nil:
		return []sinks.Finding{doubtful("lock", "", "%v", err)}
	case !held:
		return idle(ctx, cfg)
	}
	running := fmt.Sprintf("a daemon runs on this data_dir (pid %d)", pid)
	if cfg.Admin.Listen == "" {
		return []sinks.Finding{good("lock", "%s; its admin server is off, so that it cannot be asked how it is", running)}
	}
	status, err := askDaemon(ctx, cfg.Admin)
	if err != nil {
		return []sinks.Finding{bad("status", "look at its log; if admin.listen was changed since it started, restart it",
			"%s, but does not answer at admin.listen: %v", running, err)}
	}
	list := []sinks.Finding{good("lock", "%s, version %s, since %s UTC", running, status.Version, status.Started.UTC().Format(time.DateTime))}
	if status.Version != version {
		list = append(list, doubtful("version", "restart it to run the new one", "the daemon has version %s and this program %s", status.Version, version))
	}
	return append(list, wellbeing(status)...)
}

// idle is what is found where no daemon runs.
func idle(ctx context.Context, cfg *config.Config) []sinks.Finding {
	list := []sinks.Finding{good("lock", "no daemon runs on this data_dir")}
	if cfg.Admin.Listen == "" {
		return list
	}
	d := net.Dialer{Timeout: 2 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", cfg.Admin.Listen)
	if err != nil {
		return list // as it should be: nobody listens
	}
	_ = conn.Close()
	return append(list, doubtful("admin", "set another admin.listen, or stop what uses it",
		"something else listens on %s, so that a daemon could not start", cfg.Admin.Listen))
}

// wellbeing is what the daemon says of itself.
func wellbeing(s *admin.Status) []sinks.Finding {
	var list []sinks.Finding
	if s.CompleteUntil.IsZero() {
		list = append(list, good("complete", "it is not known yet until when everything is in the journal"))
	} else {
		list = append(list, good("complete", "everything until %s UTC is in the journal, %s ago",
			s.CompleteUntil.UTC().Format(time.DateTime), s.Now.Sub(s.CompleteUntil).Round(time.Second)))
	}
	for _, reason := range s.Reasons {
		list = append(list, doubtful("complete", "", "%s", reason))
	}
	for _, t := range s.Tenants {
		if t.Trouble != "" {
			list = append(list, doubtful("tenant", "", "%s: %s", t.Name, t.Trouble))
		}
	}
	for _, k := range s.Sinks {
		lag := time.Duration(k.LagSeconds * float64(time.Second)).Round(time.Second)
		switch {
		case k.Trouble != "":
			list = append(list, doubtful("delivery", "", "sink %s: %s (%s behind)", k.Name, k.Trouble, lag))
		case k.Paused:
			list = append(list, doubtful("delivery", "", "sink %s is paused (%s behind)", k.Name, lag))
		}
	}
	if s.Journal.Full {
		list = append(list, bad("journal", "mend the sink that is behind; polling goes on by itself then", "the journal is full"))
	}
	return list
}

func askDaemon(ctx context.Context, a config.Admin) (*admin.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	client, err := admin.NewClient(a)
	if err != nil {
		return nil, err
	}
	var status admin.Status
	if err := client.Call(ctx, http.MethodGet, "/api/status", nil, &status); err != nil {
		return nil, err
	}
	if status.Version == "" {
		return nil, errors.New("what answers there is not aictail")
	}
	return &status, nil
}

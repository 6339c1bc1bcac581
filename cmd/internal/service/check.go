package service

import (
	"maps"
	"net"
	"os"
	"slices"

	"go.uber.org/zap"

	"aictail/cmd/internal/admin"
	"aictail/cmd/internal/config"
)

// Check finds what config.Load cannot, because it does not know the parts: what is
// wrong with the rules of the filter, with a sink or with the web configuration of the
// admin server is returned as *config.Problems, what is doubtful as warnings. It reaches
// nobody.
func Check(cfg *config.Config) ([]config.Problem, error) {
	_, warnings, err := NewFilter(cfg, nil)
	if err != nil {
		return nil, err
	}
	if err := checkSinks(cfg); err != nil {
		return nil, err
	}
	doubtful, err := checkWebConfig(cfg.Admin)
	return append(warnings, doubtful...), err
}

// checkSinks makes every sink, which touches nothing.
func checkSinks(cfg *config.Config) error {
	var list []config.Problem
	for _, name := range slices.Sorted(maps.Keys(cfg.Sinks)) {
		if _, err := newIdle(name, cfg.Sinks[name]); err != nil {
			// It begins with the key below the sink's.
			list = append(list, config.Problem{Key: "sinks." + name, Msg: err.Error()})
		}
	}
	if len(list) == 0 {
		return nil
	}
	return &config.Problems{File: "configuration", List: list}
}

// warnOpenFolder warns of a folder of the state that others may write to: they could
// take events away, add others or have some skipped.
func warnOpenFolder(dir string, log *zap.Logger) {
	if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o002 != 0 {
		log.Warn("data_dir: everybody on this machine may change the state: chmod o-w it", zap.String("data_dir", dir))
	}
}

func checkWebConfig(a config.Admin) ([]config.Problem, error) {
	const key = "admin.web_config_file"
	if a.Listen == "" || a.WebConfigFile == "" {
		return nil, nil
	}
	c, err := admin.ReadWebConfig(a.WebConfigFile)
	if err != nil {
		return nil, &config.Problems{File: "configuration", List: []config.Problem{{Key: key, Msg: err.Error()}}}
	}
	host, _, _ := net.SplitHostPort(a.Listen) // config.Load has checked it
	switch local := host == "localhost" || net.ParseIP(host).IsLoopback(); {
	case local:
	case c.Users && !c.TLS:
		return []config.Problem{{Key: key, Msg: "has users and no TLS: everybody on the way can read their passwords"}}, nil
	case !c.Users && !c.ClientCertificates:
		return []config.Problem{{Key: key, Msg: "has neither users nor client certificates: everybody who reaches admin.listen may see the status and have events sent again"}}, nil
	}
	return nil, nil
}

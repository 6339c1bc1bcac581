package elasticsearch

import (
	"cmp"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
)

// newMask replaces the credentials, in every form in which they are sent, in a text of
// the server's: servers and proxies may repeat what they refuse.
func newMask(cfg Config) *strings.Replacer {
	secrets := []string{cfg.Password, cfg.APIKey}
	if cfg.Password != "" {
		secrets = append(secrets, encode64(cfg.Username+":"+cfg.Password))
	}
	if cfg.APIKey != "" {
		secrets = append(secrets, encodedKey(cfg.APIKey))
		decoded, err := base64.StdEncoding.DecodeString(cfg.APIKey)
		if _, key, ok := strings.Cut(string(decoded), ":"); err == nil && ok {
			secrets = append(secrets, key)
		}
		if _, key, ok := strings.Cut(cfg.APIKey, ":"); ok {
			secrets = append(secrets, key)
		}
	}
	// The longest first: where one contains another, all of it must go.
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	var pairs []string
	for _, s := range secrets {
		if s != "" {
			pairs = append(pairs, s, "***")
		}
	}
	return strings.NewReplacer(pairs...)
}

// masked returns an error of the server's without the credentials.
func (s *Sink) masked(err error) error {
	text := err.Error()
	if hidden := s.mask.Replace(text); hidden != text {
		return errors.New(hidden)
	}
	return err
}

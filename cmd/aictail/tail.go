package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aictail/cmd/internal/config"
	"aictail/cmd/internal/live"
	"aictail/cmd/internal/service"
	"aictail/cmd/internal/terminal"
	"aictail/filter/query"
	"aictail/tailer/aic"
)

// tailOptions are the flags of tail, as given.
type tailOptions struct {
	tenant, level, query, transaction, since string
	sources                                  []string
	json, text, utc                          bool
}

// mostSince is how far back tail goes: the most that one range query may cover.
const mostSince = 24 * time.Hour

func newTail() *cobra.Command {
	var o tailOptions
	cmd := &cobra.Command{
		Use:   "tail --config FILE [--tenant T] [--source a,b] [--level L] [--query Q]",
		Short: "Show a tenant's events live on the terminal",
		Long: `Show the events of a tenant as they come, until interrupted. Events are put
together and redacted by the configured filter, drop rules included, before
anything is shown. Nothing is stored, and a running daemon goes on beside it.

It takes about a fifth of the tenant's request limit, which it shares with the
daemon and everybody else with a key. As any tail of this API it may leave out an
event; the daemon does not (aictail coverage).

On a terminal each event is a block for people; elsewhere, or with --json, a line
of JSON. NO_COLOR is honoured. --query is the tenant's _queryFilter language, but
is evaluated here, before redaction and on events that were put together.`,
		Example: `  aictail tail --config aictail.yaml --level WARN
  aictail tail --config aictail.yaml --source am-access,am-core --since 5m
  aictail tail --config aictail.yaml --transaction 1664994108426-9f138d8fc9f59d23164c-26467/0
  aictail tail --config aictail.yaml --query '/payload/response/statusCode eq "500"'
  aictail tail --config aictail.yaml --text --since 1h | less -R`,
		Args: cobra.NoArgs,
	}
	path := configFlag(cmd)
	f := cmd.Flags()
	f.StringVar(&o.tenant, "tenant", "", "`name` of the tenant; needed if there are several")
	f.StringSliceVar(&o.sources, "source", nil, "`sources` to show; default: those that are configured")
	f.StringVar(&o.level, "level", "", "least `level`: "+terminal.LevelNames)
	f.StringVar(&o.query, "query", "", "only events that match this `filter`, in the language of _queryFilter")
	f.StringVar(&o.transaction, "transaction", "", "only events of the request with this transaction `id`")
	f.StringVar(&o.since, "since", "", "begin earlier: a `moment`, as a duration back such as 5m or a time in RFC 3339; at most 24h")
	f.BoolVar(&o.json, "json", false, "lines of JSON also on a terminal")
	f.BoolVar(&o.text, "text", false, "blocks for people also where stdout is no terminal")
	f.BoolVar(&o.utc, "utc", false, "times in UTC instead of local time")
	cmd.MarkFlagsMutuallyExclusive("json", "text")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		choice, since, err := o.parse(time.Now())
		if err != nil {
			return err
		}
		cfg, err := config.Load(*path, os.Environ())
		if err != nil {
			return failed(err)
		}
		ctx, stop := untilSignal(cmd.Context())
		defer stop()
		return failed(inFile(*path, o.run(ctx, cfg, live.Config{Since: since}, newEventWriter(cmd, &o, choice))))
	}
	return cmd
}

// parse checks the flags that need no configuration.
func (o *tailOptions) parse(now time.Time) (choice live.Choice, since time.Time, err error) {
	if o.level != "" {
		if choice.Level = terminal.ParseLevel(o.level); choice.Level == terminal.NoLevel {
			return choice, since, fmt.Errorf("--level %q: want %s", o.level, terminal.LevelNames)
		}
	}
	if o.query != "" {
		if choice.Query, err = query.Compile(o.query); err != nil {
			return choice, since, fmt.Errorf("--query: %w", err)
		}
	}
	choice.Transaction = o.transaction
	if strings.HasPrefix(o.transaction, "/") {
		return choice, since, fmt.Errorf("--transaction %q: want an id as events have it, such as a1b2-request-3/0", o.transaction)
	}
	if o.since != "" {
		if since, err = config.ParseSince(o.since, now); err != nil {
			return choice, since, fmt.Errorf("--since: %w", err)
		}
		if now.Sub(since) > mostSince {
			return choice, since, errors.New("--since: at most 24h; what is older the daemon fetches (aictail backfill)")
		}
	}
	return choice, since, nil
}

// run follows the tenant until ctx ends.
func (o *tailOptions) run(ctx context.Context, cfg *config.Config, follow live.Config, w *eventWriter) error {
	name, err := pickTenant(cfg, o.tenant)
	if err != nil {
		return err
	}
	t := cfg.Tenants[name]
	chain, warnings, err := service.NewFilter(cfg, nil)
	if err != nil {
		return err
	}
	for _, warning := range slices.Concat(cfg.Warnings, warnings) {
		if strings.HasPrefix(warning.Key, "filter.redact") { // the others do not concern who looks on
			w.note("warning: " + warning.String())
		}
	}
	w.filter = chain.NewPass()
	client, err := service.NewClient(t, versionString())
	if err != nil {
		return fmt.Errorf("tenants.%s: %w", name, err)
	}
	follow.Tenant, follow.QueryFilter = name, t.QueryFilter
	// The configured reserve is what the daemon leaves to people: half of that is
	// left to others.
	follow.Reserve = t.Requests.Reserve / 2
	if follow.Sources, err = o.pickSources(ctx, client, t); err == nil {
		w.note("following tenant " + name + ": " + follow.Sources)
		err = live.New(follow, live.Deps{Client: client, Emit: w.write, Note: w.note}).Run(ctx)
	}
	switch {
	case ctx.Err() != nil && err != nil && errors.Is(err, context.Canceled), err == nil:
		return nil // interrupted, as it is meant to end
	case errors.Is(err, errOutput):
		return err
	}
	return tailTrouble(name, t, err)
}

// tailTrouble says what to do about a failure of the tenant's.
func tailTrouble(name string, t config.Tenant, err error) error {
	remedy := ""
	_, answered := errors.AsType[*aic.StatusError](err)
	switch {
	case errors.Is(err, aic.ErrServer):
		remedy = "; if this goes on, look at the tenant's status (aictail doctor)"
		if t.QueryFilter != "" {
			remedy = fmt.Sprintf("; if this goes on, check tenants.%s.query_filter, which a tenant may answer with 500", name)
		}
	case !answered && !errors.Is(err, aic.ErrBody) && !errors.Is(err, aic.ErrRedirect):
		remedy = fmt.Sprintf("; check tenants.%s.url, DNS, proxy and firewall (aictail doctor)", name)
	}
	return fmt.Errorf("tenant %s: %w%s", name, err, remedy)
}

// pickTenant returns the tenant that is meant.
func pickTenant(cfg *config.Config, name string) (string, error) {
	names := slices.Sorted(maps.Keys(cfg.Tenants))
	switch {
	case name == "" && len(names) == 1:
		return names[0], nil
	case name == "":
		return "", &exitError{exitUsage, fmt.Errorf("there are several tenants: name one with --tenant: %s", strings.Join(names, ", "))}
	case !slices.Contains(names, name):
		return "", &exitError{exitUsage, fmt.Errorf("--tenant %s: the configuration has only %s", name, strings.Join(names, ", "))}
	}
	return name, nil
}

// pickSources returns the sources to follow, separated by commas. The tenant is asked
// what it has if the configuration does not tell.
func (o *tailOptions) pickSources(ctx context.Context, client *aic.Client, t config.Tenant) (string, error) {
	configured := strings.Join(t.Entries(), ",")
	wanted := o.sources
	if len(wanted) == 0 {
		if !t.Discover() {
			return configured, nil
		}
	} else if known := strings.Split(configured, ","); !slices.ContainsFunc(wanted, func(s string) bool { return !slices.Contains(known, s) }) {
		return strings.Join(wanted, ","), nil
	}
	offered, _, err := client.Sources(ctx)
	if err != nil {
		return "", err
	}
	slices.Sort(offered)
	if len(wanted) == 0 {
		offered = slices.DeleteFunc(offered, func(s string) bool { return strings.HasSuffix(s, "-everything") })
		return strings.Join(offered, ","), nil
	}
	for _, source := range wanted {
		if !slices.Contains(offered, source) {
			return "", &exitError{exitUsage, fmt.Errorf("--source %s: the tenant has only %s", source, strings.Join(offered, ", "))}
		}
	}
	return strings.Join(wanted, ","), nil
}

// errOutput marks a failure to write to stdout.
var errOutput = errors.New("write the events")

// stderrNote writes what a person who is looking on should know.
func stderrNote(w io.Writer) func(string) {
	return func(text string) { fmt.Fprintln(w, "aictail:", terminal.Printable(text)) }
}

package service

// metricGroup is a part of docs/metrics.md.
type metricGroup struct {
	title   string
	metrics []metricRow
}

// metricRow is what docs/metrics.md says of a metric beyond what is registered with
// it. Labels and meaning are taken from there.
type metricRow struct {
	name, kind, unit string
	// change says what it means that the value changes, or that it does not.
	change string
}

const (
	counter   = "counter"
	gauge     = "gauge"
	histogram = "histogram"
)

// metricTable names every metric, in the order of docs/metrics.md. A metric that is
// new to the code is a row here; `go test ./cmd/internal/service -update` then writes
// the page.
var metricTable = []metricGroup{
	{"Completeness", []metricRow{
		{"aictail_complete_until_timestamp_seconds", gauge, "seconds since 1970",
			"follows the clock at the distance of `sweep.settle` and a sweep's interval. Standing still: a gap is not swept yet. Not there if the sweep is off"},
		{"aictail_sweep_behind_seconds", gauge, "seconds",
			"up to a few minutes is normal. Falling from more: the sweep catches up. Growing: it cannot keep up, or the tenant or the journal stops it"},
		{"aictail_oldest_missing_timestamp_seconds", gauge, "seconds since 1970",
			"compare with now less 30 days: what is left of that distance is how long a gap can still be fetched"},
		{"aictail_lost_seconds_total", counter, "seconds",
			"growing: entries are lost for good; the log has the bounds. With `start: 30d` the first seconds are, by nature"},
		{"aictail_sink_complete_until_timestamp_seconds", gauge, "seconds since 1970",
			"follows `aictail_complete_until_timestamp_seconds` within seconds. Standing still alone: the sink is behind. It is kept through restarts, unless other sources are swept then"},
		{"aictail_late_arrival_seconds", histogram, "seconds",
			"growing: `sweep.settle` is too short, and complete-until runs ahead of what arrives later; the log recommends a longer one"},
		{"aictail_gaps_total", counter, "gaps",
			"growing: the sweep has more to fetch, or, with the sweep off, entries are missing. `page_full`: poll the source in an entry of its own"},
	}},
	{"Tenants and their budget", []metricRow{
		{"aictail_tenant_up", gauge, "0 or 1",
			"0: nothing is read. `aictail_api_requests_total` tells a refused key (401, 403) from no connection (`network`)"},
		{"aictail_api_requests_total", counter, "requests",
			"a few other codes than 200 are everyday life and are retried. 429 growing: others use up the quota. Mostly 5xx or `body`: the tenant is unwell"},
		{"aictail_rate_limit_limit", gauge, "requests a minute",
			"smaller: the tenant has changed its limit; polls become rarer by themselves"},
		{"aictail_rate_limit_remaining", gauge, "requests",
			"near 0 all the time: others use the quota, and the sweep may fall behind"},
		{"aictail_clock_skew_seconds", gauge, "seconds",
			"beyond 5 s either way: set the clock. Ahead of the tenant, windows are swept before they have settled; behind it, everything is later than need be"},
	}},
	{"Events and sources", []metricRow{
		{"aictail_events_received_total", counter, "events",
			"the traffic of the source. `via=\"sweep\"` growing beside `tail`: that much the tail leaves out"},
		{"aictail_events_duplicate_total", counter, "events",
			"grows at least as fast as the traffic, since the sweep reads everything once more"},
		{"aictail_last_event_timestamp_seconds", gauge, "seconds since 1970",
			"standing still: the source is silent, or the tenant is down"},
		{"aictail_fragments_total", counter, "events",
			"`loose` growing: events arrive in parts that could not be joined"},
		{"aictail_entries_without_timestamp_total", counter, "entries",
			"growing: the tenant writes timestamps that this version cannot read; please report it"},
	}},
	{"Filter and redaction", []metricRow{
		{"aictail_events_dropped_total", counter, "events",
			"growing faster than expected: a rule of `filter` drops more than was meant"},
		{"aictail_redactions_total", counter, "values",
			"a rule that never counts finds nothing: is its field still called that?"},
		{"aictail_events_quarantined_total", counter, "events",
			"growing: events lack their content at the sinks; `reason` says why. `panic` and `error`: please report it"},
	}},
	{"Journal", []metricRow{
		{"aictail_journal_bytes", gauge, "bytes",
			"holds `journal.retain` of traffic. Growing beyond: a sink is behind"},
		{"aictail_journal_max_bytes", gauge, "bytes",
			"`journal.max_size`. Once reached, polling waits"},
		{"aictail_journal_damaged_records_total", counter, "stretches",
			"over 0: the disk loses data, or somebody has changed files; the sweep fetches the time again"},
		{"aictail_journal_write_failures_total", counter, "failures",
			"growing: the disk of `data_dir` is full or fails; nothing is read from the tenants until it takes writes again"},
		{"aictail_data_dir_free_bytes", gauge, "bytes",
			"less than the journal may still grow (`aictail_journal_max_bytes` less `aictail_journal_bytes`): the disk is full before the journal is"},
	}},
	{"Sinks", []metricRow{
		{"aictail_sink_events_total", counter, "events",
			"the traffic to the sink. Standing still while events arrive: see the errors"},
		{"aictail_sink_lag_seconds", gauge, "seconds",
			"seconds are normal. Growing with the clock: nothing is delivered. High while older time is swept: the events themselves are old"},
		{"aictail_sink_paused", gauge, "0 or 1",
			"1: only a person can mend it; the log and `/readyz` name the cause. It goes on by itself then"},
		{"aictail_sink_errors_total", counter, "failures",
			"`retry`: the destination is down or busy. `refused`: see `aictail_sink_paused`. `split`: batches are larger than it takes. `poison`: dead letters"},
		{"aictail_sink_batch_duration_seconds", histogram, "seconds",
			"growing: the destination becomes slower"},
		{"aictail_sink_possible_duplicates_total", counter, "events",
			"growing more often than the destination is restarted: connections are cut or time out"},
		{"aictail_dead_letters_total", counter, "events",
			"growing: the destination refuses events as they are: a mapping or a limit. All counted are kept"},
		{"aictail_dead_letters", gauge, "events",
			"over 0: events wait for somebody to mend the cause and send them again"},
		{"aictail_dead_letter_bytes", gauge, "bytes",
			"at `aictail_dead_letter_max_bytes` the sink pauses"},
		{"aictail_dead_letter_max_bytes", gauge, "bytes",
			"`dead_letters.max_size` of the sink"},
	}},
	{"Program", []metricRow{
		{"aictail_build_info", gauge, "1", "another `version`: it was upgraded"},
		{"aictail_config_last_reload_successful", gauge, "0 or 1",
			"0: the file was changed and refused; the log, the status page and `aictail validate` say why. The next restart would fail with it"},
		{"aictail_config_last_reload_success_timestamp_seconds", gauge, "seconds since 1970",
			"a start or a reload"},
	}},
}

// labelNames are the labels that a metric may have: each has few values, which the
// configuration or the code bounds, or for sources what package tailer lets through.
var labelNames = []string{
	"tenant", "source", "via", "endpoint", "code", "reason", "outcome", "rule", "sink", "kind", "version",
}

// contract are the metrics that the design promises to those who build on them.
var contract = map[string][]string{
	"aictail_events_received_total":            {"tenant", "source", "via"},
	"aictail_events_duplicate_total":           {"tenant", "source"},
	"aictail_events_dropped_total":             {"rule"},
	"aictail_redactions_total":                 {"rule"},
	"aictail_complete_until_timestamp_seconds": {"tenant", "source"},
	"aictail_last_event_timestamp_seconds":     {"tenant", "source"},
	"aictail_api_requests_total":               {"tenant", "endpoint", "code"},
	"aictail_rate_limit_limit":                 {"tenant"},
	"aictail_rate_limit_remaining":             {"tenant"},
	"aictail_journal_bytes":                    {},
	"aictail_journal_max_bytes":                {},
	"aictail_sink_events_total":                {"sink"},
	"aictail_sink_lag_seconds":                 {"sink"},
	"aictail_sink_paused":                      {"sink"},
	"aictail_sink_batch_duration_seconds":      {"sink"},
	"aictail_dead_letters_total":               {"sink", "reason"},
	"aictail_fragments_total":                  {"outcome"},
}

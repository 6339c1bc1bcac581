package doctor

import (
	"fmt"

	"aictail/sinks"
)

// good, doubtful and bad make the finding of a check.

func good(check, format string, args ...any) sinks.Finding {
	return sinks.Finding{Check: check, Found: fmt.Sprintf(format, args...)}
}

func doubtful(check, remedy, format string, args ...any) sinks.Finding {
	return sinks.Finding{Check: check, Verdict: sinks.Doubtful, Remedy: remedy, Found: fmt.Sprintf(format, args...)}
}

func bad(check, remedy, format string, args ...any) sinks.Finding {
	return sinks.Finding{Check: check, Verdict: sinks.Bad, Remedy: remedy, Found: fmt.Sprintf(format, args...)}
}

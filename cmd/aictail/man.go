package main

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newMan prints the manual page. Packagers call it; cobra's own generator makes a
// page of each command and brings a Markdown parser along.
func newMan() *cobra.Command {
	return &cobra.Command{
		Use:    "man",
		Short:  "Print the manual page aictail(1)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(cmd.OutOrStdout(), manPage(cmd.Root()))
			return failed(err)
		},
	}
}

// roff is a manual page in the man(7) macros.
type roff struct{ strings.Builder }

// manPage describes all visible commands below root.
func manPage(root *cobra.Command) string {
	p := &roff{}
	p.line(`.TH AICTAIL 1 "" %s "User Commands"`, quoted("aictail "+versionString()))
	p.line(".nh\n.ad l") // keys and paths are to be found as they are
	p.section("NAME")
	p.text("aictail - " + lowerFirst(root.Short))
	p.section("SYNOPSIS")
	p.line(`.B aictail`)
	p.line(`\fIcommand\fR [\fIflags\fR]`)
	p.section("DESCRIPTION")
	description, _, _ := strings.Cut(root.Long, "\n\nExit codes")
	p.text(description)
	p.section("COMMANDS")
	p.commands(root)
	p.tail()
	return p.String()
}

// commands describes the commands below parent.
func (p *roff) commands(parent *cobra.Command) {
	for _, c := range parent.Commands() {
		if !c.IsAvailableCommand() || c.IsAdditionalHelpTopicCommand() {
			continue
		}
		p.line(`.SS %s`, quoted(parent.CommandPath()+" "+c.Use))
		if c.Long != "" {
			p.text(c.Long)
		} else {
			p.text(c.Short + ".")
		}
		c.LocalNonPersistentFlags().VisitAll(p.flag)
		if c.Example != "" {
			p.line(".PP")
			p.verbatim(c.Example)
		}
		p.commands(c)
	}
}

func (p *roff) flag(f *pflag.Flag) {
	if f.Hidden || f.Name == "help" {
		return
	}
	p.line(".TP")
	value, usage := pflag.UnquoteUsage(f)
	name := bold("--" + f.Name)
	if f.Shorthand != "" {
		name = bold("-"+f.Shorthand) + ", " + name
	}
	if value != "" {
		name += ` \fI` + escaped(value) + `\fR`
	}
	p.line("%s", name)
	switch f.DefValue {
	case "", "false", "[]", "0", "0s":
	default:
		usage += " (default " + f.DefValue + ")"
	}
	p.text(usage)
}

// tail writes what does not follow from the commands.
func (p *roff) tail() {
	p.section("EXIT STATUS")
	p.terms([][2]string{
		{"0", "Done; also a stop by a signal with undelivered events left in the journal."},
		{"1", "Failed; for validate: the configuration is not valid."},
		{"2", "Wrong usage or configuration."},
	})
	p.section("SIGNALS")
	p.terms([][2]string{
		{"SIGTERM, SIGINT", "Stop polling, deliver what is in the journal within shutdown_timeout, end. A second one ends at once, without loss."},
		{"SIGHUP", "Open the files of file sinks anew, after an external rotation."},
	})
	p.section("ENVIRONMENT")
	p.terms([][2]string{
		{"AICTAIL_...", "Sets the key of the configuration with that path: AICTAIL_TENANTS__PROD__URL sets tenants.prod.url."},
		{"any other", "Can be referred to in the configuration as ${NAME}."},
	})
	p.section("FILES")
	p.terms([][2]string{
		{"/etc/aictail/aictail.yaml", "The configuration of the system service."},
		{"/etc/aictail/credentials/", "Its secrets, for root alone to read: api-key, api-secret, hash-key."},
		{"/var/lib/aictail/", "Its state: positions, the journal, dead letters."},
		{"/var/log/aictail/", "Where its file sinks may write."},
		{"/usr/share/doc/aictail/", "The configuration with every key, and the documentation."},
	})
	p.section("SEE ALSO")
	p.line(`.BR systemctl (1),`)
	p.line(`.BR journalctl (1),`)
	p.line(`.BR systemd.exec (5)`)
}

func (p *roff) line(format string, args ...any) { fmt.Fprintf(&p.Builder, format+"\n", args...) }

func (p *roff) section(name string) { p.line(".SH %s", quoted(name)) }

// terms writes a list of words with what they mean.
func (p *roff) terms(list [][2]string) {
	for _, x := range list {
		p.line(".TP")
		p.line("%s", bold(x[0]))
		p.text(x[1])
	}
}

// text writes paragraphs, which empty lines separate. A paragraph with an indented
// line stays as it is.
func (p *roff) text(s string) {
	for i, paragraph := range strings.Split(strings.TrimSpace(s), "\n\n") {
		if i > 0 {
			p.line(".PP")
		}
		if strings.Contains("\n"+paragraph, "\n ") {
			p.verbatim(paragraph)
			continue
		}
		p.line("%s", escaped(paragraph))
	}
}

func (p *roff) verbatim(s string) {
	p.line(".nf")
	p.line("%s", escaped(strings.Trim(s, "\n")))
	p.line(".fi")
}

func bold(s string) string { return `\fB` + escaped(s) + `\fR` }

func quoted(s string) string { return `"` + strings.ReplaceAll(escaped(s), `"`, `\(dq`) + `"` }

// escaped makes a text one that roff prints as it is: a backslash starts an escape,
// a lone - is a hyphen, and a line that begins with . or ' is a command.
func escaped(s string) string {
	s = strings.NewReplacer(`\`, `\e`, `-`, `\-`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

func lowerFirst(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(r)) + s[size:]
}

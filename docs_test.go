package aictail_test

import (
	"go/ast"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pages returns the text of every Markdown file of the project, by path.
func pages(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "dist") {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(p) != ".md" {
			return nil
		}
		text, err := os.ReadFile(p)
		pages[filepath.ToSlash(p)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// TestLinks: every relative link leads to a file, and to a heading in it if it names
// one.
func TestLinks(t *testing.T) {
	all := pages(t)
	found := 0
	for page, text := range all {
		for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(withoutCode(text), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			found++
			target, heading, _ := strings.Cut(m[1], "#")
			file := page
			if target != "" {
				file = path.Join(path.Dir(page), target)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s links to %s, which does not exist", page, m[1])
				continue
			}
			if heading != "" && !headings(all[file])[heading] {
				t.Errorf("%s links to %s, and there is no such heading", page, m[1])
			}
		}
	}
	if found < 50 {
		t.Errorf("only %d links found", found)
	}
}

// withoutCode takes blocks of code out, in which brackets are no links.
func withoutCode(text string) string {
	return regexp.MustCompile("(?ms)^ *```.*?^ *```").ReplaceAllString(text, "")
}

// headings returns the anchors of a page's headings, as the usual viewers make them.
func headings(text string) map[string]bool {
	anchors := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ +(.*)$`).FindAllStringSubmatch(withoutCode(text), -1) {
		anchor := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		anchors[strings.ReplaceAll(strings.TrimSpace(anchor), " ", "-")] = true
	}
	return anchors
}

// TestIndex: docs/README.md names every page once.
func TestIndex(t *testing.T) {
	all := pages(t)
	for page := range all {
		name, inDocs := strings.CutPrefix(page, "docs/")
		if inDocs && name != "README.md" && strings.Count(all["docs/README.md"], "| ["+name+"]("+name+") |") != 1 {
			t.Errorf("docs/README.md does not name %s", page)
		}
	}
}

// allCode returns the text of every Go file that is not a test.
func allCode(t *testing.T) string {
	t.Helper()
	var code strings.Builder
	goFiles(t, func(_, file string, _ *ast.File) {
		if strings.HasSuffix(file, "_test.go") {
			return
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		code.Write(b)
	})
	return code.String()
}

// TestRunbookMessages: the lines of the log that the runbook quotes are what the program
// says.
func TestRunbookMessages(t *testing.T) {
	code := allCode(t)
	commands := regexp.MustCompile(`^(aictail|chronyc|df|docker|iostat|journalctl|kubectl|smartctl|sum|systemctl) `)
	// Of Go's libraries; and what is put together.
	others := regexp.MustCompile(`^(no such host|connection refused|ok: journal)$`)
	found := 0
	for _, m := range regexp.MustCompile("`([a-z][a-z' ,:-]* [a-z' ,-]+)`").FindAllStringSubmatch(pages(t)["deploy/RUNBOOK.md"], -1) {
		if commands.MatchString(m[1]) || others.MatchString(m[1]) {
			continue
		}
		found++
		if !strings.Contains(code, m[1]) {
			t.Errorf("deploy/RUNBOOK.md quotes %q, which nothing says", m[1])
		}
	}
	if found < 10 {
		t.Errorf("only %d quotations found", found)
	}
}

// TestMessages: what docs/troubleshooting.md quotes is what the program says, "…"
// standing for what differs.
func TestMessages(t *testing.T) {
	code := allCode(t)
	// These are the operating system's words, or those of Go's libraries.
	others := regexp.MustCompile(`^(permission denied|read-only file system|address already in use|connection refused|no such host|certificate signed by unknown authority)$`)
	found := 0
	for _, row := range regexp.MustCompile(`(?m)^\| (.*?) \|`).FindAllStringSubmatch(pages(t)["docs/troubleshooting.md"], -1) {
		for _, quoted := range regexp.MustCompile("`([^`]* [^`]*)`").FindAllStringSubmatch(row[1], -1) {
			for _, part := range regexp.MustCompile(`…|: |KEY|\.\.\.`).Split(quoted[1], -1) {
				part = strings.Trim(part, " :")
				if len(part) < 6 || others.MatchString(part) {
					continue
				}
				found++
				if !strings.Contains(code, part) {
					t.Errorf("docs/troubleshooting.md quotes %q, which nothing says: %q", quoted[1], part)
				}
			}
		}
	}
	if found < 40 {
		t.Errorf("only %d quotations found", found)
	}
}

package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A licence is recognised by words that only its text has. go-licenses and the like
// know more of them by a classifier that is larger than this project; what is not
// recognised here is for a person to read, once.
func licenceWords() map[string]string {
	return map[string]string{
		"MIT":            "permission is hereby granted, free of charge, to any person obtaining a copy of this software",
		"Apache-2.0":     "apache license version 2.0",
		"BSD":            "redistribution and use in source and binary forms, with or without modification, are permitted",
		"ISC":            "permission to use, copy, modify, and/or distribute this software for any purpose with or without fee",
		"MPL-2.0":        "mozilla public license version 2.0",
		"GPL":            "gnu general public license version", // LGPL and AGPL begin with other words
		"LGPL":           "gnu lesser general public license version",
		"AGPL":           "gnu affero general public license version",
		"SSPL":           "server side public license",
		"BUSL":           "business source license",
		"Elastic-2.0":    "elastic license",
		"Commons-Clause": "commons clause",
	}
}

// Nothing that is linked into the program asks for more than to be named, which
// licenses.sh does. Of what only tests use nothing is passed on.
func allowedLicences(linked bool) []string {
	allowed := []string{"MIT", "Apache-2.0", "BSD", "ISC"}
	if !linked {
		allowed = append(allowed, "MPL-2.0")
	}
	return allowed
}

// TestLicenses: every module that the program or its tests need has a licence that is
// allowed.
func TestLicenses(t *testing.T) {
	linked := modules(t, "../cmd/aictail")
	all := modules(t, "-test", "../...")
	if len(linked) < 20 || len(all) <= len(linked) {
		t.Fatalf("found only %d modules, %d of them linked", len(all), len(linked))
	}
	for name, dir := range all {
		_, isLinked := linked[name]
		found := licencesIn(t, dir)
		t.Logf("%-45s linked: %-5t %s", name, isLinked, strings.Join(found, ", "))
		if len(found) == 0 {
			t.Errorf("%s: no known licence in %s: read it, and add its words here or drop the module", name, dir)
		}
		for _, licence := range found {
			if !slices.Contains(allowedLicences(isLinked), licence) {
				t.Errorf("%s: the licence %s is not allowed", name, licence)
			}
		}
	}
}

// modules returns the folders of the modules that packages need, by name.
func modules(t *testing.T, packages ...string) map[string]string {
	t.Helper()
	args := append([]string{"list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}"}, packages...)
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "GOOS=linux")
	dirs := map[string]string{}
	for line := range strings.Lines(output(t, cmd)) {
		if name, dir, ok := strings.Cut(strings.TrimSpace(line), " "); ok && !strings.HasPrefix(name, "go:") {
			dirs[name] = dir
		}
	}
	return dirs
}

// licencesIn returns the licences whose words are in the licence files of a folder.
func licencesIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		if !regexp.MustCompile(`(?i)^(licen[cs]e|copying)`).MatchString(e.Name()) || e.IsDir() {
			continue
		}
		found = append(found, licencesOf(read(t, filepath.Join(dir, e.Name())))...)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func licencesOf(text string) []string {
	text = strings.NewReplacer("apache license, version", "apache license version").
		Replace(strings.Join(strings.Fields(strings.ToLower(text)), " "))
	var found []string
	for licence, words := range licenceWords() {
		if strings.Contains(text, words) {
			found = append(found, licence)
		}
	}
	if slices.Contains(found, "MPL-2.0") {
		// Its text names the GPL and its relatives.
		found = slices.DeleteFunc(found, func(l string) bool { return strings.HasSuffix(l, "GPL") })
	}
	slices.Sort(found)
	return found
}

func TestLicencesOf(t *testing.T) {
	for text, want := range map[string]string{
		"Copyright 2020 X\n\nPermission is hereby granted, free of charge, to any person obtaining a\ncopy of this software": "MIT",
		"   Apache License\n   Version 2.0, January 2004":                                                                    "Apache-2.0",
		"GNU GENERAL PUBLIC LICENSE\n Version 3":                                                                             "GPL",
		"Mozilla Public License Version 2.0 ... \"Secondary License\" means the GNU General Public License, Version 2.0":     "MPL-2.0",
		"All rights reserved.": "",
	} {
		if got := strings.Join(licencesOf(text), ","); got != want {
			t.Errorf("%.30q: %s, want %s", text, got, want)
		}
	}
}

#!/bin/sh
# Prints the licences of everything that is linked into the program, as they ask for
# when it is passed on.
set -eu
cd "$(dirname "$0")/.."

echo "aictail contains the following modules, each under the licence that follows its name."
echo "The project states no licence of its own; ask its authors before you pass it on."
{
	echo "Go $(go env GOVERSION) $(go env GOROOT)"
	go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' ./cmd/aictail | sort -u
} | while read -r name version dir; do
	found=
	# Debian's Go keeps its licence elsewhere than the upstream one.
	for file in "$dir"/LICENSE* "$dir"/LICENCE* "$dir"/COPYING* "$dir"/NOTICE*; do
		[ -f "$file" ] || continue
		printf '\n======== %s %s: %s\n\n' "$name" "$version" "$(basename "$file")"
		cat "$file"
		found=yes
	done
	[ -n "$found" ] || { echo "no licence of $name in $dir" >&2; exit 1; }
done

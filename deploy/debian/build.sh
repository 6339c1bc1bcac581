#!/usr/bin/env bash
# Builds dist/aictail_VERSION_ARCH.deb with dpkg-deb alone. What a service package
# needs is a tree and four small files; packagers that also make RPMs would be a
# hundred modules. Same commit, same package, byte for byte.
#
#   VERSION  as "git describe" gives it   GOARCH  of the package, as for go build
#   DEB_MAINTAINER  name and address of whoever answers for the package
#   DIST     where the package goes, dist by default
# With the argument "version" it prints the package's version and builds nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
umask 022

go=${GO:-go}
version=${VERSION:-$(git describe --tags --always --dirty)}
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
export SOURCE_DATE_EPOCH

# debian_version turns v1.2.0-rc.1, v1.2.0-5-g0123abc-dirty or 0123abc into versions
# that dpkg orders as they are meant.
debian_version() {
	if [[ $1 =~ ^v?([0-9]+\.[0-9].*)$ ]]; then
		sed -E 's/-(alpha|beta|rc)/~\1/; s/-/+/g' <<<"${BASH_REMATCH[1]}"
	else
		echo "0~git$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d.%H%M%S).${1//-/+}"
	fi
}

if [ "${1-}" = version ]; then
	debian_version "$version"
	exit
fi

command -v dpkg-deb >/dev/null || {
	echo "dpkg-deb is missing: Debian has it, elsewhere install the package dpkg" >&2
	exit 1
}
dist=${DIST:-dist}
maintainer=${DEB_MAINTAINER:-"The aictail authors <aictail@example.invalid>"}
arch=$($go env GOARCH)
case $arch in
arm) arch=armhf ;;
386) arch=i386 ;;
ppc64le) arch=ppc64el ;;
esac

root=$(mktemp -d)
own=$(mktemp -d)
trap 'rm -rf "$root" "$own"' EXIT
chmod 755 "$root"

# program: the binary, and what it prints of itself on the machine that builds.
build() { CGO_ENABLED=0 $go build -trimpath -ldflags "-s -w -X main.version=$version" -o "$1" ./cmd/aictail; }
GOOS=linux build "$root/usr/bin/aictail"
GOARCH='' GOOS='' build "$own/aictail"
install -d "$root"/usr/share/{man/man1,bash-completion/completions,zsh/vendor-completions,fish/vendor_completions.d}
"$own/aictail" man | gzip -9n >"$root/usr/share/man/man1/aictail.1.gz"
"$own/aictail" completion bash >"$root/usr/share/bash-completion/completions/aictail"
"$own/aictail" completion zsh >"$root/usr/share/zsh/vendor-completions/_aictail"
"$own/aictail" completion fish >"$root/usr/share/fish/vendor_completions.d/aictail.fish"

# service
install -D -m 644 deploy/systemd/aictail.service "$root/usr/lib/systemd/system/aictail.service"
# Everybody has to change the configuration, so it is no conffile: dpkg would ask about
# it with every update that changes ours. postinst copies it once.
install -D -m 644 deploy/systemd/aictail.yaml "$root/usr/share/aictail/aictail.yaml"
install -d -m 700 "$root/etc/aictail/credentials"

# documentation
doc=$root/usr/share/doc/aictail
install -d "$doc/docs"
install -m 644 README.md config.example.yaml "$doc"
install -m 644 docs/*.md "$doc/docs"
install -m 644 CHANGELOG.md "$doc"
deploy/licenses.sh >"$doc/copyright"
gzip -9n >"$doc/changelog.gz" <<EOF
aictail ($(debian_version "$version")) unstable; urgency=medium

  * What has changed is in CHANGELOG.md.

 -- $maintainer  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
EOF
install -D -m 644 deploy/debian/lintian-overrides "$root/usr/share/lintian/overrides/aictail"

# control
install -d "$root/DEBIAN"
install -m 755 deploy/debian/{postinst,prerm,postrm} "$root/DEBIAN"
(cd "$root" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
cat >"$root/DEBIAN/control" <<EOF
Package: aictail
Version: $(debian_version "$version")
Architecture: $arch
Maintainer: $maintainer
Installed-Size: $(du -k -s --apparent-size "$root" | cut -f1)
Depends: ca-certificates
Recommends: systemd (>= 250)
Section: net
Priority: optional
Description: Forwards the logs of PingOne Advanced Identity Cloud, every entry once
 aictail reads the audit and debug logs of PingOne Advanced Identity Cloud
 tenants over their rate-limited log API, redacts personal data and delivers
 every event exactly once, and shows until which moment that is true.
 .
 The service is not started before it is configured: see
 /usr/share/doc/aictail/docs/install.md.
EOF

find "$root" -newermt "@$SOURCE_DATE_EPOCH" -print0 | xargs -0r touch -h -d "@$SOURCE_DATE_EPOCH"
mkdir -p "$dist"
deb=$dist/aictail_$(debian_version "$version")_$arch.deb
dpkg-deb --root-owner-group -Zxz --build "$root" "$deb" >/dev/null
echo "$deb"

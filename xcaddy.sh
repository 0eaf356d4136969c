#!/usr/bin/env bash
# Builds ./fairway: Caddy with Fairway's modules, by xcaddy. Every version, xcaddy's and
# Caddy's too, is the one in go.mod, and after `go mod download` nothing is fetched any more.
#
#   ./xcaddy.sh                          builds ./fairway
#   OUTPUT=bin/other ./xcaddy.sh         builds another file
#   TAGS=crashpoints RACE=1 ./xcaddy.sh  what the tests run
#   WITH=github.com/caddy-dns/cloudflare@v0.2.1 ./xcaddy.sh
#                                        with more modules of Caddy, at their versions: a DNS
#                                        provider, for wildcard certificates
set -euo pipefail
cd "$(dirname "$0")"

output=${OUTPUT:-fairway}
tags=nobadger,nomysql,nopgx${TAGS:+,$TAGS}
module=$(go list -m)
caddy=$(go list -m -f '{{.Version}}' github.com/caddyserver/caddy/v2)
version=$(git describe --tags --always --dirty 2>/dev/null || echo unknown)

if [ ! -d "$(go env GOMODCACHE)/github.com/caddyserver/caddy/v2@$caddy" ]; then
	echo "First build: fetching Go modules (about 200 MB) and compiling Caddy $caddy. This takes a few minutes; later builds take seconds."
fi
go mod download

# What is added is fetched and checked in a copy of our module: the build below fetches nothing.
with=()
if [ -n "${WITH:-}" ]; then
	copy=$(mktemp -d)
	cp go.mod go.sum "$copy"
	for m in $WITH; do
		(cd "$copy" && go get "$m")
		with+=(--with "$m")
	done
	rm -rf "$copy"
fi

# go build -v names each package as it is compiled: enough for a line that counts. What else
# is said only matters when the build fails.
package='^[a-z0-9.-]+(/[A-Za-z0-9._~-]+)*$'
count() {
	awk -v tty="$([ -t 1 ] && echo 1)" -v package="$package" '
		$0 !~ package { next }
		{ n++; if (tty) printf "\r  compiled %d packages", n; else if (n % 100 == 0) print "  compiled " n " packages" }
		END { if (tty && n) printf "\n" }'
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

echo "Building $output (Caddy $caddy, Fairway $version${WITH:+, with $WITH})"
mkdir -p "$(dirname "$output")"
# xcaddy resolves in a module of its own, which has no go.sum. What it takes comes from the module
# cache alone, where go mod download has just checked it against ours: no checksum database is asked.
flags="-v -trimpath -tags=$tags"
ldflags="-w -s -X $module/caddymodule.version=$version"
if ! XCADDY_RACE_DETECTOR=${RACE:-0} XCADDY_GO_BUILD_FLAGS="$flags -ldflags='$ldflags'" GOPROXY=off GOSUMDB=off GOFLAGS="${GOFLAGS:-} -buildvcs=false" \
	go tool xcaddy build "$caddy" --with "$module/caddymodule" --replace "$module=." ${with[@]+"${with[@]}"} --output "$output" 2>&1 | tee "$log" | count; then
	grep -vE "$package" "$log" >&2
	echo "The build failed; its messages are above." >&2
	exit 1
fi

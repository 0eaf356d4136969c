#!/usr/bin/env bash
# Installs what the tests need, as root on Debian; elsewhere prints the line that does and stops.
set -euo pipefail
need=()
have() { command -v "$1" >/dev/null 2>&1; }
have gcc || have cc || need+=(gcc libc6-dev)
have git || need+=(git)
have git && [ -x "$(git --exec-path)/git-http-backend" ] || need+=(git)
have node && have npm || need+=(nodejs npm)
have chromium || have chromium-browser || have google-chrome || need+=(chromium)
have curl || need+=(curl ca-certificates)
have wrk || need+=(wrk)
have redis-server || need+=(redis-server)
{ have initdb || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; } || need+=(postgresql)
have bwrap || need+=(bubblewrap)
have ip || need+=(iproute2)
have nft || need+=(nftables)
have aws || need+=(awscli)
python3 -c 'import botocore' 2>/dev/null || need+=(python3-botocore)
have h2load || need+=(nghttp2-client)
[ ${#need[@]} = 0 ] && exit 0
line="apt-get install -y --no-install-recommends ${need[*]}"
if [ "$(id -u)" = 0 ] && have apt-get; then
	echo "Installing what the tests need: ${need[*]}"
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive $line -qq >/dev/null
	exit 0
fi
echo "The tests need more programs. As root on Debian: $line" >&2
exit 1

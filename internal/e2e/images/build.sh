#!/usr/bin/env bash
# Builds the images of the builder and of the server with podman, on a machine that reaches no
# registry of images: as root on Debian, from Debian's packages, npm and this machine's Go.
# The Dockerfiles are built as they are; what they begin FROM is replaced by name.
#
#   internal/e2e/images/build.sh builder   makes localhost/fairway-e2e/builder
#   internal/e2e/images/build.sh server    makes localhost/fairway-e2e/server
set -euo pipefail
cd "$(dirname "$0")/../../.."
here=internal/e2e/images
name=localhost/fairway-e2e
export CONTAINERS_CONF=$PWD/$here/containers.conf CONTAINERS_REGISTRIES_CONF=$PWD/$here/registries.conf

need=()
for p in podman runc mmdebstrap netavark aardvark-dns catatonit; do
	[ -x "$(command -v "$p" || true)" ] || [ -x "/usr/lib/podman/$p" ] || need+=("$p")
done
if [ ${#need[@]} -gt 0 ]; then
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -qq "${need[@]}" >/dev/null
fi

exists() { podman image exists "$name/$1"; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# A machine behind a proxy may have authorities of its own: the images trust them, as it does.
if ! exists debian:bookworm-slim; then
	mkdir -p /usr/local/share/ca-certificates
	# As the image of that name, it keeps no packages that it has installed.
	printf 'Dir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\nDPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb"; };\nAPT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb"; };\n' >"$scratch/clean"
	mmdebstrap --quiet --variant=minbase --customize-hook='copy-in /usr/local/share/ca-certificates /usr/local/share' \
		--customize-hook="upload $scratch/clean /etc/apt/apt.conf.d/clean" bookworm "$scratch/debian.tar"
	podman import --quiet --change ENV=NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt "$scratch/debian.tar" "$name/debian:bookworm-slim"
fi
if ! exists golang:1.26-bookworm; then
	printf 'FROM %s/debian:bookworm-slim\nRUN apt-get update && apt-get install -y --no-install-recommends ca-certificates gcc git libc6-dev\nCOPY . /usr/local/go\nENV PATH=/usr/local/go/bin:$PATH GOTOOLCHAIN=local\n' "$name" >"$scratch/golang"
	podman build --quiet --network host --file "$scratch/golang" --tag "$name/golang:1.26-bookworm" "$(go env GOROOT)"
fi
for v in 20 22 24; do
	exists "node:$v-bookworm-slim" && continue
	mkdir -p "$scratch/node$v" && (cd "$scratch/node$v" && npm install --no-audit --no-fund --silent --prefix . "node@$v" npm@10 >&2)
	printf 'FROM %s/debian:bookworm-slim\nCOPY node_modules/node/bin/node /usr/local/bin/node\nCOPY node_modules/npm /usr/local/lib/node_modules/npm\n' "$name" |
		podman build --quiet --file - --tag "$name/node:$v-bookworm-slim" "$scratch/node$v"
done

case $1 in
builder) file=builder/Dockerfile ;;
server) file=Dockerfile ;;
*) echo "usage: $0 builder|server" >&2 && exit 2 ;;
esac
# The host's network is how a build reaches the packages; nothing of it is left in the image.
podman build --network host --format docker --file "$file" --tag "$name/$1" .

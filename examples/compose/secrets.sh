#!/bin/sh
# Makes the secrets of compose.yaml in ./secrets, those that are not there yet. Nothing is printed.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets
cd secrets

# put NAME writes its input, unless the file is there.
put() {
	if [ -e "$1" ]; then cat >/dev/null; else cat >".new.$1" && mv ".new.$1" "$1"; fi
}
random() { head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'; }

head -c 32 /dev/urandom | put key
for name in postgres-password redis-control redis-edge s3-secret; do random | put "$name"; done
: | put dns-token # for a domain of your own: README.md
: | put edge-token # for an edge that reports: README.md

# The least that control plane and edges need.
put redis-acl <<ACL
user default off
user control on >$(cat redis-control) resetchannels resetkeys &fairway:bell:* ~fairway:log:* -@all +ping +hello +select +publish +psubscribe +punsubscribe +eval +evalsha +xadd +xrange +xrevrange +xtrim +del +expire
user edge on >$(cat redis-edge) resetchannels resetkeys &fairway:bell:feed -@all +ping +hello +select +subscribe +unsubscribe
ACL
put s3-credentials <<KEYS
[default]
aws_access_key_id = fairway
aws_secret_access_key = $(cat s3-secret)
KEYS

# Containers read them as users of their own. The folder is closed to other users of this machine.
chmod 0444 -- *

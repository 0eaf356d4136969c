# The image of a server: control plane, edge, or both (FAIRWAY_ROLE).
#
#   docker build -t fairway .                     serves, and has builds run elsewhere
#   docker build -t fairway --target building .   also runs builds of JavaScript projects itself
#
# It runs with a read-only root: what it writes is in /data, and in /tmp.
ARG GO=1.26
ARG DEBIAN=bookworm
ARG NODE=22

FROM golang:${GO}-${DEBIAN} AS build
# WITH adds Caddy modules, such as a DNS provider for wildcard certificates:
#   --build-arg WITH=github.com/caddy-dns/cloudflare@v0.2.1
ARG WITH
# Empty for Go's own; behind a proxy of modules, its address.
ARG GOPROXY
WORKDIR /src
# Modules change seldom: a layer of their own.
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build OUTPUT=/out/fairway ./xcaddy.sh

FROM node:${NODE}-${DEBIAN}-slim AS node

FROM debian:${DEBIAN}-slim AS server
# git is for builds that run in this container.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates git \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 fairway \
    && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin fairway \
    && install -d -o fairway -g fairway -m 0700 /data
COPY --from=build /out/fairway /usr/local/bin/fairway
# The second is for a domain of your own.
COPY Caddyfile /etc/fairway/Caddyfile
COPY examples/Caddyfile /etc/fairway/domain.Caddyfile
ENV FAIRWAY_DATA=/data HOME=/data
USER 10001:10001
WORKDIR /data
VOLUME ["/data"]
EXPOSE 8080 8443 8443/udp
STOPSIGNAL SIGTERM
# On a host that no site has, the answer says whether the process does its work: a control plane, an
# edge, or both. bash asks, since the image has neither curl nor wget.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/${FAIRWAY_HTTP_PORT:-8080} && printf 'GET /.fairway/health HTTP/1.1\\r\\nHost: health.invalid\\r\\nConnection: close\\r\\n\\r\\n' >&3 && read -r _ code _ <&3 && [ $code = 200 ]"]
ENTRYPOINT ["fairway"]
CMD ["run", "--config", "/etc/fairway/Caddyfile"]

# With Node.js, for FAIRWAY_RUNNER=process: (the default).
FROM server AS building
USER root
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=node /usr/local/lib/node_modules/npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \
    && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx
USER 10001:10001

FROM server

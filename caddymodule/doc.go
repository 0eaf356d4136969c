// Package caddymodule brings Fairway into Caddy. It registers, parses, provisions and
// delegates; what Fairway does is in packages that know nothing of Caddy.
//
//	fairway                     app: the platform (global option "fairway")
//	http.handlers.fairway       sites, by their host
//	http.handlers.fairway_api   the control host: API
//	admin.api.fairway           the same API on Caddy's admin endpoint, below /fairway/
//	tls.permission.fairway      which hosts may have a certificate
//	caddy.storage.fairway       certificates of all nodes, in the object store
//	network "fairway"           listeners that a reload passes on ("bind fairway/")
//
// Caddy starts a new configuration before it stops the old one, and a bbolt file admits one
// owner. So the platform is opened once per data folder through a [caddy.UsagePool] and
// passed from configuration to configuration; deploys and domains never reload Caddy.
package caddymodule

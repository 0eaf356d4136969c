// Package platform wires Fairway: it reads a Config, opens the adapters that its addresses
// name, joins them to the services, and owns every goroutine until Close.
//
// It is the only package that imports adapters, and knows nothing of Caddy.
package platform

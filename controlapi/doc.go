// Package controlapi is Fairway's HTTP API: typed routes below /api, described by an
// OpenAPI 3.1 document at /api/openapi.json, with every error a problem of RFC 9457.
//
// It relies on package deploy for all that the routes do, and on huma for decoding,
// validation and the document; routes that stream stand beside huma on the same mux. It
// has three doors (see [API]), decides who may pass them, and bounds what comes in: sizes,
// times, hosts, origins. It holds no state but its configuration.
package controlapi

// Package e2e tells Fairway's promises as stories through the built binary, with the real
// parts beside it: git over smart HTTP, npm, a browser, curl.
//
// Every promise is a claim, a program with a size (see claims_test.go): `make test` runs it
// small, `make prove CLAIM=main.5` at its full size, and then the figure goes into
// docs/proofs.md. Nothing here reaches beyond loopback, but npm, which fetches packages.
package e2e

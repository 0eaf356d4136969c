// Package oidc asks other places who somebody is: an OpenID Connect provider, or GitHub.
//
// A signing-in takes two requests. Start makes the address that the browser is sent to, and a
// Flow that the transport keeps until the browser comes back; Finish checks what it comes back
// with and returns an account.External. The authorization code is bound to the browser by the
// state, to this very flow by PKCE (RFC 7636), and the ID token by its nonce.
//
// It relies on the HTTP client that it is given and on coreos/go-oidc for signatures. It knows
// no accounts: whom a person is here, account.Service.Enter decides. What the other side says
// is only shown where it is a known code of the protocol.
package oidc

package oidc

// Flow is what has to be kept of a signing-in between its two requests. It is secret: whoever
// knows it could finish another browser's.
type Flow struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"`
	Redirect string `json:"redirect"` // where the browser comes back to
}

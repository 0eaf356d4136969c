package oidc

// Flow is what has to be kept of a signing-in between its two requests.
type Flow struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"`
}

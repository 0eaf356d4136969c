// Package guard is the one way out: whatever Fairway fetches from an address that a person
// typed (a repository, later a webhook) goes through its Dialer, so that nobody can make
// the platform talk to itself, to its neighbours or to a cloud's metadata service.
//
// The rule is applied where it cannot be bypassed, at the connection: a name is resolved
// once, every address it has must be public, and exactly one of those addresses is dialed.
// A name that answers differently the second time, a redirect, or another spelling of
// 127.0.0.1 therefore changes nothing. Programs that dial by themselves, such as git, are
// given the Proxy. CheckURL says the same early, for a good message; it is not the wall.
package guard

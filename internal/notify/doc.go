// Package notify sends mail: an outbox in the state store, and a loop that empties it over
// SMTP.
//
// A message is queued in the transaction of what it tells of, so that it is sent if, and only
// if, that happened. It is sent at least once: whoever sends one claims it first, and a process
// that dies with a message on its way leaves it to be sent once more, under the same Message-ID.
// What it says is sealed at rest, since it may hold a link that signs somebody in.
//
// It relies on the state store and on the server that the operator named. It knows no accounts
// and writes no texts; it delivers to one address at a time, and handles no bounces.
package notify

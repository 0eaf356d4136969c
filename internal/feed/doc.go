// Package feed carries the routing records from the control plane to edges elsewhere, through
// the object store: edges need to reach nothing else.
//
// A Publisher, one at a time in an installation, writes
//
//	feed/<epoch>/<seq>            one transaction's records, never changed once written
//	feed/<epoch>/snapshot-<seq>   all records as they were at that number
//	feed/head                     the newest number, and the newest snapshot
//
// in this order, so that what the head names is there. A Follower reads them as a
// routes.Source, and remembers the greatest head that it has seen: an older one, as a store or
// a former publisher may show it once more, changes nothing.
//
// Head and changes are authenticated by the edges' key, together with their own names, and a
// snapshot by its digest in the head. Who can write to the store, and has not the key, can
// delete records and delay them, and cannot make one.
package feed

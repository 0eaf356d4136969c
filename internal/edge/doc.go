// Package edge answers the requests of a site's visitors.
//
// A request goes through these steps, each of which may end it:
//
//  1. the host, in its one spelling, is looked up in the routing table (Router);
//  2. the site's state decides whether it is shown at all;
//  3. the method is GET or HEAD;
//  4. the path is decoded once and cleaned, and what no file can be named is refused;
//  5. the deployment's manifest, opened once and kept, says what is shown at the path;
//  6. one stored form is chosen, and the request's conditions and range are applied to it;
//  7. the body is written part by part, each verified before a byte of it is sent.
//
// Everything after step 1 follows from the one Resolved that it gave, so body, Etag and
// X-Fairway-Deployment always belong together, whatever is published meanwhile.
//
// The package reads no files and speaks to no store itself: Blobs and Manifests are expected
// to verify what they return, and to cache it. Where they fail the visitor gets a 503, or,
// if a part of the body was sent, a broken connection; never other bytes, and never an end
// that looks like the body's.
package edge

// Package routes keeps the routing table of one process: which deployment a host shows.
//
// A Table is a copy of the routing records (sites, pointers, custom domains) in a bbolt file
// of its own, and a bounded cache of resolved hosts in front of it. It follows a Source, which
// numbers every change; it never goes back behind a number it has applied. Lookup needs
// nothing but the file, so hosts are answered with everything else dead, across a restart too.
//
// The file is a cache: whatever is wrong with it, it is set aside and built anew from the
// source's snapshot. What the records mean (suspended sites, manifests) is the edge's to know.
package routes

// Package usage is how edges report to the control plane what they did, and how they are.
//
// At an edge a Meter counts, and a Reporter sends, once a minute, and keeps what could not be
// sent. At control a Service adds it up, each batch once. Both do without the other: an edge
// serves on whatever happens to control, and control says who is silent.
//
// Nothing here is needed to serve. How far an edge is behind is found out without its clock;
// how far that is off is shown, and used for nothing.
package usage

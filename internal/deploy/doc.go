// Package deploy is the service behind everything that changes a project or a deployment:
// it alone writes their tables.
//
// A deployment's life: Deploy records it QUEUED (or NOT_STARTED, when its source is yet to be
// uploaded); the queue admits it and the runner starts its job; the job speaks to its Attempt,
// fenced by a token that dies with the attempt; Finish checks what the job claims, writes the
// manifest and, in one transaction, makes the deployment READY and moves its pointers.
// Reconcile ends or repeats attempts whose jobs stay silent.
//
// The state store is the only authority. Whatever the service holds in memory (locks, the
// ends of running logs, what manifests name) can be lost at any moment and is found again.
package deploy

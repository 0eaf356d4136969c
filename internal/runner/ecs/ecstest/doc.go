// Package ecstest is a server of the part of AWS ECS that Fairway uses, for tests. It speaks the
// protocol (JSON 1.1 by X-Amz-Target), and it really runs tasks: as containers of an image by
// podman, as processes in namespaces of their own by bubblewrap, or as plain processes. A test may
// give each a network of its own, with the address that tells a task of itself and of its role.
//
// It knows RunTask, DescribeTasks, StopTask and ListTasks, for task definitions that the test
// gives. A task goes through the states of ECS, with its times, and ends with a stop code and
// its container's exit code. It is strict: what the model of the service does not have, or
// what it has and this server does not know, is refused. Signatures are not computed; a
// request has to have one by a known access key.
//
// What it says was compared with botocore's model and with the aws command line; how the real
// service behaves beyond that is from its documentation.
package ecstest

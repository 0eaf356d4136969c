// Package ecs runs jobs as tasks of AWS ECS, on Fargate or on instances.
//
// A task is a run of one task definition, whose container is the job program. Its environment
// says which attempt it is, where the job protocol is, and the attempt's token: who may
// describe tasks can read that, and it is good for this one attempt. The task gets no role.
//
// Start is safe to repeat: the client token of RunTask is made of the job's name, and ECS keeps
// it for a day at most, or until an hour after the task has ended. What Start could not find
// out about, since the connection broke, is found by List.
//
// ECS names a task that has ended for about an hour, whatever is done, and has nothing of it
// that Stop could remove. So Inspect calls a job Exited, not Gone, after Stop, and List leaves
// out what has ended.
package ecs

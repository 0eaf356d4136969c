package ecstest

import "time"

// fault is what a call meets instead of its work.
type fault struct {
	err     *apiError
	failure string // RunTask's failure, with a 200
	delay   time.Duration
	missing bool // DescribeTasks knows of no task yet
	start   string
}

// Throttle has the next n calls of an operation throttled.
func (s *Server) Throttle(operation string, n int) {
	s.Fail(operation, n, "ThrottlingException", "Rate exceeded")
}

// Fail has the next n calls of an operation answered by an error.
func (s *Server) Fail(operation string, n int, code, message string) {
	s.meet(operation, n, fault{err: &apiError{Type: code, Message: message}})
}

// FailPlacement has the next n calls of RunTask answered by a failure, as "RESOURCE:MEMORY".
func (s *Server) FailPlacement(n int, reason string) { s.meet("RunTask", n, fault{failure: reason}) }

// FailStart has the tasks of the next n calls of RunTask stop before they run, for a reason as
// "CannotPullContainerError: ...".
func (s *Server) FailStart(n int, reason string) { s.meet("RunTask", n, fault{start: reason}) }

// Hide has the next n calls of DescribeTasks know of no task, as an eventually consistent
// service may.
func (s *Server) Hide(n int) { s.meet("DescribeTasks", n, fault{missing: true}) }

// Delay has the next n calls of an operation wait before they are looked at.
func (s *Server) Delay(operation string, n int, d time.Duration) {
	s.meet(operation, n, fault{delay: d})
}

func (s *Server) meet(operation string, n int, f fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.faults[operation] = append(s.faults[operation], f)
	}
}

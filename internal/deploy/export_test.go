package deploy

import "context"

// The steps of the loops, for tests that take them one by one.

func (s *Service) Admit(ctx context.Context) error       { return s.admit(ctx) }
func (s *Service) Reconcile(ctx context.Context) error   { return s.reconcile(ctx) }
func (s *Service) StopEnded(ctx context.Context) error   { return s.stopEnded(ctx) }
func (s *Service) EmptyTrash(ctx context.Context) error  { return s.emptyTrash(ctx) }
func (s *Service) RenewLeases(ctx context.Context) error { return s.renewLeases(ctx) }
func (s *Service) MeasureDue(ctx context.Context) error  { return s.measureDue(ctx) }
func (s *Service) ExpireLogs(ctx context.Context) error  { return s.expireLogs(ctx) }
func (s *Service) Sweep(ctx context.Context)             { s.sweep(ctx) }

var (
	IsLogText     = isLogText
	PrintableText = printableText
	SizeText      = sizeText
	Colourless    = colourless
)

// SearchedLogs and SearchedBytes are what one request of a search looks at.
const (
	SearchedLogs  = searchedLogs
	SearchedBytes = searchedBytes
)

// ReadCursor returns the text of the cursor that s is.
func ReadCursor(s string) (string, error) {
	c, err := parseCursor(s)
	return c.String(), err
}

// Remembered tells of how many deployments the service holds something in memory.
func (s *Service) Remembered() int {
	s.logs.mu.Lock()
	defer s.logs.mu.Unlock()
	return len(s.logs.m)
}

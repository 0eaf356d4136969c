package hosting

// The greatest quotas that can be set.
const (
	maxQuotaProjects = 1_000_000
	maxQuotaBuilds   = 1000
	maxQuotaFiles    = 10_000_000
)

// Check says whether the quotas are within what can be set; 0 is the installation's default.
func (q Quotas) Check() error {
	for _, f := range []struct {
		name       string
		value, max int64
	}{
		{"projects", int64(q.Projects), maxQuotaProjects}, {"builds", int64(q.Builds), maxQuotaBuilds},
		{"bytes", q.Bytes, 1 << 60}, {"files", int64(q.Files), maxQuotaFiles},
	} {
		if f.value < 0 || f.value > f.max {
			return Errorf(CodeInvalid, "the quota of %s must be 0 to %d", f.name, f.max)
		}
	}
	return nil
}

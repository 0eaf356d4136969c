package cli

import (
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// outcome says how a deployment ended: for READY a summary, and its URL as the last line
// of standard output; else the reason, as an error.
func (s *session) outcome(d hosting.Deployment, began time.Time) error {
	if s.json {
		if err := s.event(event{Type: "end", Deployment: &d, URL: readyURL(d)}); err != nil {
			return err
		}
	}
	if err := endError(d); err != nil {
		return err
	}
	if s.json {
		return nil
	}
	s.summary(d, s.env.Now().Sub(began))
	return s.result(visitURL(d))
}

func (s *session) summary(d hosting.Deployment, lasted time.Duration) {
	s.say("%s in %s: %s, %s", s.errStyle.green("Ready"), took(lasted), count(d.Files, "file"), size(d.Bytes))
	s.say("  deployment  %s", plain(d.URL))
	switch {
	case d.Production:
		s.say("  production  %s", plain(d.SiteURL))
	case d.Target == hosting.TargetPreview:
		s.say("  production  %s is as it was", plain(d.SiteURL))
	case d.Pinned:
		s.say("  production  %s stays where it was, since it was rolled back", plain(d.SiteURL))
		s.say("              to go on: fairway promote %s", d.ID)
	default:
		s.say("  production  %s shows another deployment; to show this one: fairway promote %s", plain(d.SiteURL), d.ID)
	}
}

// visitURL is where one sees the deployment: the site where it is live, else its own address.
func visitURL(d hosting.Deployment) string {
	if d.Production && d.SiteURL != "" {
		return plain(d.SiteURL)
	}
	return plain(d.URL)
}

// endError is nil for a READY deployment; else it says why there is none, and what to do.
func endError(d hosting.Deployment) error {
	switch d.Status {
	case hosting.StatusReady:
		return nil
	case hosting.StatusFail:
		reason := plain(d.Reason)
		if reason == "" {
			reason = "no reason is known"
		}
		return errorf(ExitFailed, "the deployment failed: %s", reason).hint("its log: fairway logs %s", d.ID)
	case hosting.StatusCanceled:
		return errorf(ExitFailed, "the deployment was canceled").hint("begin it again with fairway redeploy %s", d.ID)
	case hosting.StatusSkipped:
		return errorf(ExitFailed, "the deployment was skipped, since a newer one took its place")
	}
	return errorf(ExitFailed, "the deployment is still %s", statusWord(d)).hint("follow it with fairway logs -f %s", d.ID)
}

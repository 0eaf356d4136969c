package edge

import (
	"context"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/internal/blob"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/manifest"
)

// Router says what a host shows. Lookup is asked for every request and makes no call
// outside the process.
type Router interface {
	Lookup(host string) (*hosting.Resolved, bool)
}

// Manifests returns manifests, verified against their digest.
type Manifests interface {
	GetManifest(ctx context.Context, project hosting.ProjectID, digest hosting.Digest) ([]byte, error)
}

// Layer says which cache had the bytes.
type Layer = blob.Layer

// Blobs returns blobs, verified against their digest, and what is derived from them. The
// caller does not write to what it gets. A blob.Cache is one.
type Blobs interface {
	Find(ctx context.Context, project hosting.ProjectID, digest hosting.Digest) ([]byte, Layer, error)
	// Recall returns what Derive made, if it is in memory, without allocating.
	Recall(project hosting.ProjectID, digest hosting.Digest, recipe string) ([]byte, bool)
	// Where says which layer has it now, without reading it.
	Where(project hosting.ProjectID, digest hosting.Digest, recipe string) Layer
	Derive(ctx context.Context, project hosting.ProjectID, digest hosting.Digest, recipe string, make func(context.Context) ([]byte, error)) ([]byte, Layer, error)
}

// Config is what a Server is made of.
type Config struct {
	Router    Router
	Manifests Manifests
	Blobs     Blobs
	Pages     Pages
	// Refresh brings the Router up to what there is to know; nil where it always is. It is
	// called once a second at most, before a page's part is said not to be there.
	Refresh func(ctx context.Context) error
	// Complete reports whether the Router knows enough to call a host unknown; nil: always.
	Complete func() bool
	// Gate opens protected sites.
	Gate Gate
	// Count is told of each answer: of which project ("" where no site was asked for), how many
	// bytes its body had, and whether its status was 500 or more. It must not block; nil: nobody
	// counts.
	Count func(project hosting.ProjectID, bytes int64, failed bool)
	// ManifestBytes bounds the opened manifests that are kept; 256 MiB when 0.
	ManifestBytes int64
	Log           *slog.Logger
	Now           func() time.Time // time.Now when nil
}

const defaultManifestBytes = 256 << 20

// Server answers for every site. It is an http.Handler.
type Server struct {
	router Router
	sites  *sites
	blobs  *parts
	pages  pages
	log    *throttle
	now    func() time.Time
	asks   asker
	gate   *gate
	count  func(project hosting.ProjectID, bytes int64, failed bool)
	// complete reports whether a host that is not in the routing table is unknown.
	complete func() bool
	// packing holds one for each form that is being derived.
	packing chan struct{}
}

var _ http.Handler = (*Server)(nil)

// New returns a Server.
func New(c Config) *Server {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.ManifestBytes <= 0 {
		c.ManifestBytes = defaultManifestBytes
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	log := &throttle{log: c.Log, now: c.Now}
	return &Server{
		router:   c.Router,
		sites:    newSites(c.Manifests, c.ManifestBytes, c.Now),
		blobs:    newParts(c.Blobs),
		pages:    newPages(c.Pages),
		log:      log,
		now:      c.Now,
		gate:     newGate(c.Gate, c.Now),
		count:    c.Count,
		asks:     asker{refresh: c.Refresh, now: c.Now},
		complete: c.Complete,
		packing:  make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
	}
}

// exchange is one request on its way through the Server.
type exchange struct {
	w        http.ResponseWriter
	r        *http.Request
	h        http.Header // of the response
	resolved *hosting.Resolved
	site     *site
	layer    Layer // that had the first bytes of the body
	trace    *trace
	hinted   bool             // 103 was sent
	private  bool             // the site is not for everybody: nobody may keep what is answered
	asked    bool             // the feed was asked, or was to be: another edge may know better
	began    time.Time        // where Server-Timing was asked for
	now      func() time.Time // nil where it was not
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.count == nil || r.URL.Path == HealthPath { // asked by machines, and too often
		s.serve(w, r, nil)
		return
	}
	c := counters.Get().(*counted)
	c.ResponseWriter = w
	defer s.counts(c)
	s.serve(c, r, nil)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, t *trace) {
	host, ok := hosting.CanonicalHost(r.Host)
	if !ok {
		t.say("The host is no name that a site could have.")
		s.nowhere(w, r, &s.pages.bare)
		return
	}
	resolved, ok := s.router.Lookup(host)
	if !ok {
		s.unknown(w, r, host, t)
		return
	}
	t.resolved(resolved)
	if c, ok := w.(*counted); ok {
		c.project = resolved.Pointer.Project
	}
	x := exchange{w: w, r: r, h: w.Header(), resolved: resolved, trace: t}
	x.begin(s.now)
	if s.admit(&x) {
		s.serveSite(&x)
	}
}

// unknown answers for a host that is not in the routing table. It asks nobody: a visitor can
// make up as many hosts as they like.
func (s *Server) unknown(w http.ResponseWriter, r *http.Request, host string, t *trace) {
	if s.complete != nil && !s.complete() {
		t.say("This edge does not know the sites yet.")
		s.nowhere(w, r, &s.pages.unavailable)
		return
	}
	t.say("No site has the host ", host, ", or it shows nothing.")
	s.nowhere(w, r, &s.pages.unknown)
}

// HealthPath is where whoever watches over the process asks, on a host that no site has, such
// as its address: 200 as soon as sites are served, whatever else is dead.
const HealthPath = "/.fairway/health"

// nowhere answers on a host that no site has.
func (s *Server) nowhere(w http.ResponseWriter, r *http.Request, p *page) {
	switch {
	case r.URL.Path != HealthPath:
		p.serve(w, r)
	case s.complete == nil || s.complete():
		s.pages.healthy.serve(w, r)
	default:
		s.pages.unavailable.serve(w, r)
	}
}

// admit decides whether the visitor sees anything of the site. A site that is deleted, or
// has nothing published under this host, is as good as unknown. It runs before whatever
// depends on the path, so what is refused here cannot be learned through a redirect or 404.
func (s *Server) admit(x *exchange) bool {
	switch x.resolved.Site.State {
	case hosting.SiteActive:
	case hosting.SiteSuspended:
		x.trace.say("The site is suspended.")
		s.pages.suspended.serve(x.w, x.r)
		return false
	default:
		s.pages.unknown.serve(x.w, x.r)
		return false
	}
	if x.resolved.Pointer.Manifest.IsZero() {
		s.pages.unknown.serve(x.w, x.r)
		return false
	}
	return s.enter(x)
}

// serveSite answers from the deployment that the host shows.
func (s *Server) serveSite(x *exchange) {
	if drain(x.r) {
		x.h["Connection"] = valueClose
	}
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		x.setDeployment()
		x.h["Allow"] = valueAllow
		s.pages.method.serve(x.w, x.r)
		return
	}
	path, refusal := requestPath(x.r.URL)
	if refusal != 0 {
		x.trace.say("The path can name no file.")
		x.setDeployment()
		s.pages.ofStatus(refusal).serve(x.w, x.r)
		return
	}
	if x.trace != nil {
		x.trace.Path = path
	}
	if strings.HasPrefix(path, ownPrefix) { // as some other spelling of it
		x.setDeployment()
		s.pages.notFound.serve(x.w, x.r)
		return
	}
	site, err := s.sites.open(x.r.Context(), x.resolved.Pointer.Project, x.resolved.Pointer.Manifest)
	if err != nil {
		x.setDeployment()
		s.unavailable(x, err)
		return
	}
	x.site = site
	x.setDeployment()
	a := site.Resolve(manifest.Request{Path: path})
	if a.Status == http.StatusNotFound && (s.serveTrailed(x, path) || s.askAgain(x)) {
		return
	}
	s.answer(x, a)
}

// serveTrailed answers for a path that the deployment does not have, if the pointer's trail
// still does: a page of an earlier deployment, open in a browser, asks for its own files. It
// reports whether it has answered.
func (s *Server) serveTrailed(x *exchange, path string) bool {
	if x.resolved.Pointer.Trail.IsZero() {
		return false
	}
	trail, err := s.sites.open(x.r.Context(), x.resolved.Pointer.Project, x.resolved.Pointer.Trail)
	if err != nil {
		s.unavailable(x, err) // it may be there: a 404 would be kept by whoever asked
		return true
	}
	f, ok := trail.Find(path[1:])
	if !ok || trail.trail == nil || !s.now().Before(trail.trail.Until(f)) {
		return false
	}
	x.trace.say("The deployment has no such file, but an earlier one had it and its pages may still ask for it.")
	x.site = trail
	s.serveFile(x, manifest.Answer{Status: http.StatusOK, File: f})
	return true
}

// answer turns what the manifest says into a response.
func (s *Server) answer(x *exchange, a manifest.Answer) {
	switch {
	case a.Status == http.StatusPermanentRedirect:
		x.trace.say("The page has another address.")
		x.redirect(a.Location)
	case a.File.IsZero():
		x.trace.say("The deployment has no file for this path, and no 404.html.")
		s.pages.notFound.serve(x.w, x.r)
	case a.Fallback:
		x.trace.say("The deployment has no file for this path: its index.html answers, as for every route of a single-page application.")
		s.serveFile(x, a)
	case a.Status == http.StatusNotFound:
		x.trace.say("The deployment has no file for this path: the nearest 404.html answers.")
		s.serveFile(x, a)
	default:
		s.serveFile(x, a)
	}
}

// redirect leads to another path of the same site, with the request's query.
func (x *exchange) redirect(location string) {
	if q := x.r.URL.RawQuery; q != "" {
		location += "?" + q
	}
	x.h["Location"] = []string{location}
	x.setCacheControl(valueRevalidate)
	x.h["Content-Length"] = valueZero
	x.w.WriteHeader(http.StatusPermanentRedirect)
}

// unavailable answers a request whose manifest or first part cannot be read now.
func (s *Server) unavailable(x *exchange, err error) {
	x.trace.say("The content cannot be read now.")
	s.report(x, "site content is unavailable", err)
	s.pages.unavailable.serve(x.w, x.r)
}

// report logs a fault of ours. A visitor who left is none.
func (s *Server) report(x *exchange, message string, err error) {
	if x.r.Context().Err() != nil {
		return
	}
	s.log.warn(message, slog.String("host", x.resolved.Host), slog.String("project", string(x.resolved.Pointer.Project)),
		slog.String("deployment", string(x.resolved.Pointer.Deployment)), slog.Any("error", err))
}

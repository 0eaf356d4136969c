package e2e

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// timedPage tells in its own document how the browser got it and its style sheet.
const timedPage = `<!doctype html><html><head><title>timed</title>%s</head><body><pre id="timing"></pre><script>
addEventListener("load", () => setTimeout(() => {
  const page = performance.getEntriesByType("navigation")[0];
  const sheet = performance.getEntriesByType("resource").find((e) => e.name.endsWith("/style.css"));
  document.getElementById("timing").textContent = JSON.stringify({
    protocol: page.nextHopProtocol, interim: page.firstInterimResponseStart, response: page.responseStart,
    final: page.finalResponseHeadersStart, sheet: sheet && sheet.nextHopProtocol, initiator: sheet && sheet.initiatorType,
  });
}, 50));
</script></body></html>`

// pageTiming is what timedPage tells.
type pageTiming struct {
	Protocol         string
	Interim          float64 // ms since the navigation began; 0: no interim response
	Response, Final  float64
	Sheet, Initiator string
}

var timingOf = regexp.MustCompile(`<pre id="timing">(\{.*?\})</pre>`)

// claimProtocols is edge.8: a browser gets a site over HTTP/3, and 103 before 200. The
// controls are a browser without QUIC, and a page that names nothing to be loaded first.
func claimProtocols(c *C) {
	s := NewFastServer(c, unlimited)
	api := s.Client()
	defer api.Close()
	for site, head := range map[string]string{"hinted": `<link rel="stylesheet" href="/style.css">`, "plain": ""} {
		if _, err := api.CreateProject(context.Background(), hosting.NewProject{Name: site, Slug: site}); err != nil {
			c.Fatal(err)
		}
		files := map[string]string{"index.html": fmt.Sprintf(timedPage, head), "style.css": "body { margin: 0 }"}
		if _, err := s.publish(context.Background(), api, site, files); err != nil {
			c.Fatal(err)
		}
		s.Get(s.Secure(site)).Is(200, "timed") // its certificate is made by now
	}
	h3, h2, none := s.timing(c, "hinted", true), s.timing(c, "hinted", false), s.timing(c, "plain", true)
	c.Figure("Chromium with QUIC: page over %s, style sheet over %s (%s), 103 after %.1f ms, 200 after %.1f ms; without QUIC: page over %s, 103 after %.1f ms; a page that preloads nothing: over %s, no 103",
		h3.Protocol, h3.Sheet, h3.Initiator, h3.Interim, h3.Final, h2.Protocol, h2.Interim, none.Protocol)
	if h3.Protocol != "h3" || h3.Sheet != "h3" || h2.Protocol != "h2" {
		c.Errorf("protocols: %+v, without QUIC %+v", h3, h2)
	}
	for name, t := range map[string]pageTiming{"h3": h3, "h2": h2} {
		if t.Interim <= 0 || t.Final < t.Interim {
			c.Errorf("%s: no 103 before 200: %+v", name, t)
		}
	}
	if none.Interim != 0 {
		c.Errorf("void: a page that preloads nothing has a 103, too: %+v", none)
	}
}

// timing opens a site in a browser of its own and returns what the page tells.
func (s *Server) timing(c *C, site string, quic bool) (t pageTiming) {
	c.Helper()
	host := fmt.Sprintf("%s.localhost:%d", site, s.HTTPS)
	flags := []string{"--virtual-time-budget=10000", "--dump-dom", "--ignore-certificate-errors", "--ignore-certificate-errors-spki-list=" + s.issuer(c)}
	if quic {
		flags = append(flags, "--enable-quic", "--origin-to-force-quic-on="+host)
	} else {
		flags = append(flags, "--disable-quic")
	}
	out, err := exec.Command(chromium(c), chromiumFlags(c.TempDir(), append(flags, "https://"+host+"/")...)...).Output()
	m := timingOf.FindSubmatch(out)
	if err != nil || m == nil {
		c.Fatalf("%s: %v\n%.2000s", host, err, out)
	}
	if err := json.Unmarshal(m[1], &t); err != nil {
		c.Fatalf("%s: %v", m[1], err)
	}
	return t
}

// issuer is the hash of the key of Caddy's internal issuer, which QUIC has to be told to trust.
func (s *Server) issuer(c *C) string {
	c.Helper()
	b, err := os.ReadFile(filepath.Join(s.Data, "caddy/pki/authorities/local/intermediate.crt"))
	if err != nil {
		c.Fatal(err)
	}
	block, _ := pem.Decode(b)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		c.Fatal(err)
	}
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

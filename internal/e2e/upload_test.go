package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/scale-mesh/fairway/builder"
	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/object/s3"
)

// uploads is a Fairway whose way to the store has latency, and what else brings the same bytes the
// same way.
type uploads struct {
	*fleet
	way   *toxic
	s     *Server
	api   *client.Client
	store *s3.Store // by the same way
	repo  string
	used  int // folders of the bucket so far
}

// built is a site that a build has made already: what a job's build does is to link its files.
type built struct {
	*uploads
	texts   bool // half of its bytes are pages and scripts; else all are pictures
	dir     string
	stamp   string // file that the end of the build touches
	version int
}

const (
	// storeLatency is added to each answer of the store, in one direction.
	storeLatency = 20 * time.Millisecond
	uploadShare  = 0.8 // of the bare loop's rate
	changedTime  = 1500 * time.Millisecond
	sameTime     = 1200 * time.Millisecond
)

// claimUploads is cloud.7. Jobs publish sites of 30 KiB a file through a store whose answers are
// late by 20 ms. An upload is what the store saw: the bytes of all new blobs, over the time from
// the first that was stored to the last. A bare loop sends the same blobs to the same store by the
// same presigned requests, signed before, with the best of three numbers of workers; the two go by
// turns, and the share is the median of the pairs'. All of this, and the store, share the machine's processors, and the compression of texts takes most
// of a job's: so the share is that of a site of pictures, and is told of one with texts beside it.
// The times of a deployment, of the site with texts, are from the end of the build's command until a
// visitor sees it.
func claimUploads(c *C) {
	u := newUploads(c)
	pictures, site := u.built(false), u.built(true)
	workers := u.bestOf(pictures, 32, 64, 128)
	shares, ceiling := u.sharesOf(pictures, workers, 5)
	share := medianOf(shares)
	texts, _ := u.sharesOf(site, workers, 3)

	var first, changed, same []float64
	for i := range 3 {
		_, took := site.deploy(fmt.Sprintf("first-%d", i))
		first = append(first, took.Seconds())
		_, took = site.deploy("first-0")
		same = append(same, took.Seconds())
		site.write(max(1, c.Size/100))
		_, took = site.deploy("first-0")
		changed = append(changed, took.Seconds())
	}
	began := time.Now()
	u.s.Deploy(site.dir, "--project", "first-0", "--prebuilt")
	command := time.Since(began)
	slow := pictures.oneAtATime(100) / ceiling
	c.Figure("store with %v latency, %d pictures, %.0f MB: %.0f %% of a bare loop of %d workers, the best of 32, 64 and 128 (median of %d pairs, %.0f to %.0f %%; the loop has %.0f MB/s); %d files, half of the bytes texts, %.0f MB, compressed meanwhile: %.0f %%; "+
		"of these, from the end of the build until a visitor sees it: first %.2f s, 1 %% changed %.2f s, nothing changed %.2f s (medians of 3); fairway deploy of the finished folder, unchanged, %.2f s; %s; control: one blob at a time %.0f %%",
		storeLatency, c.Size, float64(pictures.bytes())/1e6, 100*share, workers, len(shares), 100*slices.Min(shares), 100*slices.Max(shares), ceiling/1e6,
		c.Size, float64(site.bytes())/1e6, 100*medianOf(texts),
		medianOf(first), medianOf(changed), medianOf(same), command.Seconds(), site.sync(), 100*slow)
	if slow > uploadShare/2 {
		c.Errorf("void: one blob at a time has %.0f %% of the bare loop's rate, so the store is not what is measured", 100*slow)
	}
	if !*prove {
		return // what is measured beside other tests is no promise
	}
	if share < uploadShare {
		c.Errorf("not met: the upload has %.0f %% of the bare loop's rate, want %.0f %%", 100*share, 100*uploadShare)
	}
	if t := medianOf(changed); t > changedTime.Seconds() {
		c.Errorf("not met: with 1 %% changed it takes %.2f s, want %v", t, changedTime)
	}
	if t := medianOf(same); t > sameTime.Seconds() {
		c.Errorf("not met: with nothing changed it takes %.2f s, want %v", t, sameTime)
	}
}

// bestOf returns the number of workers with which a bare loop sends a site's blobs fastest.
func (u *uploads) bestOf(site *built, workers ...int) (best int) {
	u.Helper()
	folder := u.uploaded(site)
	blobs, rate := u.blobs(folder), 0.0
	for _, n := range workers {
		syscall.Sync()
		bare := u.loop(blobs, n)
		u.Logf("%.1f MB/s by %d bare workers", bare.rate()/1e6, n)
		if bare.rate() > rate {
			best, rate = n, bare.rate()
		}
	}
	return best
}

// uploaded deploys a site to a new project, and returns the folder of its blobs.
func (u *uploads) uploaded(site *built) (folder string) {
	u.Helper()
	u.used++
	syscall.Sync() // so that nothing of before is written meanwhile
	d, _ := site.deploy(fmt.Sprintf("site-%d", u.used))
	return "blobs/" + string(d.Project)
}

// sharesOf deploys a site to new projects, in turn with a bare loop, and returns for each pair the
// upload's rate as a share of the loop's, and the loop's median rate.
func (u *uploads) sharesOf(site *built, workers, pairs int) (shares []float64, ceiling float64) {
	u.Helper()
	var rates []float64
	for range pairs {
		folder := u.uploaded(site)
		ours, blobs := u.stored(folder), u.blobs(folder)
		syscall.Sync()
		bare := u.loop(blobs, workers)
		shares, rates = append(shares, ours.rate()/bare.rate()), append(rates, bare.rate())
		u.Logf("%d blobs, %d bytes: %.1f MB/s in %.2f s by a job; %.1f MB/s in %.2f s by %d bare workers",
			ours.n, ours.bytes, ours.rate()/1e6, ours.took().Seconds(), bare.rate()/1e6, bare.took().Seconds(), workers)
	}
	return shares, medianOf(rates)
}

func newUploads(c *C) *uploads {
	c.Helper()
	u := &uploads{fleet: newFleet(c, "--keep-alive")} // as S3 does
	u.way = u.toxic("slow", u.gateway)
	u.way.slow(storeLatency)
	u.store = u.fleet.store(u.way.addr)
	if found, err := u.store.Probe(c.Context()); err != nil || !found.All() {
		c.Fatalf("the store is not fit for presigned uploads: %v, %v", found, err)
	}
	u.s = u.server(u.objects(u.way.addr))
	u.s.Start()
	u.api = u.s.Client()
	c.Cleanup(u.api.Close)
	up := u.s.uploader("probe")
	defer up.end()
	u.s.eventually(30*time.Second, "uploads are presigned", func() bool { return up.missing([]byte("any"))[0].URL != "" })
	u.repo, _ = NewForge(c).Push("site", map[string]string{"README.md": "The build links what is there."})
	return u
}

// words is text as pages and scripts have it: few words come often.
var words = func() (all []string) {
	rng := rand.New(rand.NewPCG(7, 7))
	for range 4000 {
		b := make([]byte, 2+rng.IntN(9))
		for i := range b {
			b[i] = 'a' + byte(rng.IntN(26))
		}
		all = append(all, string(b))
	}
	return all
}()

// built makes a site of as many files as the claim is large.
func (u *uploads) built(texts bool) *built {
	u.Helper()
	b := &built{uploads: u, texts: texts, dir: u.TempDir(), stamp: filepath.Join(u.TempDir(), "built")}
	b.write(u.Size)
	return b
}

// write makes the first n files anew, no two of which are the same. Of ten, five are pages of 16 KiB on average, two
// scripts of 30 KiB and three pictures of 50 KiB; or all are pictures of 30 KiB.
func (b *built) write(n int) {
	b.Helper()
	b.version++
	for i := range n {
		name, size := fmt.Sprintf("picture-%05d.jpg", i), 30<<10
		switch {
		case b.texts && i%10 < 5:
			name, size = fmt.Sprintf("page-%05d.html", i), 16<<10
		case b.texts && i%10 < 7:
			name, size = fmt.Sprintf("script-%05d.js", i), 30<<10
		case b.texts:
			size = 50 << 10
		}
		size = size/2 + b.Rand.IntN(size)
		if i%1000 == 999 {
			size = hosting.MaxBlob + b.Rand.IntN(2*hosting.MaxBlob)
		}
		content := fmt.Appendf(nil, "<!doctype html><title>file %d of version %d</title>\n", i, b.version)
		for len(content) < size {
			if strings.HasSuffix(name, ".jpg") {
				n := b.Rand.Uint64()
				content = append(content, byte(n), byte(n>>8), byte(n>>16), byte(n>>24), byte(n>>32), byte(n>>40), byte(n>>48), byte(n>>56))
				continue
			}
			f := b.Rand.Float64()
			content = append(append(content, words[int(f*f*f*float64(len(words)))]...), " \n<"[b.Rand.IntN(3)])
		}
		b.put(filepath.Join(fmt.Sprintf("part-%02d", i%97), name), content)
	}
	b.put("index.html", fmt.Appendf(nil, "version %d.", b.version))
}

// put writes a new file: the old one may be linked by a job.
func (b *built) put(name string, content []byte) {
	b.Helper()
	path := filepath.Join(b.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), ignoreAbsent(os.Remove(path)), os.WriteFile(path, content, 0o644)); err != nil {
		b.Fatal(err)
	}
}

func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (b *built) bytes() (n int64) {
	for _, size := range b.files(b.dir) {
		n += size
	}
	return n
}

// files yields the files below a folder, and their sizes.
func (u *uploads) files(dir string) map[string]int64 {
	u.Helper()
	all := map[string]int64{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			all[path] = info.Size()
		}
		return err
	})
	if err != nil {
		u.Fatal(err)
	}
	return all
}

// project makes a project whose build links the site's files, or finds it.
func (b *built) project(slug string) hosting.Project {
	b.Helper()
	p, err := b.api.FindProject(b.Context(), slug)
	if hosting.Is(err, hosting.CodeNotFound) {
		p, err = b.api.CreateProject(b.Context(), hosting.NewProject{Name: slug, Slug: slug, GitURL: b.repo, ProductionBranch: "main", BuildSettings: hosting.BuildSettings{
			BuildCommand: fmt.Sprintf("cp -al %s dist && touch %s", b.dir, b.stamp), OutputDir: "dist",
		}})
	}
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// deploy has a job build and publish the site, and returns how long it took from the end of the
// build's command until a visitor saw it.
func (b *built) deploy(slug string) (hosting.Deployment, time.Duration) {
	b.Helper()
	p := b.project(slug)
	answer, err := b.api.Deploy(b.Context(), hosting.NewDeployment{Project: string(p.ID)})
	if err != nil {
		b.Fatal(err)
	}
	d := answer.Deployment
	v := b.s.Visitor(1)
	defer v.CloseIdleConnections()
	b.s.eventually(10*time.Minute, "the deployment is READY", func() bool {
		d, err = b.api.FindDeployment(b.Context(), d.ID)
		return err != nil || d.Status.Terminal()
	})
	if err != nil || d.Status != hosting.StatusReady {
		b.Fatalf("%s (%s), %v", d.Status, d.Reason, err)
	}
	// Its own address, which nothing showed before; and the site's.
	for _, host := range []string{d.Label + "--" + slug, slug} {
		body, resp, err := fetch(v, b.s.Site(host)+"/")
		if want := fmt.Sprintf("version %d.", b.version); err != nil || resp.StatusCode != 200 || body != want {
			b.Fatalf("%s shows %q, want %q (%v)", host, body, want, err)
		}
	}
	shown := time.Now()
	built, err := os.Stat(b.stamp)
	if err != nil {
		b.Fatal(err)
	}
	return d, shown.Sub(built.ModTime())
}

// transfer is what the store got below one folder.
type transfer struct {
	n           int
	bytes       int64
	first, last time.Time // when an object was stored
}

func (t transfer) took() time.Duration { return t.last.Sub(t.first) }
func (t transfer) rate() float64       { return float64(t.bytes) / t.took().Seconds() }

func (u *uploads) stored(prefix string) (t transfer) {
	u.Helper()
	for path, size := range u.files(filepath.Join(u.bucket, prefix)) {
		info, err := os.Stat(path)
		if err != nil {
			u.Fatal(err)
		}
		at := info.ModTime()
		if t.n == 0 || at.Before(t.first) {
			t.first = at
		}
		if at.After(t.last) {
			t.last = at
		}
		t.n++
		t.bytes += size
	}
	return t
}

type storedBlob struct {
	digest hosting.Digest
	body   []byte
}

// blobs reads what a folder of the bucket has.
func (u *uploads) blobs(folder string) (blobs []storedBlob) {
	u.Helper()
	for path := range u.files(filepath.Join(u.bucket, folder)) {
		b, err := os.ReadFile(path)
		if err != nil {
			u.Fatal(err)
		}
		blobs = append(blobs, storedBlob{hosting.DigestOf(b), b})
	}
	return blobs
}

// loop sends blobs by so many workers, and nothing else.
func (u *uploads) loop(blobs []storedBlob, workers int) transfer {
	u.Helper()
	u.used++
	folder := fmt.Sprintf("bare/%d", u.used)
	var signed []object.Upload
	for _, b := range blobs {
		up, err := u.store.PresignPut(u.Context(), folder+"/"+b.digest.String(), object.Check{Size: int64(len(b.body)), Digest: b.digest}, time.Hour)
		if err != nil {
			u.Fatal(err)
		}
		signed = append(signed, up)
	}
	c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}}
	defer c.CloseIdleConnections()
	next := make(chan int)
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for i := range next {
				if err := put(c, signed[i], blobs[i].body); err != nil {
					u.Errorf("bare loop: %v", err)
				}
			}
		})
	}
	for i := range blobs {
		next <- i
	}
	close(next)
	all.Wait()
	t := u.stored(folder)
	if err := os.RemoveAll(filepath.Join(u.bucket, folder)); err != nil {
		u.Error(err)
	}
	return t
}

func put(c *http.Client, up object.Upload, body []byte) error {
	r, err := http.NewRequest(http.MethodPut, up.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, value := range up.Headers {
		r.Header.Set(name, value)
	}
	resp, err := c.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return nil
}

// oneAtATime is the uploader with what makes it fast taken away.
type oneAtATime struct {
	mu sync.Mutex // held while a blob is on its way
	builder.Uploads
}

func (o *oneAtATime) PutBlob(ctx context.Context, to hosting.BlobUpload, body []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.Uploads.PutBlob(ctx, to, body)
}

// oneAtATime is the rate of the product's uploader, for some files of the site, where it brings one blob at a time.
func (b *built) oneAtATime(n int) float64 {
	b.Helper()
	up := b.s.uploader("slow")
	defer up.end()
	dir := b.TempDir()
	files := map[string]string{"index.html": "slow"}
	for path := range b.files(b.dir) {
		if content, err := os.ReadFile(path); err == nil && len(files) <= n {
			files[filepath.Base(path)] = string(content)
		}
	}
	writeFiles(b, dir, files)
	out, err := builder.Collect(b.Context(), dir, hosting.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	if err := builder.Upload(b.Context(), &oneAtATime{Uploads: up.job}, out, nil); err != nil {
		b.Fatal(err)
	}
	p, err := b.api.FindProject(b.Context(), "slow")
	if err != nil {
		b.Fatal(err)
	}
	return b.stored("blobs/" + string(p.ID)).rate()
}

// sync brings the site by the aws command line with its own settings: first, with 1 % changed,
// and with nothing changed.
func (b *built) sync() string {
	b.Helper()
	run := func() float64 {
		cmd := exec.Command("aws", "s3", "sync", b.dir, "s3://"+fleetBucket+"/sync", "--endpoint-url", "http://"+b.way.addr, "--only-show-errors")
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
			"AWS_ACCESS_KEY_ID=" + fleetKey, "AWS_SECRET_ACCESS_KEY=" + fleetSecret}
		began := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("aws s3 sync: %v\n%.2000s", err, out)
		}
		return time.Since(began).Seconds()
	}
	first := run()
	b.write(max(1, b.Size/100))
	return fmt.Sprintf("aws s3 sync of the same files, the same way: first %.2f s, 1 %% changed %.2f s, nothing changed %.2f s", first, run(), run())
}

func medianOf(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

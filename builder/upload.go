package builder

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/scale-mesh/fairway/internal/hosting"
)

const (
	missingPage  = 2000
	formsPage    = 200 // fewer, since uploads of compressed files wait for each other
	parallelAsks = 4

	// uploadRoom is how many bytes are on their way at once: 16 large blobs, which fill a line, or
	// 64 small ones, whose time is that of the store's answers.
	uploadRoom = 16 << 20
	// Each blob takes at least so much of it: one that goes by the API costs control's memory.
	roomOfUpload = uploadRoom / 64
	roomByAPI    = uploadRoom / 16
)

// Progress is how far an upload is. The totals grow as long as files are compressed.
type Progress struct {
	Blobs, TotalBlobs int   // of those that control does not have
	Bytes, TotalBytes int64 // likewise
	Known             int   // blobs that control had already
}

// Upload asks which of the output's blobs are missing and brings these, while it compresses the
// files of which control knows no compressed form; the Output has all forms when it returns.
// progress, which may be nil, is called when more is known and after every blob, never
// concurrently. A repeated Upload brings only what is still missing, and then what control
// said to know, too.
func Upload(ctx context.Context, to Uploads, o *Output, progress func(Progress)) error {
	if progress == nil {
		progress = func(Progress) {}
	}
	u := &uploading{to: to, o: o, progress: progress}
	refs, files := o.blobs(), o.uncompressed()
	// Room for all: what is asked for does not wait for what is sent.
	u.queue = make(chan hosting.BlobUpload, len(refs)+partsOf(files))
	g, working := errgroup.WithContext(ctx) // which is over when Wait returns
	g.Go(func() error {
		defer close(u.queue)
		return u.find(working, refs, files)
	})
	g.Go(func() error { return u.send(working) })
	if err := g.Wait(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	o.addForms()
	return nil
}

// uploading is one run of Upload.
type uploading struct {
	to       Uploads
	o        *Output
	progress func(Progress)
	queue    chan hosting.BlobUpload // what find found to be missing, for send

	mu sync.Mutex // guards p and orders the calls of progress
	p  Progress
}

// find puts into the queue what is missing: of the blobs, and of the compressed forms of files.
func (u *uploading) find(ctx context.Context, refs []hosting.BlobRef, files []*hosting.File) error {
	asks := slices.Collect(slices.Chunk(refs, missingPage))
	g, working := errgroup.WithContext(ctx)
	g.SetLimit(parallelAsks)
	for i, page := range asks {
		var some []*hosting.File
		if !u.o.uploaded { // what control knew last time was not all there
			some = files[min(i*missingPage, len(files)):min((i+1)*missingPage, len(files))]
		}
		g.Go(func() error { return u.ask(working, page, some) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	u.o.uploaded = true
	return u.compress(ctx, slices.DeleteFunc(files, func(f *hosting.File) bool { return u.o.isCompressed(f.Digest) }))
}

// ask asks control for blobs, and for the compressed forms of files.
func (u *uploading) ask(ctx context.Context, blobs []hosting.BlobRef, files []*hosting.File) error {
	req, asked := hosting.MissingRequest{Blobs: blobs}, make(map[hosting.Digest]*hosting.File, len(files))
	for _, f := range files {
		req.Files = append(req.Files, f.Digest)
		asked[f.Digest] = f
	}
	var answer hosting.MissingAnswer
	err := retry(ctx, func(ctx context.Context) (err error) {
		answer, err = u.to.Missing(ctx, req)
		return err
	})
	if err != nil {
		return fmt.Errorf("ask which files are missing: %w", err)
	}
	known := len(req.Blobs) - len(answer.Missing)
	for _, f := range answer.Forms {
		if u.o.takeForm(asked[f.File], f.Form) {
			known += len(f.Form.Parts)
		}
	}
	size := make(map[hosting.Digest]int64, len(req.Blobs))
	for _, b := range req.Blobs {
		size[b.Digest] = b.Size
	}
	bytes := int64(0)
	for _, m := range answer.Missing {
		n, ok := size[m.Digest]
		if !ok {
			return fmt.Errorf("control asks for the blob %s, which is none of the output", m.Digest)
		}
		bytes += n
	}
	u.tell(func(p *Progress) {
		p.Known += known
		p.TotalBlobs += len(answer.Missing)
		p.TotalBytes += bytes
	})
	// The largest first: one that comes last would be waited for alone.
	slices.SortStableFunc(answer.Missing, func(a, b hosting.BlobUpload) int { return cmp.Compare(size[b.Digest], size[a.Digest]) })
	for _, m := range answer.Missing {
		select {
		case u.queue <- m:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (u *uploading) tell(change func(*Progress)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	change(&u.p)
	u.progress(u.p)
}

// compress compresses files, with one worker for each processor, and asks for their parts a few at a
// time.
func (u *uploading) compress(ctx context.Context, files []*hosting.File) error {
	made := make(chan hosting.BlobRef, formsPage)
	g, working := errgroup.WithContext(ctx)
	g.Go(func() error { return u.askAsMade(working, made) })
	g.Go(func() error {
		defer close(made)
		workers, working := errgroup.WithContext(working)
		var next atomic.Int64
		for range min(runtime.NumCPU(), len(files)) {
			workers.Go(func() error {
				c := newCompressor(u.o)
				for i := next.Add(1) - 1; i < int64(len(files)); i = next.Add(1) - 1 {
					if err := c.pass(working, files[i], made); err != nil {
						return err
					}
				}
				return nil
			})
		}
		return workers.Wait()
	})
	return g.Wait()
}

// pass compresses a file and passes its parts on.
func (c *compressor) pass(ctx context.Context, f *hosting.File, to chan<- hosting.BlobRef) error {
	form, err := c.file(ctx, f)
	if err != nil {
		return err
	}
	for _, ref := range form.Parts {
		select {
		case to <- ref:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (u *uploading) askAsMade(ctx context.Context, made <-chan hosting.BlobRef) error {
	asked := make(map[hosting.Digest]bool)
	var page []hosting.BlobRef
	for ref := range made {
		if asked[ref.Digest] {
			continue
		}
		asked[ref.Digest] = true
		if page = append(page, ref); len(page) < formsPage {
			continue
		}
		if err := u.ask(ctx, page, nil); err != nil {
			return err
		}
		page = nil
	}
	if len(page) == 0 {
		return nil
	}
	return u.ask(ctx, page, nil)
}

// send brings what is in the queue until that is closed and empty.
func (u *uploading) send(ctx context.Context) error {
	room := semaphore.NewWeighted(uploadRoom)
	g, working := errgroup.WithContext(ctx)
	for {
		m, ok := u.next(working)
		if !ok {
			break
		}
		takes := max(u.o.part(m.Digest).size, roomOfUpload)
		if m.URL == "" {
			takes = max(takes, roomByAPI)
		}
		if room.Acquire(working, takes) != nil {
			break // Wait says why
		}
		g.Go(func() error {
			defer room.Release(takes)
			size, err := u.o.upload(working, u.to, m)
			if err != nil {
				return err
			}
			u.tell(func(p *Progress) {
				p.Blobs++
				p.Bytes += size
			})
			return nil
		})
	}
	return g.Wait()
}

// next takes from the queue; ok is false when that is closed and empty, or ctx has ended.
func (u *uploading) next(ctx context.Context) (m hosting.BlobUpload, ok bool) {
	select {
	case m, ok = <-u.queue:
		return m, ok
	case <-ctx.Done():
		return m, false
	}
}

// blobs lists each blob of the output once, in an order that only the content decides.
func (o *Output) blobs() []hosting.BlobRef {
	refs := make([]hosting.BlobRef, 0, len(o.parts))
	for d, p := range o.parts {
		refs = append(refs, hosting.BlobRef{Digest: d, Size: p.size})
	}
	slices.SortFunc(refs, func(a, b hosting.BlobRef) int { return slices.Compare(a.Digest[:], b.Digest[:]) })
	return refs
}

func (o *Output) upload(ctx context.Context, to Uploads, m hosting.BlobUpload) (int64, error) {
	b, err := o.read(m.Digest)
	if err != nil {
		return 0, err
	}
	err = retry(ctx, func(ctx context.Context) error { return to.PutBlob(ctx, m, b) })
	if err != nil {
		return 0, fmt.Errorf("upload the blob %s: %w", m.Digest, err)
	}
	return int64(len(b)), nil
}

// read returns a blob's bytes, and makes sure that they still are what was hashed.
func (o *Output) read(d hosting.Digest) ([]byte, error) {
	p := o.part(d)
	if p.file == "" {
		return o.store.get(d)
	}
	f, err := o.root.OpenFile(p.file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", p.file, err)
	}
	defer func() { _ = f.Close() }()
	b := make([]byte, p.size)
	if _, err := f.ReadAt(b, p.offset); err != nil || hosting.DigestOf(b) != d {
		return nil, changed(p.file)
	}
	return b, nil
}

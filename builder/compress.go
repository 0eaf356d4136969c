package builder

import (
	"bytes"
	"context"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/andybalholm/brotli"

	"github.com/scale-mesh/fairway/internal/hosting"
)

const (
	// brotliLevel 5 has nearly the ratio of 9 at three times the speed; 11 is 60 times slower.
	brotliLevel = 5
	minBrotli   = 1 << 10
	// maxBrotli bounds memory. Text files above it are rare, and rarely fetched whole.
	maxBrotli = 16 << 20
)

// compressible reports whether a file is compressed, if nobody knows its compressed form.
func compressible(f *hosting.File) bool {
	return isText(f.Path) && f.Size >= minBrotli && f.Size <= maxBrotli
}

// compressed is the compressed form of a file's content; one without an encoding does not pay.
type compressed struct {
	form hosting.Form
	held bool // the Output has its parts; else control has
}

// uncompressed lists the files that are compressible and have no form that this Output holds, each
// content once. It forgets the others.
func (o *Output) uncompressed() (files []*hosting.File) {
	o.mu.Lock()
	defer o.mu.Unlock()
	maps.DeleteFunc(o.forms, func(_ hosting.Digest, c compressed) bool { return !c.held })
	listed := make(map[hosting.Digest]bool)
	for i := range o.Files {
		f := &o.Files[i]
		if _, ok := o.forms[f.Digest]; !ok && !listed[f.Digest] && compressible(f) {
			listed[f.Digest] = true
			files = append(files, f)
		}
	}
	return files
}

// partsOf is how many blobs the compressed forms of the files have at most.
func partsOf(files []*hosting.File) (n int) {
	for _, f := range files {
		n += len(f.Forms[0].Parts)
	}
	return n
}

func (o *Output) isCompressed(file hosting.Digest) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := o.forms[file]
	return ok
}

func (o *Output) setForm(file hosting.Digest, c compressed) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.forms[file] = c
}

// takeForm has the Output use a compressed form that control has, if f was asked for and the form
// is one that would have been made of it.
func (o *Output) takeForm(f *hosting.File, form hosting.Form) bool {
	if f == nil || form.Encoding != hosting.EncodingBrotli || !pays(form.Size, f.Size) {
		return false
	}
	o.setForm(f.Digest, compressed{form: form})
	return true
}

// pays reports whether a compressed form is enough smaller than the file.
func pays(form, file int64) bool { return form*10 <= file*9 }

// addForms gives the files the compressed forms that there are.
func (o *Output) addForms() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range o.Files {
		f := &o.Files[i]
		f.Forms = f.Forms[:1:1]
		if c := o.forms[f.Digest]; c.form.Encoding != "" && compressible(f) {
			f.Forms = append(f.Forms, c.form)
		}
	}
}

// compressor compresses one file after the other. An encoder has tables of some megabytes, which
// cost more to make than a small file to compress.
type compressor struct {
	o   *Output
	buf bytes.Buffer
	w   *brotli.Writer
}

func newCompressor(o *Output) *compressor {
	c := &compressor{o: o}
	c.w = brotli.NewWriterLevel(&c.buf, brotliLevel)
	return c
}

// file makes the compressed form of a file, whose content it checks, and has the Output hold it. The
// form has no parts where it does not pay.
func (c *compressor) file(ctx context.Context, f *hosting.File) (hosting.Form, error) {
	c.buf.Reset()
	c.w.Reset(&c.buf)
	for _, ref := range f.Forms[0].Parts {
		if ctx.Err() != nil {
			return hosting.Form{}, context.Cause(ctx)
		}
		b, err := c.o.read(ref.Digest)
		if err != nil {
			return hosting.Form{}, err
		}
		_, _ = c.w.Write(b) // a buffer never fails
	}
	_ = c.w.Close()
	made := compressed{held: true}
	if pays(int64(c.buf.Len()), f.Size) {
		var err error
		if made.form, err = c.o.keep(c.buf.Bytes()); err != nil {
			return hosting.Form{}, err
		}
	}
	c.o.setForm(f.Digest, made)
	return made.form, nil
}

// keep stores a compressed form's parts.
func (o *Output) keep(b []byte) (hosting.Form, error) {
	form := hosting.Form{Encoding: hosting.EncodingBrotli, Size: int64(len(b))}
	for piece := range slices.Chunk(b, hosting.MaxBlob) {
		ref := hosting.BlobRef{Digest: hosting.DigestOf(piece), Size: int64(len(piece))}
		if err := o.store.put(ref.Digest, piece); err != nil {
			return hosting.Form{}, err
		}
		o.addPart(ref.Digest, part{size: ref.Size})
		form.Parts = append(form.Parts, ref)
	}
	return form, nil
}

// isText reports whether files of that name are made of text, or shrink like it.
func isText(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".html", ".htm", ".xhtml", ".css", ".js", ".mjs", ".cjs", ".json", ".map", ".webmanifest", ".geojson",
		".svg", ".xml", ".rss", ".atom", ".txt", ".md", ".csv", ".tsv", ".vtt", ".srt", ".ics", ".yaml", ".yml",
		".toml", ".ts", ".tsx", ".jsx", ".wasm", ".ttf", ".otf", ".eot", ".ico", ".bmp", ".gltf", ".obj", ".glsl":
		return true
	}
	return false
}

package manifest

import (
	"github.com/scale-mesh/fairway/internal/hosting"
)

// checkFile says whether a file can be published as it is described, and returns it in the
// form in which it is written.
func checkFile(f *hosting.File) (content, error) {
	if err := hosting.CheckFilePath(f.Path); err != nil {
		return content{}, err
	}
	c := content{path: f.Path, kind: typeOf(f.Path), digest: f.Digest}
	if f.Immutable {
		c.flags = flagImmutable
	}
	seen := false
	for i := range f.Forms {
		form, err := checkForm(f.Path, &f.Forms[i])
		if err != nil {
			return content{}, err
		}
		switch enc := f.Forms[i].Encoding; {
		case enc == hosting.EncodingIdentity && !seen:
			c.identity, seen = form, true
		case enc == hosting.EncodingBrotli && c.brotli.size == 0 && form.size > 0:
			c.brotli = form
		default:
			return content{}, bad(f.Path, "its form %q is not known, empty, or there twice", enc)
		}
	}
	if !seen {
		return content{}, bad(f.Path, "it has no identity form")
	}
	return c, checkIdentity(f, c.identity)
}

// checkIdentity compares the identity form with what the file says of itself. Where it is
// one blob, or none, the file's digest is that blob's.
func checkIdentity(f *hosting.File, id form) error {
	switch {
	case f.Size < 0 || uint64(f.Size) != id.size:
		return bad(f.Path, "its size is %d, but its identity form has %d bytes", f.Size, id.size)
	case len(id.parts) == 0 && f.Digest != hosting.DigestOf(nil),
		len(id.parts) == 1 && f.Digest != id.parts[0].Digest,
		f.Digest.IsZero():
		return bad(f.Path, "its digest is not that of its content")
	}
	return nil
}

// checkForm says whether the parts make up the form: each but the last exactly MaxBlob long.
// An empty form may have no part or one empty part, and is written with none.
func checkForm(path string, f *hosting.Form) (form, error) {
	left := f.Size
	for i, p := range f.Parts {
		want := min(left, hosting.MaxBlob)
		if p.Size != want || p.Size < 0 || (want == 0 && i > 0) || p.Digest.IsZero() {
			return form{}, bad(path, "part %d of its form %q has %d bytes where %d are due, or no digest", i+1, f.Encoding, p.Size, max(want, 0))
		}
		left -= want
	}
	if left != 0 {
		return form{}, bad(path, "the parts of its form %q do not add up to %d bytes", f.Encoding, f.Size)
	}
	if f.Size == 0 {
		return form{}, nil
	}
	return form{size: uint64(f.Size), parts: f.Parts}, nil
}

func bad(path, format string, args ...any) error {
	return hosting.Errorf(hosting.CodeInvalid, "the file %q cannot be published: "+format, append([]any{path}, args...)...)
}

package deploy

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/manifest"
)

// content is an inventory that passed its checks.
type content struct {
	manifest  []byte
	refs      []hosting.BlobRef // each once
	files     int
	bytes     int64
	framework string
}

// readInventory checks what a job says it made, and writes the manifest of it. Paths, forms
// and parts are checked by manifest.Build, limits here.
func readInventory(inv hosting.Inventory, l hosting.Limits) (content, error) {
	c := content{files: len(inv.Files), framework: printableText(inv.Framework, maxFramework)}
	switch {
	case c.files == 0:
		return c, hosting.Errorf(hosting.CodeInvalid, "the site has no files").WithHint("check the output folder")
	case c.files > l.Files:
		return c, hosting.Errorf(hosting.CodeTooLarge, "the site has %d files, the limit is %d", c.files, l.Files)
	}
	for i := range inv.Files {
		f := &inv.Files[i]
		if f.Size > l.FileBytes {
			return c, hosting.Errorf(hosting.CodeTooLarge, "the file %q has %d bytes, the limit is %d",
				printableText(f.Path, 200), f.Size, l.FileBytes)
		}
		if f.Size < 0 || len(f.Forms) == 0 || f.Forms[0].Encoding != hosting.EncodingIdentity {
			return c, hosting.Errorf(hosting.CodeInvalid, "the file %q does not begin with its identity form", printableText(f.Path, 200))
		}
		// Each addend is at most the limit, so this cannot overflow before it is noticed.
		if c.bytes += f.Size; c.bytes > l.SiteBytes {
			return c, hosting.Errorf(hosting.CodeTooLarge, "the site has more than %d bytes", l.SiteBytes)
		}
		for _, form := range f.Forms {
			if form.Size > f.Size {
				return c, hosting.Errorf(hosting.CodeInvalid, "the file %q has a form that is larger than itself", printableText(f.Path, 200))
			}
			c.refs = append(c.refs, form.Parts...)
		}
	}
	b, err := manifest.Build(manifest.Content{Files: inv.Files, Fallback: inv.Fallback})
	if err != nil {
		return c, err
	}
	slices.SortFunc(c.refs, compareRefs)
	c.refs = slices.Compact(c.refs)
	c.refs = slices.DeleteFunc(c.refs, func(r hosting.BlobRef) bool { return r.Size == 0 }) // manifests name no empty blob
	c.manifest = b
	return c, nil
}

// checkStored says whether all blobs are there, in the sizes that the inventory claims;
// CodeIncomplete lists some of those that are not. It returns how many bytes the project's
// newest manifests do not name.
func (a *Attempt) checkStored(ctx context.Context, refs []hosting.BlobRef) (added int64, err error) {
	stored, err := a.s.storedBy(ctx, a.run)
	if err != nil {
		return 0, fmt.Errorf("check blobs: %w", err)
	}
	refs = slices.DeleteFunc(slices.Clone(refs), stored.has)
	for _, ref := range refs {
		added += ref.Size
	}
	absent, err := a.s.cfg.Blobs.Absent(ctx, a.run.Project, refs)
	if err != nil {
		return 0, fmt.Errorf("check blobs: %w", err)
	}
	if len(absent) == 0 {
		return added, nil
	}
	var some []string
	for _, ref := range absent[:min(len(absent), listedAbsent)] {
		some = append(some, ref.Digest.String())
	}
	return 0, hosting.Errorf(hosting.CodeIncomplete, "%d blobs are not stored", len(absent)).
		WithHint("upload %s", strings.Join(some, ", "))
}

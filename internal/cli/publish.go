package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/scale-mesh/fairway/builder"
	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// publish brings the files of a folder as they are.
func (d *deployment) publish(ctx context.Context, name string, way choice) (err error) {
	st := newStatus(d.output)
	st.set("Reading the files")
	out, err := builder.Collect(ctx, way.dir, hosting.DefaultLimits())
	st.stop()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	fallback := hosting.FallbackNone
	if d.spa || way.spa {
		fallback = hosting.FallbackSPA
	}
	d.say("%s: publishing %s as they are%s", d.whyAsTheyAre(), count(len(out.Files), "file"), leftOut(out.LeftOut))
	p, err := d.findOrCreate(ctx, name, "")
	if err != nil {
		return err
	}
	answer, err := d.c.Deploy(ctx, hosting.NewDeployment{
		Project: string(p.ID), Target: d.target(), Source: hosting.SourceFiles, Fallback: fallback,
	})
	if err != nil {
		return err
	}
	if answer.Upload == nil {
		return fmt.Errorf("the API takes no files for deployment %s", answer.ID)
	}
	job := d.c.Job(answer.ID, answer.Upload.Token)
	made, err := d.bring(ctx, job, out, fallback)
	if err != nil {
		if ctx.Err() == nil {
			d.confess(ctx, job, err)
		}
		return d.abandon(ctx, answer.ID, err)
	}
	return d.outcome(made, d.began)
}

func (d *deployment) whyAsTheyAre() string {
	if d.prebuilt {
		return "Prebuilt"
	}
	return "No build needed"
}

// leftOut says that something of the folder is not published: .git, .env files and such.
func leftOut(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return ", without 1 name that is never published"
	}
	return fmt.Sprintf(", without %s that are never published", count(n, "name"))
}

// progress shows an upload on the moving line.
func (d *deployment) progress(st *status) func(builder.Progress) {
	return func(p builder.Progress) {
		st.detail(fmt.Sprintf("Uploading %s of %s", size(p.Bytes), size(p.TotalBytes)))
	}
}

// bringAttempts bounds how often blobs that control misses at the end are brought again:
// a blob that was there when it was asked for can be gone once, not for ever.
const bringAttempts = 3

func (d *deployment) bring(ctx context.Context, job *client.Job, out *builder.Output, fallback hosting.Fallback) (hosting.Deployment, error) {
	st := newStatus(d.output)
	defer st.stop()
	for attempt := 1; ; attempt++ {
		st.set("Uploading")
		if err := builder.Upload(ctx, job, out, d.progress(st)); err != nil {
			return hosting.Deployment{}, err
		}
		st.set("Publishing")
		inventory := out.Inventory(fallback, "static")
		made, err := job.Finish(ctx, hosting.Finish{Inventory: &inventory})
		if attempt == bringAttempts || !hosting.Is(err, hosting.CodeIncomplete) {
			return made, err
		}
	}
}

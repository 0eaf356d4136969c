package examples

import (
	"context"
	"os"
	"testing"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/subrequests/lint"
	"github.com/opencontainers/go-digest"
)

// noRegistry says of each image that it is there and empty.
type noRegistry struct{}

func (noRegistry) ResolveImageConfig(_ context.Context, ref string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	return ref, digest.FromString(ref), []byte(`{"architecture":"amd64","os":"linux","config":{}}`), nil
}

func lintText(t *testing.T, text []byte) *lint.LintResults {
	t.Helper()
	source := llb.NewSourceMap(nil, "Dockerfile", "Dockerfile", text)
	source.Definition = &llb.Definition{}
	r, err := dockerfile2llb.DockerfileLint(t.Context(), text, dockerfile2llb.ConvertOpt{
		MetaResolver: noRegistry{}, Config: dockerui.Config{}, SourceMap: source,
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Error != nil {
		t.Fatalf("%+v", r.Error)
	}
	return r
}

func TestDockerfiles_PassTheLinter(t *testing.T) {
	if r := lintText(t, []byte("FROM debian as x\nMAINTAINER me\nENV KEY value\n")); len(r.Warnings) < 2 {
		t.Errorf("of a bad one the linter only says %+v", r.Warnings) // the control
	}
	for _, path := range []string{"../../../Dockerfile", "../../../builder/Dockerfile", "../../../examples/aws/Dockerfile"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range lintText(t, text).Warnings {
			t.Errorf("%s: %s: %s (line %d)", path, w.RuleName, w.Detail, w.Location.Ranges[0].Start.Line)
		}
	}
}

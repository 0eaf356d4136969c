package examples

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

const composeFile = "../../../examples/compose/compose.yaml"

// load reads the file as compose does: by its schema, with anchors merged and variables replaced.
func load(t *testing.T, text []byte) (*types.Project, error) {
	t.Helper()
	return loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir: "../../../examples/compose", ConfigFiles: []types.ConfigFile{{Filename: composeFile, Content: text}}, Environment: types.Mapping{},
	}, func(o *loader.Options) { o.Profiles = []string{"*"} })
}

func TestCompose_IsWhatComposeReads(t *testing.T) {
	text, err := os.ReadFile(composeFile)
	if err != nil {
		t.Fatal(err)
	}
	p, err := load(t, text)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := load(t, []byte(strings.Replace(string(text), "read_only: true", "readonly: true", 1))); err == nil {
		t.Error("a word that compose does not know was read") // the control
	}
	if names := p.ServiceNames(); len(names) != 5 {
		t.Errorf("the services are %q", names)
	}
	for _, name := range []string{"fairway", "edge"} {
		s := p.Services[name]
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") || s.Privileged {
			t.Errorf("%s may do more than it needs: %+v", name, s)
		}
		for variable, value := range s.Environment {
			for word := range strings.FieldsFuncSeq(*value, func(r rune) bool { return strings.ContainsRune("?&= ", r) }) {
				if _, secret, ok := strings.Cut(word, "/run/secrets/"); ok && !slices.ContainsFunc(s.Secrets, func(c types.ServiceSecretConfig) bool { return c.Source == secret }) {
					t.Errorf("%s: %s names the secret %s, which it does not get", name, variable, secret)
				}
			}
		}
	}
	for name, s := range p.Services {
		for _, network := range s.NetworksByPriority() {
			if network == "front" && name != "fairway" && name != "edge" {
				t.Errorf("%s is reached from the world", name)
			}
		}
		for variable, value := range s.Environment {
			if value != nil && (strings.HasSuffix(variable, "_PASSWORD") || strings.HasSuffix(variable, "_SECRET_KEY")) {
				t.Errorf("%s has a secret in %s, not in a file", name, variable)
			}
		}
	}
}

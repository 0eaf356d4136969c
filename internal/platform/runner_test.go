package platform

import (
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/seal"
)

func TestOpenRunner_SaysWhatFollowsFromWhereBuildsRun(t *testing.T) {
	const tasks = "ecs://builds/fairway?region=eu-central-1&subnets=subnet-1"
	keys := func(name string) string {
		return map[string]string{"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}[name]
	}
	key, err := seal.OpenFile(t.TempDir() + "/key")
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]runners{
		"process:":                          {api: "unix:///", apart: false},
		tasks:                               {api: "https://fairway.example.net:8443/api", apart: true},
		tasks + "&launch_type=EC2":          {api: "https://fairway.example.net:8443/api", apart: false},
		tasks + "&launch_type=FARGATE_SPOT": {api: "https://fairway.example.net:8443/api", apart: true},
	} {
		c, err := Config{Data: t.TempDir(), Domain: "example.com", ControlHost: "fairway.example.net", Executable: "/bin/false", Runner: address, Getenv: keys}.Normal()
		if err != nil {
			t.Fatal(err)
		}
		p := &Platform{config: c}
		got, err := p.openRunner(t.Context(), c, key)
		if err != nil || !strings.HasPrefix(got.api, want.api) || got.apart != want.apart {
			t.Errorf("%s: jobs call %s, apart %v, %v; want %+v", address, got.api, got.apart, err, want)
		}
		for _, closer := range p.closers {
			_ = closer()
		}
	}
	c := Config{ControlHost: "fairway.example.net"}
	if name := c.installation(key); !strings.HasPrefix(name, "fairway/fairway_example_net/") || len(name) > 128 || name != c.installation(key) {
		t.Errorf("the installation is called %s", name)
	}
	c.ControlHost = strings.Repeat("a.", 120) + "a"
	if name := c.installation(key); len(name) > 128 {
		t.Errorf("the installation is called %s", name)
	}
}

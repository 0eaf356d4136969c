package ecs

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
)

func TestParse_ReadsAddresses(t *testing.T) {
	for address, want := range map[string]Config{
		"ecs://builds/fairway?subnets=subnet-1": {Cluster: "builds", TaskDefinition: "fairway", Container: "fairway", Launch: Fargate, Subnets: []string{"subnet-1"}},
		"ecs://builds/fairway:12?subnets=subnet-1,subnet-2&security_groups=sg-1,sg-2&assign_public_ip=true&launch_type=FARGATE_SPOT&container=job&cpu=2048&memory=4096&region=eu-central-1&endpoint=http://127.0.0.1:1": {
			Cluster: "builds", TaskDefinition: "fairway:12", Container: "job", Launch: FargateSpot, Subnets: []string{"subnet-1", "subnet-2"},
			SecurityGroups: []string{"sg-1", "sg-2"}, PublicIP: true, CPU: "2048", Memory: "4096", Region: "eu-central-1", Endpoint: "http://127.0.0.1:1",
		},
		"ecs://b_1-x/f?launch_type=EC2": {Cluster: "b_1-x", TaskDefinition: "f", Container: "fairway", Launch: EC2},
	} {
		if got, err := Parse(address); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v; want %+v", address, got, err, want)
		}
	}
}

func TestParse_RefusesWhatIsNoCluster(t *testing.T) {
	const good = "ecs://builds/fairway?subnets=subnet-1"
	if _, err := Parse(good); err != nil {
		t.Fatal(err)
	}
	for address, says := range map[string]string{
		"":                                   "begins with ecs://",
		"builds":                             "begins with ecs://",
		"ECS://builds/fairway":               "begins with ecs://",
		"ecs://":                             "1 to 255",
		"ecs://builds":                       "task definition",
		"ecs://builds/":                      "task definition",
		"ecs://builds/a/b":                   "task definition",
		"ecs://builds/a:b":                   "task definition",
		"ecs://builds/a:0":                   "task definition",
		"ecs://bui lds/a":                    "1 to 255",
		"ecs://arn:aws:ecs:x/a":              "not by its ARN",
		"ecs://builds/fairway":               "needs subnets",
		good + "&container=":                 "container",
		good + "&container=a/b":              "container",
		good + "&launch_type=x":              "launch_type",
		good + "&launch_type=":               "launch_type",
		good + "&cpu=1x":                     "cpu",
		good + "&cpu=-1":                     "cpu",
		good + "&memory=4GB":                 "memory",
		good + "&colour=red":                 "not known",
		good + "&cpu=1&cpu=2":                "more than once",
		good + "&region=%zz":                 "cannot be read",
		good + "&endpoint=ftp:/":             "endpoint",
		good + "&endpoint=http://10.0.0.7:1": "in the clear",
		good + "&endpoint=http://10.0.0.7:1&insecure=maybe":                "true or false",
		good + "&credentials=AKIAHUSH":                                     "file:PATH",
		good + "&endpoint=http://h/path":                                   "endpoint",
		good + "&assign_public_ip=maybe":                                   "true or false",
		good + "&security_groups=,":                                        "security_groups",
		good + ",":                                                         "subnets",
		"ecs://builds/fairway?subnets=":                                    "subnets",
		"ecs://builds/fairway?launch_type=EC2&security_groups=sg-1":        "with subnets",
		good + "&launch_type=EC2&assign_public_ip=true":                    "Fargate alone",
		"ecs://builds/fairway?launch_type=FARGATE_SPOT":                    "needs subnets",
		"ecs://builds/" + strings.Repeat("f", 256) + "?subnets=subnet-1":   "task definition",
		"ecs://" + strings.Repeat("c", 256) + "/fairway?subnets=subnet-1":  "1 to 255",
		"ecs://builds/fairway?subnets=subnet-1&security_groups=sg-1;x=sg2": "cannot be read",
	} {
		c, err := Parse(address)
		if !hosting.Is(err, hosting.CodeInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %+v, %v; want an error that says %q", address, c, err, says)
		}
	}
}

func TestParse_RefusesKeysAndShowsNone(t *testing.T) {
	for _, address := range []string{
		"ecs://AKIAX:hunter2@builds/fairway", "ecs://builds/fairway@hunter2", "ecs://builds/fairway?access_key=hunter2",
		"ecs://builds/fairway?secret=hunter2", "ecs://builds/fairway?AWS_SESSION_TOKEN=hunter2", "ecs://builds/fairway?X-Amz-Signature=hunter2",
		"ecs://builds/fairway?subnets=subnet-1&endpoint=http://me:hunter2@host",
	} {
		_, err := Parse(address)
		if !hosting.Is(err, hosting.CodeInvalid) || !strings.Contains(err.Error(), "AWS_SECRET_ACCESS_KEY") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want a hint where keys belong, and no key", address, err)
		}
	}
	for _, address := range []string{"ecs://builds/fairway?hunter2=x", "ecs://hunter2/hunter2", "hunter2"} {
		if _, err := Parse(address); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, address := range []string{"ecs://builds/fairway:1?subnets=subnet-1&launch_type=EC2&endpoint=http://127.0.0.1:1", "ecs://a:b@c/d", "ecs://a/b?x;y", ""} {
		f.Add(address)
	}
	f.Fuzz(func(t *testing.T, address string) {
		c, err := Parse(address)
		if err != nil {
			if !hosting.Is(err, hosting.CodeInvalid) || !reflect.DeepEqual(c, Config{}) {
				t.Errorf("%q: %+v, %v", address, c, err)
			}
			return
		}
		if !strings.HasPrefix(address, "ecs://"+c.Cluster+"/"+c.TaskDefinition) || strings.Contains(c.Endpoint, "@") {
			t.Errorf("%q became %+v", address, c)
		}
	})
}

// bare is an environment without keys, region, profile or instance.
func bare(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for name, v := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
		"AWS_PROFILE": "", "AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, v)
	}
}

func TestOpen_NeedsARegionBothKeysAndANameForTheInstallation(t *testing.T) {
	bare(t)
	env := func(pairs ...string) func(string) string {
		return func(name string) string {
			for _, p := range pairs {
				if k, v, _ := strings.Cut(p, "="); k == name {
					return v
				}
			}
			return ""
		}
	}
	both := env("AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b")
	for says, change := range map[string]func(*Config){
		"region":         func(c *Config) { c.Region = "" },
		"one is missing": func(c *Config) { c.Getenv = env("AWS_ACCESS_KEY_ID=a") },
		"has no name":    func(c *Config) { c.Installation = "" },
		"at most 128":    func(c *Config) { c.Installation = "a.b" },
		"1 to 255":       func(c *Config) { c.Cluster = "" },
		"":               func(*Config) {},
	} {
		c, err := Parse("ecs://builds/fairway?subnets=subnet-1&region=x")
		if err != nil {
			t.Fatal(err)
		}
		c.Getenv, c.Installation = both, "fairway/tests"
		change(&c)
		if _, err := Open(t.Context(), c); says == "" && err != nil || says != "" && (!hosting.Is(err, hosting.CodeInvalid) || !strings.Contains(err.Error(), says)) {
			t.Errorf("%v, want an error that says %q", err, says)
		}
	}
	c, _ := Parse("ecs://builds/fairway?subnets=subnet-1")
	c.Getenv, c.Installation = env("AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", "AWS_DEFAULT_REGION=x"), "fairway/tests"
	if r, err := Open(t.Context(), c); err != nil || r.config.Region != "x" {
		t.Errorf("with a region in the environment: %v", err)
	}
}

func TestRunner_SaysThatThereAreNoKeys(t *testing.T) {
	bare(t)
	s := newService(t)
	r := s.runner(t, func(c *Config) { c.Getenv = func(string) string { return "" } })
	if _, err := r.Start(t.Context(), spec(1)); !hosting.Is(err, hosting.CodeUnavailable) || !strings.Contains(err.Error(), "AWS_ACCESS_KEY_ID") {
		t.Errorf("without keys: %v", err)
	}
	wrong := s.runner(t, func(c *Config) {
		c.Getenv = func(name string) string {
			return strings.ReplaceAll(keys(name), "AKIA", "AKIB")
		}
	})
	if _, err := wrong.Start(t.Context(), spec(1)); !hosting.Is(err, hosting.CodeUnavailable) || !strings.Contains(err.Error(), "refuses Fairway's keys") {
		t.Errorf("with an unknown key: %v", err)
	}
}

package ecs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/runner"
)

// moto is an ECS by other people. It runs nothing, and knows no client tokens and no stop codes,
// so what it can show is the rest of what Runner says and reads.
func moto(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("moto_server")
	if err != nil {
		t.Skip("moto_server is not installed")
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(free.Addr().String())
	_ = free.Close()
	var log bytes.Buffer
	server := exec.Command(program, "-H", host, "-p", port)
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		if t.Failed() {
			t.Logf("moto says: %s", log.Bytes()[max(0, log.Len()-3000):])
		}
	})
	waitFor(t, "moto", func() bool {
		c, err := net.Dial("tcp", net.JoinHostPort(host, port))
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)})
	proxy.ModifyResponse = retype
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	return front.URL
}

// retype turns sizes into texts, which they are in the model of the service: moto says numbers.
func retype(r *http.Response) error {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	var v any
	if json.Unmarshal(b, &v) == nil {
		if b, err = json.Marshal(texts(v)); err != nil {
			return err
		}
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
	r.Header.Set("Content-Length", strconv.Itoa(len(b)))
	return nil
}

func texts(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = texts(v[i])
		}
	case map[string]any:
		for name, value := range v {
			if n, ok := value.(float64); ok && (name == "cpu" || name == "memory") {
				v[name] = fmt.Sprint(n)
			} else if name != "containerDefinitions" { // where they are numbers
				v[name] = texts(value)
			}
		}
	}
	return v
}

// subnet asks moto for one of those that it has from the start.
func subnet(t *testing.T, at string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at+"/", strings.NewReader("Action=DescribeSubnets&Version=2016-11-15"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=a/20260101/eu-central-1/ec2/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	m := regexp.MustCompile(`<subnetId>(subnet-[0-9a-f]+)</subnetId>`).FindSubmatch(b)
	if m == nil {
		t.Fatalf("moto has no subnet: %s", b)
	}
	return string(m[1])
}

func TestRunner_AgainstMoto(t *testing.T) {
	at := moto(t)
	c, err := Parse("ecs://builds/fairway?region=eu-central-1&endpoint=" + at + "&security_groups=sg-1&subnets=" + subnet(t, at)) // moto needs a group
	if err != nil {
		t.Fatal(err)
	}
	c.Installation, c.Getenv = "fairway/tests", keys
	r, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if _, err := r.Start(ctx, spec(1)); !hosting.Is(err, hosting.CodeInvalid) || !strings.Contains(err.Error(), "no cluster builds") {
		t.Errorf("Start without a cluster: %v", err)
	}
	if _, err := r.client.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: aws.String("builds")}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.client.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
		Family: aws.String("fairway"), NetworkMode: types.NetworkModeAwsvpc, RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate},
		Cpu: aws.String("1024"), Memory: aws.String("2048"), ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("fairway"), Image: aws.String("fairway"), Memory: aws.Int32(2048)}},
	}); err != nil {
		t.Fatal(err)
	}
	one, err := r.Start(ctx, spec(1))
	if err != nil {
		t.Fatal(err)
	}
	two, err := r.Start(ctx, spec(2))
	if err != nil || one == two {
		t.Fatalf("Start = %s, %v", two, err)
	}
	if jobs, err := r.List(ctx); err != nil || len(jobs) != 2 {
		t.Errorf("List = %v, %v", jobs, err)
	}
	if err := r.Stop(ctx, one); err != nil {
		t.Error(err)
	}
	missing := runner.Ref(string(one)[:len(one)-4] + "0000")
	if err := r.Stop(ctx, missing); err != nil {
		t.Errorf("Stop of a task that is not there: %v", err)
	}
	states, err := r.Inspect(ctx, []runner.Ref{one, two, missing})
	if err != nil || states[0].Phase != runner.Exited || states[1].Phase != runner.Running || states[2].Phase != runner.Gone {
		t.Errorf("Inspect = %v, %v", states, err)
	}
	// With each look moto takes a task one state further, so that the other one may have ended, too.
	if jobs, err := r.List(ctx); err != nil || slices.Contains(jobs, runner.Job{Name: spec(1).Name, Ref: one}) {
		t.Errorf("after Stop List = %v, %v", jobs, err)
	}
}

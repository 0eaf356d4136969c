package ecstest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const secretKey = "shibboleth-0123456789"

// bench is a server with the SDK's client, which decodes strictly.
type bench struct {
	*Server
	*ecs.Client
	url string
}

func open(t *testing.T, command string, changes ...func(*Config)) bench {
	t.Helper()
	c := Config{Dir: t.TempDir(), Definitions: []TaskDefinition{{
		Family: "fairway", Container: "fairway", Command: []string{"/bin/sh", "-c", command}, StopTimeout: 20 * time.Second,
		Environment: []string{"PATH=" + os.Getenv("PATH")},
	}}}
	for _, change := range changes {
		change(&c)
	}
	s := New(c)
	t.Cleanup(s.Close)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return bench{s, ecs.New(ecs.Options{
		Region: "eu-central-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider(AccessKey, secretKey, ""),
		Retryer: aws.NopRetryer{},
	}), server.URL}
}

func request(change func(*ecs.RunTaskInput)) *ecs.RunTaskInput {
	in := &ecs.RunTaskInput{
		Cluster: aws.String("builds"), TaskDefinition: aws.String("fairway"), LaunchType: types.LaunchTypeFargate, StartedBy: aws.String("tests"),
		NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{"subnet-1"}}},
	}
	if change != nil {
		change(in)
	}
	return in
}

func (b bench) run(t *testing.T, change func(*ecs.RunTaskInput)) types.Task {
	t.Helper()
	out, err := b.RunTask(t.Context(), request(change))
	if err != nil || len(out.Tasks) != 1 {
		t.Fatalf("RunTask: %v, %v", out, err)
	}
	return out.Tasks[0]
}

func (b bench) describe(t *testing.T, task types.Task) types.Task {
	t.Helper()
	out, err := b.DescribeTasks(t.Context(), &ecs.DescribeTasksInput{Cluster: task.ClusterArn, Tasks: []string{*task.TaskArn}})
	if err != nil || len(out.Tasks) != 1 {
		t.Fatalf("DescribeTasks: %v, %v", out, err)
	}
	return out.Tasks[0]
}

// ended waits for the task's last state.
func (b bench) ended(t *testing.T, task types.Task) types.Task {
	t.Helper()
	timeout := time.After(30 * time.Second)
	for again := time.NewTicker(5 * time.Millisecond); ; {
		if task = b.describe(t, task); *task.LastStatus == stopped {
			again.Stop()
			return task
		}
		select {
		case <-again.C:
		case <-timeout:
			t.Fatalf("the task is %s", *task.LastStatus)
		}
	}
}

// ways are the ways in which the server runs tasks.
func ways(t *testing.T, do func(t *testing.T, way func(*Config))) {
	path, err := exec.LookPath("bwrap")
	if err == nil {
		err = exec.Command(path, "--ro-bind", "/", "/", "--unshare-pid", "--proc", "/proc", "true").Run()
	}
	t.Run("as processes", func(t *testing.T) { do(t, func(*Config) {}) })
	t.Run("in bubblewrap", func(t *testing.T) {
		if err != nil {
			t.Skipf("bubblewrap does not run here: %v", err)
		}
		do(t, func(c *Config) { c.Bubblewrap = path })
	})
	if image := os.Getenv("FAIRWAY_TEST_IMAGE"); image != "" {
		t.Run("in podman", func(t *testing.T) {
			path, err := exec.LookPath("podman")
			if err != nil {
				t.Fatal(err)
			}
			do(t, func(c *Config) { c.Podman, c.Definitions[0].Image = path, image })
		})
	}
}

func TestTask_EndsAsECSTells(t *testing.T) {
	ways(t, func(t *testing.T, way func(*Config)) {
		for _, tc := range []struct {
			name, command  string
			init           bool
			end            func(b bench, task types.Task)
			code           types.TaskStopCode
			exit           int32
			reason, output string
		}{
			{"by itself", "echo hello $WHO; exit 3", false, nil, types.TaskStopCodeEssentialContainerExited, 3, "", "hello ann\n"},
			{"by a signal", "kill -9 $$; exit 137", false, nil, types.TaskStopCodeEssentialContainerExited, 137, "", ""},
			{"asked", `trap "echo asked; exit 5" TERM; echo up; while :; do sleep 0.01; done`, false, func(b bench, task types.Task) { b.stop(t, task) }, types.TaskStopCodeUserInitiated, 5, "", "asked"},
			{"asked behind an init process", `trap "echo asked; exit 5" TERM; echo up; while :; do sleep 0.01; done`, true, func(b bench, task types.Task) { b.stop(t, task) }, types.TaskStopCodeUserInitiated, 5, "", "asked"},
			{"killed", `trap "" TERM; (trap "" TERM; exec sleep 60) & echo up; wait; sleep 60`, false, func(b bench, task types.Task) { b.stop(t, task) }, types.TaskStopCodeUserInitiated, 137, "", "up"},
			{"Spot", `trap "exit 6" TERM; echo up; while :; do sleep 0.01; done`, false, func(b bench, task types.Task) { b.Interrupt(*task.TaskArn) }, types.TaskStopCodeSpotInterruption, 6, "", "up"},
			{"memory", `echo up; while :; do sleep 0.01; done`, false, func(b bench, task types.Task) { b.Exhaust(*task.TaskArn) }, types.TaskStopCodeEssentialContainerExited, 137, "OutOfMemoryError", "up"},
		} {
			t.Run(tc.name, func(t *testing.T) {
				t.Parallel()
				b := open(t, tc.command, way, func(c *Config) {
					c.Definitions[0].InitProcess = tc.init
					if tc.name == "killed" {
						c.Definitions[0].StopTimeout = 100 * time.Millisecond
					}
				})
				task := b.run(t, func(in *ecs.RunTaskInput) {
					in.Overrides = &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{{
						Name: aws.String("fairway"), Environment: []types.KeyValuePair{{Name: aws.String("WHO"), Value: aws.String("ann")}},
					}}}
				})
				if tc.end != nil {
					for again := time.NewTicker(5 * time.Millisecond); !strings.Contains(b.Output(*task.TaskArn), "up"); {
						<-again.C
					}
					tc.end(b, task)
				}
				task = b.ended(t, task)
				c := task.Containers[0]
				if task.StopCode != tc.code || aws.ToInt32(c.ExitCode) != tc.exit || !strings.HasPrefix(aws.ToString(c.Reason), tc.reason) {
					t.Errorf("%s %s, container %d %s", task.StopCode, aws.ToString(task.StoppedReason), aws.ToInt32(c.ExitCode), aws.ToString(c.Reason))
				}
				if out := b.Output(*task.TaskArn); !strings.Contains(out, tc.output) {
					t.Errorf("it printed %q", out)
				}
				for i, at := range []*time.Time{task.CreatedAt, task.PullStartedAt, task.StartedAt, task.StoppingAt, task.StoppedAt} {
					if at == nil || at.Before(*task.CreatedAt) || at.After(time.Now().Add(time.Second)) {
						t.Errorf("time %d is %v", i, at)
					}
				}
				if *task.DesiredStatus != stopped || *c.LastStatus != stopped || task.Version < 7 {
					t.Errorf("desired %s, container %s, version %d", *task.DesiredStatus, *c.LastStatus, task.Version)
				}
			})
		}
	})
}

func (b bench) stop(t *testing.T, task types.Task) {
	t.Helper()
	out, err := b.StopTask(t.Context(), &ecs.StopTaskInput{Cluster: aws.String("builds"), Task: task.TaskArn, Reason: aws.String("enough")})
	if err != nil || *out.Task.DesiredStatus != stopped || *out.Task.StoppedReason != "enough" {
		t.Errorf("StopTask: %v", err)
	}
}

// The processes that a container leaves end with it.
func TestTask_LeavesNothing(t *testing.T) {
	ways(t, func(t *testing.T, way func(*Config)) {
		mark := fmt.Sprintf("61.%09d", rand.IntN(1e9))
		left := func() (found []string) {
			paths, _ := filepath.Glob("/proc/[0-9]*/cmdline")
			for _, path := range paths {
				if b, err := os.ReadFile(path); err == nil && string(b) == "sleep\x00"+mark+"\x00" {
					found = append(found, path)
				}
			}
			return found
		}
		b := open(t, `trap "exit 0" TERM; setsid sleep `+mark+` & while :; do sleep 0.01; done`, way)
		task := b.run(t, nil)
		for again := time.NewTicker(5 * time.Millisecond); len(left()) == 0; {
			<-again.C
		}
		b.stop(t, task)
		b.ended(t, task)
		if found := left(); len(found) > 0 {
			t.Errorf("%v runs on", found)
		}
	})
}

func TestRunTask_KeepsItsClientToken(t *testing.T) {
	var passed atomic.Int64
	b := open(t, "exit 0", func(c *Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(passed.Load())) }
		c.Clusters = []string{"builds", "other"}
	})
	token := func(in *ecs.RunTaskInput) { in.ClientToken = aws.String("token") }
	first := b.ended(t, b.run(t, token))
	if again := b.run(t, token); *again.TaskArn != *first.TaskArn {
		t.Error("the same token began another task")
	}
	_, err := b.RunTask(t.Context(), request(func(in *ecs.RunTaskInput) { token(in); in.StartedBy = aws.String("bob") }))
	var conflict *types.ConflictException
	if !errors.As(err, &conflict) || len(conflict.ResourceIds) != 1 || conflict.ResourceIds[0] != *first.TaskArn {
		t.Errorf("the same token for another request: %v", err)
	}
	if other := b.run(t, func(in *ecs.RunTaskInput) { token(in); in.Cluster = aws.String("other") }); *other.TaskArn == *first.TaskArn {
		t.Error("a token is good for one cluster")
	}
	passed.Store(int64(time.Hour + time.Minute))
	if later := b.run(t, token); *later.TaskArn == *first.TaskArn {
		t.Error("the token outlives its task")
	}
	out, err := b.DescribeTasks(t.Context(), &ecs.DescribeTasksInput{Cluster: aws.String("builds"), Tasks: []string{*first.TaskArn}})
	if err != nil || len(out.Failures) != 1 || *out.Failures[0].Reason != "MISSING" || *out.Failures[0].Arn != *first.TaskArn {
		t.Errorf("a task that stopped an hour ago: %v, %v", out, err)
	}
}

func TestServer_IsStrict(t *testing.T) {
	b := open(t, "exit 0")
	call := func(operation, body string, change func(*http.Request)) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Target", target+operation)
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+AccessKey+"/20260101/eu-central-1/ecs/aws4_request, SignedHeaders=host;x-amz-date;x-amz-target, Signature="+strings.Repeat("0", 64))
		if change != nil {
			change(r)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var answer struct {
			Type string `json:"__type"`
		}
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
		return answer.Type
	}
	const (
		list = `{"cluster":"builds"}`
		run  = `{"cluster":"builds","taskDefinition":"fairway","networkConfiguration":{"awsvpcConfiguration":{"subnets":["subnet-1"]}}`
		bad  = "InvalidParameterException"
	)
	if got := call("ListTasks", list, nil); got != "" {
		t.Fatalf("a request that is right is refused: %s", got)
	}
	if got := call("RunTask", run+"}", nil); got != "" {
		t.Fatalf("a request that is right is refused: %s", got)
	}
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) {
			if r.Header.Set(name, value); value == "" {
				r.Header.Del(name)
			}
		}
	}
	signed := func(from, to string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), from, to, 1))
		}
	}
	for _, tc := range []struct {
		name, operation, body string
		change                func(*http.Request)
		want                  string
	}{
		{"no signature", "ListTasks", list, header("Authorization", ""), "MissingAuthenticationTokenException"},
		{"half a signature", "ListTasks", list, signed("Signature=0", "Signature="), "MissingAuthenticationTokenException"},
		{"an unknown key", "ListTasks", list, signed(AccessKey, "AKIAOTHER"), "UnrecognizedClientException"},
		{"another region", "ListTasks", list, signed("eu-central-1", "us-east-1"), "InvalidSignatureException"},
		{"another service", "ListTasks", list, signed("/ecs/", "/s3/"), "MissingAuthenticationTokenException"},
		{"a header that is not signed", "ListTasks", list, signed(";x-amz-target", ""), "InvalidSignatureException"},
		{"another protocol", "ListTasks", list, header("Content-Type", "application/json"), "UnknownOperationException"},
		{"no operation", "ListTasks", list, header("X-Amz-Target", ""), "UnknownOperationException"},
		{"an operation that is not known", "RunTasks", list, nil, "UnknownOperationException"},
		{"a member that is not known", "ListTasks", `{"cluster":"builds","colour":"red"}`, nil, "SerializationException"},
		{"a number for a text", "ListTasks", `{"cluster":1}`, nil, "SerializationException"},
		{"no JSON", "ListTasks", `cluster`, nil, "SerializationException"},
		{"no cluster", "ListTasks", `{}`, nil, "ClusterNotFoundException"},
		{"two filters", "ListTasks", `{"cluster":"builds","startedBy":"a","family":"fairway"}`, nil, bad},
		{"too large a page", "ListTasks", `{"cluster":"builds","maxResults":101}`, nil, bad},
		{"no definition", "RunTask", `{"cluster":"builds"}`, nil, bad},
		{"an unknown definition", "RunTask", `{"cluster":"builds","taskDefinition":"other"}`, nil, "ClientException"},
		{"no network", "RunTask", `{"cluster":"builds","taskDefinition":"fairway"}`, nil, bad},
		{"too many", "RunTask", run + `,"count":11}`, nil, bad},
		{"two ways to launch", "RunTask", run + `,"launchType":"FARGATE","capacityProviderStrategy":[{"capacityProvider":"FARGATE_SPOT"}]}`, nil, bad},
		{"a long client token", "RunTask", run + `,"clientToken":"` + strings.Repeat("x", 65) + `"}`, nil, bad},
		{"a starter with a dot", "RunTask", run + `,"startedBy":"a.b"}`, nil, bad},
		{"another container", "RunTask", run + `,"overrides":{"containerOverrides":[{"name":"other"}]}}`, nil, bad},
		{"long overrides", "RunTask", run + `,"overrides":{"containerOverrides":[{"name":"fairway","environment":[{"name":"a","value":"` + strings.Repeat("x", maxOverrides) + `"}]}]}}`, nil, bad},
		{"no tasks", "DescribeTasks", `{"cluster":"builds","tasks":[]}`, nil, bad},
		{"too many tasks", "DescribeTasks", `{"cluster":"builds","tasks":["` + strings.Repeat(`x","`, 100) + `x"]}`, nil, bad},
		{"what is no task", "DescribeTasks", `{"cluster":"builds","tasks":["x"]}`, nil, bad},
		{"a task that is not there", "StopTask", `{"cluster":"builds","task":"` + strings.Repeat("0", 32) + `"}`, nil, bad},
		{"no task", "StopTask", `{"cluster":"builds"}`, nil, bad},
	} {
		if got := call(tc.operation, tc.body, tc.change); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestListTasks_Pages(t *testing.T) {
	b := open(t, "exit 0", func(c *Config) {
		c.Enter = func(ctx context.Context, _, state string) {
			if state == pending {
				<-ctx.Done()
			}
		}
	})
	for range 5 {
		b.run(t, nil)
	}
	b.run(t, func(in *ecs.RunTaskInput) { in.StartedBy = aws.String("bob") })
	in := &ecs.ListTasksInput{Cluster: aws.String("builds"), StartedBy: aws.String("tests"), MaxResults: aws.Int32(2)}
	seen := map[string]bool{}
	for pages := 1; ; pages++ {
		out, err := b.ListTasks(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, arn := range out.TaskArns {
			seen[arn] = true
		}
		if out.NextToken == nil {
			if pages != 3 || len(seen) != 5 {
				t.Errorf("%d pages with %d tasks", pages, len(seen))
			}
			return
		}
		in.NextToken = out.NextToken
	}
}

// story makes every operation answer, well and badly.
func story(t *testing.T, b bench) {
	task := b.run(t, func(in *ecs.RunTaskInput) {
		in.ClientToken, in.LaunchType = aws.String("token"), ""
		in.CapacityProviderStrategy = []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("FARGATE_SPOT"), Weight: 1}}
		in.Overrides = &types.TaskOverride{Cpu: aws.String("2048"), Memory: aws.String("4096"), ContainerOverrides: []types.ContainerOverride{{
			Name: aws.String("fairway"), Environment: []types.KeyValuePair{{Name: aws.String("WHO"), Value: aws.String("ann")}},
		}}}
	})
	_, _ = b.RunTask(t.Context(), request(func(in *ecs.RunTaskInput) { in.ClientToken = aws.String("token") }))
	b.FailPlacement(1, "RESOURCE:CPU")
	_, _ = b.RunTask(t.Context(), request(nil))
	_, _ = b.ListTasks(t.Context(), &ecs.ListTasksInput{Cluster: aws.String("builds"), StartedBy: aws.String("tests"), MaxResults: aws.Int32(1)})
	_, _ = b.DescribeTasks(t.Context(), &ecs.DescribeTasksInput{Cluster: aws.String("builds"), Tasks: []string{*task.TaskArn, strings.Repeat("0", 32)}})
	b.ended(t, task)
	b.FailStart(1, "CannotPullContainerError: no")
	failed := b.ended(t, b.run(t, nil))
	if failed.StopCode != types.TaskStopCodeTaskFailedToStart || failed.StartedAt != nil {
		t.Errorf("a task that did not start: %s, started at %v", failed.StopCode, failed.StartedAt)
	}
	_, _ = b.StopTask(t.Context(), &ecs.StopTaskInput{Cluster: aws.String("builds"), Task: task.TaskArn})
	_, _ = b.ListTasks(t.Context(), &ecs.ListTasksInput{Cluster: aws.String("other")})
}

// modelCheck holds requests and answers to botocore's description of the service: names and
// kinds of all members, required ones, and the values of enumerations.
const modelCheck = `
import json, sys
import botocore.session
from botocore.model import ServiceModel
model = botocore.session.get_session().get_service_model("ecs")
def check(shape, value, at):
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(value, dict): yield at + ": not a structure"; return
        for name in shape.required_members:
            if name not in value: yield at + ": lacks " + name
        for name, v in value.items():
            if name not in shape.members: yield at + "." + name + ": not in the model"
            else: yield from check(shape.members[name], v, at + "." + name)
    elif kind == "list":
        if not isinstance(value, list): yield at + ": not a list"; return
        for i, v in enumerate(value): yield from check(shape.member, v, at + "[%d]" % i)
    elif kind == "string":
        if not isinstance(value, str): yield at + ": not a string"
        elif shape.enum and value not in shape.enum: yield at + ": " + value + " is not one of its values"
    elif kind in ("integer", "long"):
        if not isinstance(value, int) or isinstance(value, bool): yield at + ": not a whole number"
    elif kind in ("timestamp", "double", "float"):
        if not isinstance(value, (int, float)) or isinstance(value, bool): yield at + ": not a number"
    elif kind == "boolean":
        if not isinstance(value, bool): yield at + ": not a boolean"
    else: yield at + ": a " + kind
n = 0
for x in json.load(sys.stdin):
    op, answer = model.operation_model(x["Operation"]), json.loads(x["Answer"])
    shape = op.output_shape
    for problem in check(op.input_shape, json.loads(x["Request"]), op.name + " request"): print(problem)
    if "__type" in answer:
        code = answer.pop("__type")
        # Errors that every service has are in no service's model.
        if code in ("ThrottlingException", "SerializationException"): continue
        shape = model.shape_for_error_code(code)
        if shape is None: print(op.name + ": the model has no " + code); continue
    for problem in check(shape, answer, op.name + " answer"): print(problem)
    n += 1
print("checked", n)
`

func TestAnswers_AreThoseOfTheModel(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err == nil {
		err = exec.Command(python, "-c", "import botocore").Run()
	}
	if err != nil {
		t.Skipf("botocore, which has the model of the service, is not installed: %v", err)
	}
	b := open(t, "exit 3")
	story(t, b)
	check := func(all []Exchange) string {
		t.Helper()
		in, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(python, "-c", modelCheck)
		cmd.Stdin = bytes.NewReader(in)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return strings.TrimSpace(string(out))
	}
	all := b.Exchanges()
	if got := check(all); !strings.HasPrefix(got, "checked ") {
		t.Error(got)
	}
	bent := all[0]
	bent.Answer = strings.Replace(strings.Replace(bent.Answer, `"cpu":"2048"`, `"cpu":2048`, 1), "lastStatus", "last_status", 1)
	if got := check([]Exchange{bent}); !strings.Contains(got, "cpu: not a string") || !strings.Contains(got, "last_status: not in the model") {
		t.Errorf("the check finds nothing in what is wrong: %s", got)
	}
}

// The command line of AWS decodes by the model, too, and signs what it sends.
func TestServer_SpeaksWithTheCommandLineOfAWS(t *testing.T) {
	path, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("the aws command line is not installed")
	}
	b := open(t, "exit 3")
	task := b.ended(t, b.run(t, nil))
	cli := func(key string, args ...string) (map[string]any, string) {
		t.Helper()
		none := filepath.Join(t.TempDir(), "none")
		cmd := exec.Command(path, append([]string{"--endpoint-url", b.url, "--region", "eu-central-1", "--output", "json", "ecs"}, args...)...)
		cmd.Env = []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "AWS_ACCESS_KEY_ID=" + key, "AWS_SECRET_ACCESS_KEY=" + secretKey,
			"AWS_CONFIG_FILE=" + none, "AWS_SHARED_CREDENTIALS_FILE=" + none, "AWS_EC2_METADATA_DISABLED=true", "AWS_MAX_ATTEMPTS=1",
		}
		var out, errOut bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errOut
		if err := cmd.Run(); err != nil {
			return nil, errOut.String()
		}
		var m map[string]any
		if err := json.Unmarshal(out.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		return m, ""
	}
	got, failed := cli(AccessKey, "describe-tasks", "--cluster", "builds", "--tasks", *task.TaskArn, strings.Repeat("0", 32))
	if failed != "" {
		t.Fatal(failed)
	}
	tasks, _ := got["tasks"].([]any)
	failures, _ := got["failures"].([]any)
	if len(tasks) != 1 || len(failures) != 1 {
		t.Fatalf("%v", got)
	}
	first, _ := tasks[0].(map[string]any)
	if first["taskArn"] != *task.TaskArn || first["lastStatus"] != stopped || first["stopCode"] != "EssentialContainerExited" {
		t.Errorf("%v", first)
	}
	// The first version of the command line shows the number, the second a text.
	if at := fmt.Sprint(first["stoppedAt"]); at != fmt.Sprint(float64(task.StoppedAt.UnixMilli())/1000) && !strings.HasPrefix(at, "20") {
		t.Errorf("stopped at %v, want %v", first["stoppedAt"], task.StoppedAt)
	}
	if _, failed := cli("AKIAOTHER", "list-tasks", "--cluster", "builds"); !strings.Contains(failed, "UnrecognizedClientException") {
		t.Errorf("with an unknown key: %s", failed)
	}
}

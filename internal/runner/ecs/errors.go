package ecs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/scale-mesh/fairway/internal/awsapi"
	"github.com/scale-mesh/fairway/internal/hosting"
)

const (
	clusterNotFound = "ClusterNotFoundException"
	roleHint        = "its role needs ecs:RunTask, ecs:StopTask, ecs:DescribeTasks and ecs:ListTasks, and iam:PassRole for the task's execution role"
)

// explain gives an error a code and a text. Of what the SDK says nothing is shown, since it can
// hold addresses; of what ECS says, only why it refuses a task, without the secrets.
func (r *Runner) explain(ctx context.Context, action string, err error, secrets ...string) error {
	if err == nil {
		return nil
	}
	if ended := ctx.Err(); ended != nil {
		return fmt.Errorf("%s: %w", action, ended)
	}
	said := ""
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		said = e.ErrorMessage()
		for _, secret := range secrets {
			said = strings.ReplaceAll(said, secret, "***")
		}
		said = clean(said)
	}
	return fmt.Errorf("%s: %w (%s)", action, r.meaning(err, said), detail(err, said))
}

// stale are the codes for keys that are wrong or over. Others may be there when asked again.
var stale = map[string]bool{
	"UnrecognizedClientException": true, "InvalidClientTokenId": true, "InvalidSignatureException": true, "SignatureDoesNotMatch": true,
	"ExpiredTokenException": true, "ExpiredToken": true, "IncompleteSignature": true, "IncompleteSignatureException": true,
	"MissingAuthenticationToken": true, "MissingAuthenticationTokenException": true, "RequestExpired": true,
}

// wrong are the codes for what no repetition makes right.
var wrong = map[string]bool{
	"InvalidParameterException": true, "PlatformUnknownException": true, "PlatformTaskDefinitionIncompatibilityException": true,
	"UnsupportedFeatureException": true, "BlockedException": true, "SerializationException": true, "ValidationException": true,
	"OptInRequired": true,
}

// meaning says what an error means for whoever asked. ClientException is how ECS says that a
// quota is reached, and much else: it is taken for what may be otherwise in a while.
func (r *Runner) meaning(err error, said string) *hosting.Error {
	if f, ok := errors.AsType[failure](err); ok {
		return f.meaning()
	}
	if made, ok := errors.AsType[*hosting.Error](err); ok {
		return made
	}
	c := awsapi.Code(err)
	switch {
	case awsapi.IsKeys(err):
		return unavailable("there are no keys for ECS").WithHint(awsapi.KeysHint)
	case stale[c]:
		return unavailable("ECS refuses Fairway's keys").WithHint("see whether they are over, and the clock")
	case c == "AccessDeniedException" || c == "AccessDenied" || c == "UnauthorizedOperation":
		return hosting.Errorf(hosting.CodeForbidden, "AWS does not let Fairway %s", denied(said)).WithHint(roleHint)
	case c == clusterNotFound:
		return invalid("ECS has no cluster %s in %s", r.config.Cluster, r.config.Region).WithHint("make it, or correct FAIRWAY_RUNNER")
	case wrong[c]:
		return invalid("ECS refuses the task: %s", said).WithHint("correct FAIRWAY_RUNNER, or the task definition")
	case throttled[c]:
		return unavailable("ECS is asked too often")
	case c == "LimitExceededException" || c == "ClientException":
		return unavailable("ECS does not start the task for now: %s", said)
	case c == "ConflictException":
		return unavailable("ECS is starting the task for another request")
	case c != "" || awsapi.Status(err) != 0:
		return unavailable("ECS answers with an error")
	}
	return unavailable("ECS does not answer")
}

var throttled = map[string]bool{"ThrottlingException": true, "Throttling": true, "RequestLimitExceeded": true, "TooManyRequestsException": true}

// action is how AWS names the one that is not allowed: the rest of its text names people.
var action = regexp.MustCompile(`perform: ([a-z0-9-]+:[A-Za-z]+)`)

func denied(said string) string {
	if m := action.FindStringSubmatch(said); m != nil {
		return "call " + m[1]
	}
	return "do that"
}

func unavailable(format string, args ...any) *hosting.Error {
	return hosting.Errorf(hosting.CodeUnavailable, format, args...)
}

// word is what an error code looks like; no other is shown.
var word = regexp.MustCompile(`^[A-Za-z0-9.]{1,64}$`)

// detail says for the log what happened.
func detail(err error, said string) string {
	if c := awsapi.Code(err); word.MatchString(c) && !awsapi.IsKeys(err) {
		return strings.TrimSpace(fmt.Sprintf("%d %s %s", awsapi.Status(err), c, said))
	}
	if e, ok := errors.AsType[failure](err); ok {
		return clean(e.Error())
	}
	if st := awsapi.Status(err); st != 0 && !awsapi.IsKeys(err) {
		return fmt.Sprint(st)
	}
	return cmp.Or(awsapi.OnTheWay(err), "not an answer of ECS")
}

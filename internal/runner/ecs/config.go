package ecs

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/internal/awsapi"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// Config says what a task is and where it runs. It holds no keys: those come from Getenv, or
// from where the AWS SDK looks by itself.
type Config struct {
	Cluster        string
	TaskDefinition string     // family, or family:revision
	Container      string     // the container that is the job program; default "fairway"
	Subnets        []string   // none only where the network of the definition is not awsvpc
	SecurityGroups []string   // none: the default one of the subnets' VPC
	PublicIP       bool       // a task in a public subnet needs one to reach anything
	Launch         LaunchType // default Fargate
	CPU, Memory    string     // instead of the definition's: units (1024 a processor) and MiB
	Region         string     // "" for the environment's, or the profile's
	Endpoint       string     // http:// or https:// address of the service; "" for AWS
	Insecure       bool       // the endpoint may be another machine's, and spoken to in the clear
	Keys           string     // a file of keys, as awsapi.Settings has it

	// Installation tells the tasks of this installation from those of others in the cluster.
	Installation string

	Getenv  func(string) string // where AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and AWS_REGION are; nil for the process's
	Now     func() time.Time    // time.Now unless it is set
	Timeout time.Duration       // how long a response may take; default 10 s

	pace pace // of waiting, but for tests the default
}

// LaunchType says on what tasks run.
type LaunchType string

// The launch types.
const (
	Fargate     LaunchType = "FARGATE"
	FargateSpot LaunchType = "FARGATE_SPOT" // Spot where Spec.Spot allows it, else Fargate
	EC2         LaunchType = "EC2"
)

const (
	scheme      = "ecs://"
	maxStarter  = 128
	serviceName = "ECS"
	example     = "write it as ecs://cluster/definition?subnets=subnet-1,subnet-2&security_groups=sg-1&region=eu-central-1"
	known       = "container, subnets, security_groups, assign_public_ip, launch_type, cpu, memory, region, endpoint, credentials, insecure"
)

// What ECS allows, and so no more than can stand in an ARN.
var (
	validPlace      = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)
	validDefinition = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}(:[1-9][0-9]{0,8})?$`)
	validResource   = regexp.MustCompile(`^[a-z]{1,16}-[A-Za-z0-9]{1,64}$`)
	validSize       = regexp.MustCompile(`^[1-9][0-9]{0,6}$`)
	validStarter    = regexp.MustCompile(`^[A-Za-z0-9_/-]*$`)
)

// Parse reads "ecs://CLUSTER/DEFINITION?container=NAME&subnets=A,B&security_groups=A,B&
// assign_public_ip=BOOL&launch_type=FARGATE|FARGATE_SPOT|EC2&cpu=UNITS&memory=MIB&region=NAME&
// endpoint=URL&credentials=file:PATH&insecure=BOOL". Its errors have CodeInvalid and show nothing of an address that may hold keys.
func Parse(address string) (Config, error) {
	rest, ok := strings.CutPrefix(address, scheme)
	if !ok {
		return Config{}, invalid("the address of a cluster begins with ecs://").WithHint(example)
	}
	place, query, _ := strings.Cut(rest, "?")
	if strings.Contains(place, "@") {
		return Config{}, invalid("the address of a cluster holds no keys").WithHint(awsapi.KeysHint)
	}
	c := Config{Container: "fairway", Launch: Fargate}
	c.Cluster, c.TaskDefinition, _ = strings.Cut(place, "/")
	values, err := url.ParseQuery(query)
	if err != nil {
		return Config{}, invalid("the settings of the cluster's address cannot be read").WithHint(example)
	}
	for name, v := range values {
		if err := c.set(name, v); err != nil {
			return Config{}, err
		}
	}
	if err := c.check(); err != nil {
		return Config{}, err
	}
	return c, nil
}

func (c *Config) set(name string, all []string) (err error) {
	v := all[0]
	switch name {
	case "container":
		c.Container = v
	case "subnets":
		c.Subnets = strings.Split(v, ",")
	case "security_groups":
		c.SecurityGroups = strings.Split(v, ",")
	case "assign_public_ip":
		if c.PublicIP, err = strconv.ParseBool(v); err != nil {
			return invalid("assign_public_ip is true or false")
		}
	case "launch_type":
		c.Launch = LaunchType(v)
	case "cpu":
		c.CPU = v
	case "memory":
		c.Memory = v
	case "region":
		c.Region = v
	case "endpoint":
		c.Endpoint = v
	case "insecure":
		if c.Insecure, err = strconv.ParseBool(v); err != nil {
			return invalid("insecure is true or false")
		}
	case "credentials":
		if c.Keys, err = awsapi.ParseKeys(v); err != nil {
			return err
		}
	default:
		if awsapi.IsSecret(name) {
			return invalid("the address of a cluster holds no keys").WithHint(awsapi.KeysHint)
		}
		// Its name is not shown, since it may be a key as well.
		return invalid("the cluster's address has a setting that is not known").WithHint("known: " + known)
	}
	if len(all) > 1 {
		return invalid("the cluster's address has %s more than once", name)
	}
	return nil
}

func (c Config) check() error {
	switch {
	case !validPlace.MatchString(c.Cluster):
		return invalid("the address of a cluster names it by 1 to 255 letters, digits, _ and -, not by its ARN").WithHint(example)
	case !validDefinition.MatchString(c.TaskDefinition):
		return invalid("the address of a cluster ends with a task definition, as family or family:revision").WithHint(example)
	case !validPlace.MatchString(c.Container):
		return invalid("container is the name of a container of the task definition")
	case !slices.Contains([]LaunchType{Fargate, FargateSpot, EC2}, c.Launch):
		return invalid("launch_type is FARGATE, FARGATE_SPOT or EC2")
	case c.CPU != "" && !validSize.MatchString(c.CPU):
		return invalid("cpu is a number of units, 1024 a processor")
	case c.Memory != "" && !validSize.MatchString(c.Memory):
		return invalid("memory is a number of MiB")
	case !validStarter.MatchString(c.Installation) || len(c.Installation) > maxStarter:
		return invalid("the installation's name for ECS has at most %d letters, digits, _, - and /", maxStarter)
	}
	if err := c.checkNetwork(); err != nil {
		return err
	}
	return awsapi.CheckEndpoint(serviceName, c.Endpoint, c.Insecure)
}

func (c Config) checkNetwork() error {
	for _, id := range c.Subnets {
		if !validResource.MatchString(id) {
			return invalid("subnets are ids as subnet-0123abcd, with commas between them")
		}
	}
	for _, id := range c.SecurityGroups {
		if !validResource.MatchString(id) {
			return invalid("security_groups are ids as sg-0123abcd, with commas between them")
		}
	}
	switch {
	case c.Launch != EC2 && len(c.Subnets) == 0:
		return invalid("a task on Fargate needs subnets").WithHint(example)
	case len(c.Subnets) == 0 && (len(c.SecurityGroups) > 0 || c.PublicIP):
		return invalid("security_groups and assign_public_ip are for tasks with subnets")
	case c.Launch == EC2 && c.PublicIP:
		return invalid("assign_public_ip is for Fargate alone: tasks on instances get none")
	}
	return nil
}

func invalid(format string, args ...any) *hosting.Error {
	return hosting.Errorf(hosting.CodeInvalid, format, args...)
}

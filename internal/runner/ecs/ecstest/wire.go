package ecstest

import (
	"fmt"
	"time"
)

// Requests, with the members that this server knows. Pointers tell absent from empty.
type (
	runTask struct {
		Cluster                  string         `json:"cluster"`
		TaskDefinition           string         `json:"taskDefinition"`
		Count                    *int           `json:"count"`
		ClientToken              *string        `json:"clientToken"`
		StartedBy                string         `json:"startedBy"`
		LaunchType               string         `json:"launchType"`
		CapacityProviderStrategy []strategyItem `json:"capacityProviderStrategy"`
		NetworkConfiguration     *network       `json:"networkConfiguration"`
		Overrides                *override      `json:"overrides"`
		EnableECSManagedTags     bool           `json:"enableECSManagedTags"`
		EnableExecuteCommand     bool           `json:"enableExecuteCommand"`
		PlatformVersion          string         `json:"platformVersion"`
	}
	strategyItem struct {
		CapacityProvider string `json:"capacityProvider"`
		Weight           int    `json:"weight"`
		Base             int    `json:"base"`
	}
	network struct {
		AwsvpcConfiguration *awsvpc `json:"awsvpcConfiguration"`
	}
	awsvpc struct {
		Subnets        []string `json:"subnets"`
		SecurityGroups []string `json:"securityGroups"`
		AssignPublicIP string   `json:"assignPublicIp"`
	}
	describeTasks struct {
		Cluster string   `json:"cluster"`
		Tasks   []string `json:"tasks"`
		Include []string `json:"include"`
	}
	stopTask struct {
		Cluster string  `json:"cluster"`
		Task    string  `json:"task"`
		Reason  *string `json:"reason"`
	}
	listTasks struct {
		Cluster           string `json:"cluster"`
		StartedBy         string `json:"startedBy"`
		DesiredStatus     string `json:"desiredStatus"`
		Family            string `json:"family"`
		LaunchType        string `json:"launchType"`
		ServiceName       string `json:"serviceName"`
		ContainerInstance string `json:"containerInstance"`
		MaxResults        *int   `json:"maxResults"`
		NextToken         string `json:"nextToken"`
	}
)

// override is in requests and in answers.
type override struct {
	ContainerOverrides            []containerOverride `json:"containerOverrides"`
	CPU                           string              `json:"cpu,omitempty"`
	Memory                        string              `json:"memory,omitempty"`
	TaskRoleArn                   string              `json:"taskRoleArn,omitempty"`
	ExecutionRoleArn              string              `json:"executionRoleArn,omitempty"`
	InferenceAcceleratorOverrides []struct{}          `json:"inferenceAcceleratorOverrides"`
}

type containerOverride struct {
	Name        string     `json:"name"`
	Command     []string   `json:"command,omitempty"`
	Environment []keyValue `json:"environment,omitempty"`
}

type keyValue struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Answers.
type (
	tasksAnswer struct {
		Tasks    []taskWire    `json:"tasks"`
		Failures []failureWire `json:"failures"`
	}
	taskAnswer struct {
		Task taskWire `json:"task"`
	}
	listAnswer struct {
		TaskArns  []string `json:"taskArns"`
		NextToken string   `json:"nextToken,omitempty"`
	}
	failureWire struct {
		Arn    string `json:"arn,omitempty"`
		Reason string `json:"reason"`
	}
	taskWire struct {
		Attachments          []struct{}      `json:"attachments"`
		AvailabilityZone     string          `json:"availabilityZone,omitempty"`
		CapacityProviderName string          `json:"capacityProviderName,omitempty"`
		ClusterArn           string          `json:"clusterArn"`
		Connectivity         string          `json:"connectivity,omitempty"`
		ConnectivityAt       stamp           `json:"connectivityAt,omitzero"`
		Containers           []containerWire `json:"containers"`
		CPU                  string          `json:"cpu"`
		CreatedAt            stamp           `json:"createdAt"`
		DesiredStatus        string          `json:"desiredStatus"`
		EnableExecuteCommand bool            `json:"enableExecuteCommand"`
		ExecutionStoppedAt   stamp           `json:"executionStoppedAt,omitzero"`
		Group                string          `json:"group"`
		HealthStatus         string          `json:"healthStatus"`
		LastStatus           string          `json:"lastStatus"`
		LaunchType           string          `json:"launchType"`
		Memory               string          `json:"memory"`
		Overrides            override        `json:"overrides"`
		PlatformVersion      string          `json:"platformVersion,omitempty"`
		PullStartedAt        stamp           `json:"pullStartedAt,omitzero"`
		PullStoppedAt        stamp           `json:"pullStoppedAt,omitzero"`
		StartedAt            stamp           `json:"startedAt,omitzero"`
		StartedBy            string          `json:"startedBy,omitempty"`
		StopCode             string          `json:"stopCode,omitempty"`
		StoppedAt            stamp           `json:"stoppedAt,omitzero"`
		StoppedReason        string          `json:"stoppedReason,omitempty"`
		StoppingAt           stamp           `json:"stoppingAt,omitzero"`
		Tags                 []struct{}      `json:"tags"`
		TaskArn              string          `json:"taskArn"`
		TaskDefinitionArn    string          `json:"taskDefinitionArn"`
		Version              int64           `json:"version"`
	}
	containerWire struct {
		ContainerArn      string     `json:"containerArn"`
		TaskArn           string     `json:"taskArn"`
		Name              string     `json:"name"`
		Image             string     `json:"image"`
		LastStatus        string     `json:"lastStatus"`
		ExitCode          *int       `json:"exitCode,omitempty"`
		Reason            string     `json:"reason,omitempty"`
		NetworkInterfaces []struct{} `json:"networkInterfaces"`
		HealthStatus      string     `json:"healthStatus"`
		CPU               string     `json:"cpu"`
	}
)

// stamp is a time in seconds, with a fraction.
type stamp time.Time

// MarshalJSON writes it as the protocol does.
func (s stamp) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%.3f", float64(time.Time(s).UnixMilli())/1000), nil
}

// IsZero says that there is none.
func (s stamp) IsZero() bool { return time.Time(s).IsZero() }

package examples

import (
	"slices"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const manifests = "../../../examples/kubernetes/"

// workload is a pod's template, and what it belongs to.
type workload struct {
	name     string
	replicas int32
	pod      core.PodTemplateSpec
	claims   []string // volumes that the template need not declare
}

// cluster is what a folder of Kustomize makes.
type cluster struct {
	workloads []workload
	configs   map[string]core.ConfigMap
	accounts  []string
	selectors map[string]*meta.LabelSelector // by kind and name
	policies  map[string]networking.NetworkPolicy
}

// build puts a folder together, and decodes each of its objects strictly: a field that the API does
// not have is an error.
func build(t *testing.T, folder string) cluster {
	t.Helper()
	options := krusty.MakeDefaultOptions()
	all, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), manifests+folder)
	if err != nil {
		t.Fatalf("%s: %v", folder, err)
	}
	c := cluster{configs: map[string]core.ConfigMap{}, selectors: map[string]*meta.LabelSelector{}, policies: map[string]networking.NetworkPolicy{}}
	for _, r := range all.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		name := r.GetKind() + " " + r.GetName()
		into := func(v any) {
			t.Helper()
			if err := yaml.UnmarshalStrict(text, v); err != nil {
				t.Errorf("%s: %s: %v", folder, name, err)
			}
		}
		if r.GetKind() != "Namespace" && r.GetNamespace() != "fairway" {
			t.Errorf("%s: %s is in the namespace %q", folder, name, r.GetNamespace())
		}
		switch r.GetKind() {
		case "Namespace":
			into(new(core.Namespace))
		case "ServiceAccount":
			var a core.ServiceAccount
			into(&a)
			c.accounts = append(c.accounts, a.Name)
		case "ConfigMap":
			var m core.ConfigMap
			into(&m)
			c.configs[m.Name] = m
		case "Service":
			var s core.Service
			into(&s)
			c.selectors[name] = &meta.LabelSelector{MatchLabels: s.Spec.Selector}
		case "Deployment":
			var d apps.Deployment
			into(&d)
			c.selectors[name] = d.Spec.Selector
			c.workloads = append(c.workloads, workload{d.Name, *d.Spec.Replicas, d.Spec.Template, nil})
		case "StatefulSet":
			var s apps.StatefulSet
			into(&s)
			c.selectors[name] = s.Spec.Selector
			var claims []string
			for _, claim := range s.Spec.VolumeClaimTemplates {
				claims = append(claims, claim.Name)
			}
			c.workloads = append(c.workloads, workload{s.Name, *s.Spec.Replicas, s.Spec.Template, claims})
		case "PodDisruptionBudget":
			var p policy.PodDisruptionBudget
			into(&p)
			c.selectors[name] = p.Spec.Selector
		case "NetworkPolicy":
			var p networking.NetworkPolicy
			into(&p)
			c.policies[p.Name] = p
			if p.Name != "default-deny" {
				c.selectors[name] = &p.Spec.PodSelector
			}
		default:
			t.Errorf("%s: %s: this test does not know the kind", folder, name)
		}
	}
	return c
}

func TestDecoding_IsStrict(t *testing.T) {
	for text, ok := range map[string]bool{"spec: {replicas: 2}": true, "spec: {replica: 2}": false, "spec: {replicas: two}": false} {
		if err := yaml.UnmarshalStrict([]byte(text), new(apps.Deployment)); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestKubernetes_PodsMayDoNothingThatTheyNeedNot(t *testing.T) {
	for _, folder := range []string{"base", "one-control"} {
		c := build(t, folder)
		if len(c.workloads) != 2 {
			t.Errorf("%s has %d workloads", folder, len(c.workloads))
		}
		for _, w := range c.workloads {
			for _, wrong := range unsafe(w.pod.Spec) {
				t.Errorf("%s: %s: %s", folder, w.name, wrong)
			}
			if !slices.Contains(c.accounts, w.pod.Spec.ServiceAccountName) {
				t.Errorf("%s: %s: the account %q is not declared", folder, w.name, w.pod.Spec.ServiceAccountName)
			}
		}
	}
	if wrong := unsafe(core.PodSpec{Containers: []core.Container{{}}}); len(wrong) < 8 {
		t.Errorf("of a pod without any of it, only this is wrong: %q", wrong) // the control
	}
}

// unsafe lists what of a pod is not as README.md says.
func unsafe(p core.PodSpec) (wrong []string) {
	must := func(ok bool, what string) {
		if !ok {
			wrong = append(wrong, what)
		}
	}
	is := func(b *bool, want bool) bool { return b != nil && *b == want }
	must(is(p.AutomountServiceAccountToken, false), "it gets the account's token")
	must(is(p.EnableServiceLinks, false), "it gets variables of services")
	must(!p.HostNetwork && !p.HostPID && !p.HostIPC, "it uses the machine's namespaces")
	s := p.SecurityContext
	if s == nil {
		s = &core.PodSecurityContext{}
	}
	must(is(s.RunAsNonRoot, true) && s.RunAsUser != nil && *s.RunAsUser == 10001, "it may be root")
	must(s.SeccompProfile != nil && s.SeccompProfile.Type == core.SeccompProfileTypeRuntimeDefault, "it has no seccomp profile")
	for _, c := range append(slices.Clone(p.InitContainers), p.Containers...) {
		x := c.SecurityContext
		if x == nil {
			x = &core.SecurityContext{}
		}
		must(is(x.AllowPrivilegeEscalation, false), "it may gain privileges")
		must(is(x.ReadOnlyRootFilesystem, true), "its root can be written")
		must(x.Privileged == nil && x.Capabilities != nil && slices.Equal(x.Capabilities.Drop, []core.Capability{"ALL"}) && len(x.Capabilities.Add) == 0, "it has capabilities")
		must(x.RunAsUser == nil && x.RunAsNonRoot == nil && x.SeccompProfile == nil, "its container has a user or profile of its own")
		must(c.StartupProbe != nil && c.LivenessProbe != nil && c.ReadinessProbe != nil, "a probe is missing")
		must(!c.Resources.Limits.Memory().IsZero() && !c.Resources.Requests.Cpu().IsZero(), "its resources are not said")
	}
	return wrong
}

func TestKubernetes_WhatIsNamedIsThere(t *testing.T) {
	for _, folder := range []string{"base", "one-control"} {
		c := build(t, folder)
		for name, selector := range c.selectors {
			s, err := meta.LabelSelectorAsSelector(selector)
			if err != nil || s.Empty() {
				t.Errorf("%s: %s selects everything, or cannot be read: %v", folder, name, err)
				continue
			}
			matched := 0
			for _, w := range c.workloads {
				if s.Matches(labels.Set(w.pod.Labels)) {
					matched++
				}
			}
			if matched != 1 {
				t.Errorf("%s: %s selects %d of the workloads", folder, name, matched)
			}
		}
		for _, w := range c.workloads {
			checkNames(t, folder, c, w)
		}
		if p := c.policies["default-deny"]; len(p.Spec.PolicyTypes) != 2 || len(p.Spec.Ingress)+len(p.Spec.Egress) != 0 {
			t.Errorf("%s: what is not said is not refused: %+v", folder, p.Spec)
		}
	}
}

// checkNames looks up the volumes, maps and ports that a pod names.
func checkNames(t *testing.T, folder string, c cluster, w workload) {
	t.Helper()
	volumes := slices.Clone(w.claims)
	for _, v := range w.pod.Spec.Volumes {
		volumes = append(volumes, v.Name)
		if v.ConfigMap != nil {
			if _, ok := c.configs[v.ConfigMap.Name]; !ok {
				t.Errorf("%s: %s: no map %s", folder, w.name, v.ConfigMap.Name)
			}
		}
	}
	for _, container := range w.pod.Spec.Containers {
		var mounted, ports []string
		for _, m := range container.VolumeMounts {
			mounted = append(mounted, m.Name)
			if !slices.Contains(volumes, m.Name) {
				t.Errorf("%s: %s mounts %s, which is no volume", folder, w.name, m.Name)
			}
		}
		for _, v := range volumes {
			if !slices.Contains(mounted, v) {
				t.Errorf("%s: %s does not mount %s", folder, w.name, v)
			}
		}
		for _, p := range container.Ports {
			ports = append(ports, p.Name)
		}
		for _, probe := range []*core.Probe{container.StartupProbe, container.LivenessProbe, container.ReadinessProbe} {
			port := ""
			if probe.HTTPGet != nil {
				port = probe.HTTPGet.Port.StrVal
			} else if probe.TCPSocket != nil {
				port = probe.TCPSocket.Port.StrVal
			}
			if !slices.Contains(ports, port) {
				t.Errorf("%s: %s asks the port %q", folder, w.name, port)
			}
		}
		settings := map[string]string{}
		for _, from := range container.EnvFrom {
			m, ok := c.configs[from.ConfigMapRef.Name]
			if !ok {
				t.Errorf("%s: %s: no map %s", folder, w.name, from.ConfigMapRef.Name)
			}
			for k, v := range m.Data {
				settings[k] = v
			}
		}
		checkFiles(t, folder+": "+w.name, settings, container.VolumeMounts)
		local := strings.HasPrefix(settings["FAIRWAY_RUNNER"], "process:")
		if settings["FAIRWAY_ROLE"] == "control" && local != (w.replicas == 1) {
			t.Errorf("%s: %d control planes with the runner %q", folder, w.replicas, settings["FAIRWAY_RUNNER"])
		}
	}
}

// checkFiles makes sure that each file that a setting names is in a folder that is mounted.
func checkFiles(t *testing.T, where string, settings map[string]string, mounts []core.VolumeMount) {
	t.Helper()
	found := 0
	for name, value := range settings {
		_, path, ok := strings.Cut(value, "/secrets/")
		if !ok {
			continue
		}
		found++
		folder, _, _ := strings.Cut(path, "/")
		if !slices.ContainsFunc(mounts, func(m core.VolumeMount) bool { return m.MountPath == "/secrets/"+folder && m.ReadOnly }) {
			t.Errorf("%s: %s names a file in /secrets/%s, which is not mounted", where, name, folder)
		}
	}
	if found < 3 {
		t.Errorf("%s: only %d settings name files", where, found)
	}
}

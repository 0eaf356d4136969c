package detect

import (
	"cmp"
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"
)

// What configurations say about servers. Many frameworks make a program for a server unless
// they are told otherwise; each of these finds out, and names the line that has to change.

// readServerOnly is for frameworks that always need a server.
func readServerOnly(pkg string) func(*finder) error {
	return func(f *finder) error {
		return f.refuse("it makes programs for a server alone", "build a static site with another framework than "+pkg)
	}
}

func readNext(f *finder) error {
	c := f.program(scripts("next.config")...)
	if f.runs("next", "export") {
		f.plan.because("the build runs next export")
		return nil
	}
	v, ok := c.get("output")
	switch {
	case ok && v.literal && v.text == "export":
		f.plan.because("%s exports static pages", at(v.file, v.line))
		if d, ok := c.get("distDir"); ok {
			return f.output(d)
		}
		return nil
	case ok && !v.literal:
		f.plan.because("%s computes output: it is taken to be export", at(v.file, v.line))
		return nil
	case ok:
		return f.refuse("its output is "+clip(v.text), "write output: 'export' in "+at(v.file, v.line))
	}
	return f.refuse("nothing tells it to export static pages", "add output: 'export' to "+c.line("output", "a file next.config.js"))
}

func readNuxt(f *finder) error {
	c := f.program(scripts("nuxt.config")...)
	version, _ := f.pkg.dependency("nuxt")
	if major(version) == "2" || major(version) == "1" {
		f.defaultOutput("dist")
	}
	if v, ok := c.get("nitro.output.publicDir"); ok {
		if err := f.output(v); err != nil {
			return err
		}
	}
	switch {
	case f.runs("nuxt", "generate"), f.runs("nuxi", "generate"), f.runs("nuxt", "build", "--prerender"), f.runs("nuxi", "build", "--prerender"):
		return nil
	case c.says("nitro.preset", "static"), c.says("target", "static"):
		f.plan.because("%s makes a static site", c.file)
		return nil
	case f.own.build.set || !f.runs("nuxt", "build") && !f.runs("nuxi", "build"):
		return nil // what it does is not known
	case f.pkg.script("generate") != "":
		f.plan.Build = f.plan.PackageManager.run("generate")
		f.plan.because("%s instead: nuxt build makes a server, and the script generate a static site", f.plan.Build)
		return nil
	}
	return f.refuse("nuxt build makes a server", "write nuxt generate in the build script of package.json")
}

func readRemix(f *finder) error {
	if f.runs("remix", "build") || f.program("remix.config.js", "remix.config.mjs") != nil {
		return f.refuse("the classic compiler makes a server", "move to React Router, with ssr: false in react-router.config.ts")
	}
	c := f.program(scripts("vite.config")...)
	if c.says("plugins.ssr", "false") {
		return f.onePage(c, "plugins.ssr")
	}
	return f.refuse("it renders pages on a server", "write ssr: false for the plugin remix in "+c.line("plugins.ssr", "vite.config.ts"))
}

// onePage takes the framework for a single-page application.
func (f *finder) onePage(c *program, path string) error {
	f.plan.Fallback = spa
	f.plan.because("%s makes one page for all paths", c.line(path, ""))
	return nil
}

func readReactRouter(f *finder) error {
	c := f.program(scripts("react-router.config")...)
	if v, ok := c.get("buildDirectory"); ok {
		if v.literal {
			v.text = path.Join(v.text, "client")
		}
		if err := f.output(v); err != nil {
			return err
		}
	}
	v, ok := c.get("ssr")
	switch {
	case ok && !v.literal:
		f.plan.because("%s computes ssr: it is taken to be false", at(v.file, v.line))
		f.plan.Fallback = spa
		return nil
	case c.says("ssr", "false") && c.has("prerender"):
		f.plan.because("%s renders pages when it is built", c.line("prerender", ""))
		return nil
	case c.says("ssr", "false"):
		return f.onePage(c, "ssr")
	}
	return f.refuse("it renders pages on a server", "write ssr: false in "+c.line("ssr", "a file react-router.config.ts"))
}

func readTanStackStart(f *finder) error {
	c := f.program(scripts("vite.config")...)
	switch {
	case c.says("plugins.spa.enabled", "true"):
		f.plan.because("%s makes a shell for all paths, _shell.html: with outputPath: '/index' for spa.prerender it is index.html, which unknown paths can show",
			c.line("plugins.spa.enabled", ""))
		if v, ok := c.get("plugins.spa.prerender.outputPath"); ok && strings.HasPrefix(strings.TrimPrefix(v.text, "/"), "index") {
			f.plan.Fallback = spa
		}
		return nil
	case c.says("plugins.prerender.enabled", "true"):
		f.plan.because("%s renders pages when it is built", c.line("plugins.prerender.enabled", ""))
		return nil
	}
	return f.refuse("it renders pages on a server", "write prerender: { enabled: true }, or spa: { enabled: true }, for the plugin tanstackStart in "+
		c.line("plugins.prerender.enabled", "vite.config.ts"))
}

func readSolidStart(f *finder) error {
	c := f.program(append(scripts("app.config"), scripts("vite.config")...)...)
	if c.says("server.preset", "static") || c.has("server.prerender") {
		f.plan.because("%s renders pages when it is built", c.line("server.preset", ""))
		return nil
	}
	return f.refuse("it renders pages on a server", "write server: { preset: 'static' } in "+c.line("server.preset", "app.config.ts"))
}

// readSvelteKit wants the adapter for static sites: the others make servers, and adapter-auto
// looks for a platform that this is not.
func readSvelteKit(f *finder) error {
	c := f.program(append(scripts("svelte.config"), scripts("vite.config")...)...)
	switch _, ok := f.pkg.dependency("@sveltejs/adapter-static"); {
	case ok && c.quotes("@sveltejs/adapter-") && !c.quotes("@sveltejs/adapter-static"):
		return f.refuse("it is built with another adapter than @sveltejs/adapter-static", "import that one in "+c.place("@sveltejs/adapter-", ""))
	case !ok:
		return f.refuse("package.json has no @sveltejs/adapter-static", "add it to package.json, and import it in "+c.place("@sveltejs/adapter", "svelte.config.js"))
	}
	f.plan.because("@sveltejs/adapter-static makes static pages")
	for _, key := range []string{"kit.adapter.pages", "plugins.adapter.pages"} {
		if v, ok := c.get(key); ok {
			if err := f.output(v); err != nil {
				return err
			}
		}
	}
	for _, key := range []string{"kit.adapter.fallback", "plugins.adapter.fallback"} {
		v, ok := c.get(key)
		switch {
		case !ok:
		case v.literal && v.text == "index.html":
			return f.onePage(c, key)
		case v.literal && v.text != "404.html":
			f.plan.because("unknown paths do not show %s, which %s makes for them: name it 404.html or index.html", clip(v.text), at(v.file, v.line))
		}
	}
	return nil
}

func readQwik(f *finder) error {
	for _, name := range scripts("adapters/static/vite.config") {
		if isFile(f.root, name) {
			f.plan.because("%s makes static pages", name)
			return nil
		}
	}
	return f.refuse("it has no adapter for static sites", "run npm run qwik add static, and commit adapters/static/vite.config.ts")
}

func readVike(f *finder) error {
	files := []string{}
	for _, stem := range []string{"pages/+config", "+config", "renderer/+config", "vite.config"} {
		files = append(files, scripts(stem)...)
	}
	for _, name := range files {
		c := f.program(name)
		for _, key := range []string{"prerender", "plugins.prerender"} {
			if v, ok := c.get(key); ok && (!v.literal || v.text != "false") {
				f.plan.because("%s renders pages when it is built", at(v.file, v.line))
				return nil
			}
		}
	}
	return f.refuse("it renders pages on a server", "write prerender: true in pages/+config.ts")
}

func readNitro(f *finder) error {
	c := f.program(scripts("nitro.config")...)
	if c.says("preset", "static") || c.has("prerender") {
		f.plan.because("%s renders pages when it is built", c.line("preset", ""))
		return nil
	}
	return f.refuse("it makes a server", "write preset: 'static' in "+c.line("preset", "nitro.config.ts"))
}

func readAstro(f *finder) error {
	c := f.program(scripts("astro.config")...)
	if v, ok := c.get("output"); ok && v.literal && v.text != "static" {
		return f.refuse("its output is "+clip(v.text), "write output: 'static' in "+at(v.file, v.line))
	}
	for _, adapter := range []string{"@astrojs/node", "@astrojs/vercel", "@astrojs/cloudflare", "@astrojs/netlify"} {
		if _, ok := f.pkg.dependency(adapter); ok {
			f.plan.because("%s is there, and is for a server: pages with prerender = false will be missing", adapter)
		}
	}
	if set, err := f.flagged("--outDir"); set || err != nil {
		return err
	}
	if v, ok := c.get("outDir"); ok {
		return f.output(v)
	}
	return nil
}

// readExpo knows that app.json says whether all paths are one page.
func readExpo(f *finder) error {
	c := f.program("app.json", "app.config.json")
	v, ok := c.get("expo.web.output")
	switch {
	case !ok || v.text == "single":
	case v.text == "static":
		f.plan.Fallback = noFallback
		f.plan.because("%s makes a page for each path", at(v.file, v.line))
	default:
		return f.refuse("its output is "+clip(v.text), `write "output": "static" or "single" in `+at(v.file, v.line))
	}
	return outputByFlag("--output-dir")(f)
}

// angularBuild is what angular.json says about a project's build.
type angularBuild struct {
	Builder string
	Options struct {
		OutputPath json.RawMessage
		OutputMode string
		SSR        json.RawMessage
		Prerender  json.RawMessage
	}
}

// readAngular finds the project that is built: the one that the build names, the default one, or
// the only one.
func readAngular(f *finder) error {
	const file = "angular.json"
	if !isFile(f.root, file) {
		return nil
	}
	var workspace struct {
		DefaultProject string
		Projects       map[string]struct {
			Architect, Targets struct{ Build *angularBuild }
		}
	}
	if err := json.Unmarshal([]byte(f.text(file)), &workspace); err != nil {
		f.plan.because("%s is not JSON, and is not looked at", file)
		return nil
	}
	name := workspace.DefaultProject
	if n, ok := f.argument("ng", "build"); ok {
		name = n
	}
	if n, ok := f.flag("--project"); ok {
		name = n
	}
	builds := map[string]*angularBuild{}
	for n, p := range workspace.Projects {
		if b := cmp.Or(p.Architect.Build, p.Targets.Build); b != nil {
			builds[n] = b
		}
	}
	names := slices.Sorted(maps.Keys(builds))
	if len(names) == 0 {
		return nil
	}
	if builds[name] == nil {
		name = names[0]
	}
	return f.angular(name, builds[name])
}

func (f *finder) angular(name string, build *angularBuild) error {
	const file = "angular.json"
	o := build.Options
	v := value{path: "outputPath", literal: true, file: file + ", project " + clip(name)}
	inner := ""
	if strings.HasSuffix(build.Builder, ":application") {
		inner = "browser"
	}
	var folders struct {
		Base    string
		Browser *string
	}
	switch {
	case json.Unmarshal(o.OutputPath, &v.text) == nil && v.text != "":
	case json.Unmarshal(o.OutputPath, &folders) == nil && folders.Base != "":
		v.text = folders.Base
		if folders.Browser != nil {
			inner = *folders.Browser
		}
	default:
		v.text = path.Join("dist", name)
	}
	if inner != "" {
		v.text += "/" + inner
	}
	set := func(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "false" && string(raw) != "null" }
	c := f.program(file)
	key := "projects." + name + ".architect.build.options."
	switch {
	case o.OutputMode == "server":
		return f.refuse(`its outputMode is server`, `write "outputMode": "static" in `+c.line(key+"outputMode", file))
	case o.OutputMode == "static":
		f.plan.Fallback = noFallback
		f.plan.because("%s renders pages when it is built", c.line(key+"outputMode", file))
	case set(o.SSR) && set(o.Prerender):
		f.plan.Fallback = noFallback
		f.plan.because("%s renders pages when it is built", c.line(key+"prerender", file))
	case set(o.SSR):
		return f.refuse("it renders pages on a server", `write "outputMode": "static" beside ssr in `+c.line(key+"ssr", file))
	}
	return f.output(v)
}

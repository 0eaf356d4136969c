package detect

import (
	"slices"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// preset is what is known about a framework.
type preset struct {
	Slug    string
	Name    string
	When    sign
	Runtime runtime // what installs and runs it; Node.js where it is not set
	// Scripts of package.json are asked for in this order where there is none called build,
	// and Build is the command where there is none at all.
	Scripts  []string
	Build    string
	Output   string           // relative to the project's folder
	Fallback hosting.Fallback // single-page applications answer every path
	// Cache are folders that make a later build faster, relative to the project's folder.
	Cache []string
	// Names are the files of the output whose names change with their content.
	Names []fingerprint
	// Read looks into the configuration: for another output, and for what needs a server.
	Read func(*finder) error
}

const (
	noFallback = hosting.FallbackNone
	spa        = hosting.FallbackSPA
)

// presets is the table of what is known. It is ordered, the first that is seen is taken: what
// brings another one of the list stands before it, and what is a mere helper of others last.
var presets = slices.Concat(applications, sites, bundlers, generators, tools, plain)

// findPreset returns the preset of that name.
func findPreset(slug string) (preset, bool) {
	for _, p := range presets {
		if p.Slug == slug {
			return p, true
		}
	}
	return preset{}, false
}

// match returns the first preset that is seen.
func (f *finder) match() (preset, evidence, bool) {
	for _, p := range presets {
		if e, ok := p.When.seen(f); ok {
			return p, e, true
		}
	}
	return preset{}, evidence{}, false
}

// bundlers embed nothing of the table, and are embedded by most of it.
var bundlers = []preset{
	{
		Slug: "rsbuild", Name: "Rsbuild", When: dep("@rsbuild/core"),
		Build: "rsbuild build", Output: "dist", Fallback: spa,
		Cache: []string{"node_modules/.cache"},
		Names: []fingerprint{{"static/", dotted(hex)}},
		Read:  outputOf(scripts("rsbuild.config"), "output.distPath.root"),
	}, {
		Slug: "vite", Name: "Vite", When: dep("vite"),
		Build: "vite build", Output: "dist", Fallback: spa,
		Cache: viteCache, Names: viteNames, Read: readVite,
	},
}

// tools build whatever they are told to: their output is a guess, and what else is seen goes
// before them.
var tools = []preset{
	{
		Slug: "parcel", Name: "Parcel", When: dep("parcel", "parcel-bundler"),
		Build: "parcel build", Output: "dist", Fallback: noFallback,
		Cache: []string{".parcel-cache"},
		Names: []fingerprint{{"", dotted(hex)}},
		Read:  outputByFlag("--dist-dir", "-d"),
	}, {
		Slug: "brunch", Name: "Brunch", When: some(dep("brunch"), file("brunch-config.js")),
		Build: "brunch build --production", Output: "public", Fallback: noFallback,
	}, {
		Slug: "roots", Name: "Roots", When: dep("roots"),
		Build: "roots compile", Output: "public", Fallback: noFallback,
	}, {
		Slug: "assemble", Name: "Assemble", When: dep("assemble"),
		Build: "grunt build", Output: "dist", Fallback: noFallback,
	}, {
		Slug: "grunt", Name: "Grunt", When: dep("grunt"),
		Build: "grunt build", Output: "dist", Fallback: noFallback,
	}, {
		Slug: "gulp", Name: "gulp", When: dep("gulp"),
		Build: "gulp build", Output: "dist", Fallback: noFallback,
	}, {
		Slug: "storybook", Name: "Storybook", When: all(dep("storybook"), none(script("build"))),
		Scripts: []string{"build-storybook"}, Build: "storybook build", Output: "storybook-static", Fallback: noFallback,
		Cache: []string{"node_modules/.cache"}, Names: viteNames,
		Read: outputByFlag("--output-dir", "-o"),
	}, {
		Slug: "typedoc", Name: "TypeDoc", When: all(dep("typedoc"), none(script("build"))),
		Scripts: []string{"docs"}, Build: "typedoc", Output: "docs", Fallback: noFallback,
		Read: outputByFlag("--out"),
	},
}

// plain is what is left where no framework is seen.
var plain = []preset{
	{
		Slug: "deno", Name: "Deno", Runtime: denoRuntime, When: setting("tasks.build", "deno.json", "deno.jsonc"),
		Build: "deno task build", Fallback: noFallback,
	},
	{Slug: slugOther, Name: "a build script", When: script("build"), Fallback: noFallback, Cache: []string{"node_modules/.cache"}},
	{Slug: slugStatic, Name: "pages as they are", Runtime: noRuntime, When: some(page("public", "."), file("*.html")), Fallback: noFallback},
	{
		Slug: "built", Name: "pages that were built before", Runtime: noRuntime,
		When: page("dist", "build", "out", "_site", "site", "book", "docs"), Fallback: noFallback,
	},
}

// The presets that are no frameworks.
const (
	slugOther  = "other"
	slugStatic = "static"
)

var (
	viteCache = []string{"node_modules/.vite"}
	viteNames = []fingerprint{{"assets/", dashed(rollup)}}
	// webpackNames are as webpack's own presets write them.
	webpackNames = []fingerprint{
		{"static/js/", dotted(hex)}, {"static/css/", dotted(hex)}, {"static/media/", dotted(hex)},
	}
)

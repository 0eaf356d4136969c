package detect

import "github.com/scale-mesh/fairway/internal/hosting"

// preset is what is known about a framework.
type preset struct {
	Slug     string
	Name     string
	Package  string           // the dependency that shows its use
	Build    string           // for projects without a build script
	Output   string           // relative to the project's folder
	Fallback hosting.Fallback // single-page applications answer every path
}

// presets is ordered: frameworks that bring another one of the list stand before it.
func presets() []preset {
	return []preset{
		{"nextjs", "Next.js (static export)", "next", "next build", "out", hosting.FallbackNone},
		{"docusaurus", "Docusaurus", "@docusaurus/core", "docusaurus build", "build", hosting.FallbackNone},
		{"vitepress", "VitePress", "vitepress", "vitepress build", ".vitepress/dist", hosting.FallbackNone},
		{"astro", "Astro", "astro", "astro build", "dist", hosting.FallbackNone},
		{"eleventy", "Eleventy", "@11ty/eleventy", "eleventy", "_site", hosting.FallbackNone},
		{"create-react-app", "Create React App", "react-scripts", "react-scripts build", "build", hosting.FallbackSPA},
		{"vite", "Vite", "vite", "vite build", "dist", hosting.FallbackSPA},
	}
}

// match returns the first preset whose package pkg depends on.
func match(pkg *packageJSON) (preset, bool) {
	for _, p := range presets() {
		if pkg.dependsOn(p.Package) {
			return p, true
		}
	}
	return preset{}, false
}

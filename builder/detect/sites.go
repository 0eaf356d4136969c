package detect

// sites are generators of sites that npm installs.
var sites = []preset{
	{
		Slug: "astro", Name: "Astro", When: dep("astro"),
		Build: "astro build", Output: "dist", Fallback: noFallback,
		Cache: []string{"node_modules/.astro"}, Names: []fingerprint{{"_astro/", dotted(rollup)}}, Read: readAstro,
	}, {
		Slug: "gatsby", Name: "Gatsby", When: dep("gatsby"),
		Build: "gatsby build", Output: "public", Fallback: noFallback,
		Cache: []string{".cache", "public"}, // one without the other breaks the build
		Names: []fingerprint{{"static/", nil}, {"", dashed(hex)}},
	}, {
		Slug: "docusaurus", Name: "Docusaurus", When: dep("@docusaurus/core"),
		Build: "docusaurus build", Output: "build", Fallback: noFallback,
		Cache: []string{"node_modules/.cache", ".docusaurus"},
		Names: []fingerprint{
			{"assets/js/", dotted(hex)}, {"assets/css/", dotted(hex)}, {"assets/images/", dashed(hex)}, {"assets/files/", dashed(hex)},
		},
		Read: outputByFlag("--out-dir"),
	}, {
		Slug: "docusaurus-v1", Name: "Docusaurus", When: dep("docusaurus"),
		Build: "docusaurus-build", Output: "build", Fallback: noFallback, Read: readDocusaurus1,
	}, {
		Slug: "rspress", Name: "Rspress", When: dep("rspress", "@rspress/core"),
		Build: "rspress build", Output: "doc_build", Fallback: noFallback,
		Cache: []string{"node_modules/.cache"}, Names: []fingerprint{{"static/", dotted(hex)}},
		Read: outputOf(scripts("rspress.config"), "outDir", "builderConfig.output.distPath.root"),
	}, {
		Slug: "vitepress", Name: "VitePress", When: dep("vitepress"),
		Scripts: []string{"docs:build"}, Build: "vitepress build", Output: ".vitepress/dist", Fallback: noFallback,
		Cache: []string{".vitepress/cache"}, Names: []fingerprint{{"assets/", dotted(rollup)}}, Read: readVitePress,
	}, {
		Slug: "vuepress", Name: "VuePress", When: dep("vuepress"),
		Scripts: []string{"docs:build"}, Build: "vuepress build", Output: ".vuepress/dist", Fallback: noFallback,
		Cache: []string{".vuepress/.cache"}, Names: []fingerprint{{"assets/", dotted(hex)}, {"assets/", dashed(rollup)}}, Read: readVuePress,
	}, {
		Slug: "eleventy", Name: "Eleventy", When: dep("@11ty/eleventy"),
		Build: "eleventy", Output: "_site", Fallback: noFallback, Cache: []string{".cache"}, Read: readEleventy,
	}, {
		Slug: "hexo", Name: "Hexo", When: dep("hexo"),
		Build: "hexo generate", Output: "public", Fallback: noFallback, Cache: []string{"db.json"},
		Read: outputOfYAML("public_dir", "_config.yml"),
	}, {
		Slug: "gridsome", Name: "Gridsome", When: dep("gridsome"),
		Build: "gridsome build", Output: "dist", Fallback: noFallback, Cache: []string{"node_modules/.cache"},
		Names: []fingerprint{{"assets/js/", dotted(hex)}, {"assets/css/", dotted(hex)}},
		Read:  outputOf(scripts("gridsome.config"), "outputDir"),
	}, {
		Slug: "sapper", Name: "Sapper", When: dep("sapper"),
		Scripts: []string{"export"}, Build: "sapper export", Output: "__sapper__/export", Fallback: noFallback, Read: readSapper,
	}, {
		Slug: "saber", Name: "Saber", When: dep("saber"),
		Build: "saber build", Output: "public", Fallback: noFallback,
	}, {
		Slug: "react-static", Name: "React Static", When: dep("react-static"),
		Build: "react-static build", Output: "dist", Fallback: noFallback,
	}, {
		Slug: "observable", Name: "Observable Framework", When: dep("@observablehq/framework"),
		Build: "observable build", Output: "dist", Fallback: noFallback, Cache: []string{"src/.observablehq/cache"},
		Names: []fingerprint{{"_observablehq/", dotted(hex)}},
		Read:  outputOf(scripts("observablehq.config"), "output"),
	}, {
		Slug: "slidev", Name: "Slidev", When: dep("@slidev/cli"),
		Build: "slidev build", Output: "dist", Fallback: spa, Cache: viteCache, Names: viteNames, Read: outputByFlag("--out", "-o"),
	}, {
		Slug: "metalsmith", Name: "Metalsmith", When: dep("metalsmith"),
		Build: "metalsmith", Output: "build", Fallback: noFallback, Read: outputOf([]string{"metalsmith.json"}, "destination"),
	}, {
		Slug: "wintersmith", Name: "Wintersmith", When: dep("wintersmith"),
		Build: "wintersmith build", Output: "build", Fallback: noFallback, Read: outputOf([]string{"config.json"}, "output"),
	}, {
		Slug: "harp", Name: "Harp", When: dep("harp"),
		Build: "harp compile", Output: "www", Fallback: noFallback,
	}, {
		Slug: "phenomic", Name: "Phenomic", When: dep("@phenomic/core"),
		Build: "phenomic build", Output: "public", Fallback: noFallback,
	}, {
		Slug: "docpad", Name: "DocPad", When: dep("docpad"),
		Build: "docpad generate", Output: "out", Fallback: noFallback,
	}, {
		Slug: "honkit", Name: "HonKit", When: dep("honkit"),
		Build: "honkit build", Output: "_book", Fallback: noFallback,
	}, {
		Slug: "gitbook", Name: "GitBook CLI", When: dep("gitbook-cli"),
		Build: "gitbook build", Output: "_book", Fallback: noFallback,
	}, {
		Slug: "antora", Name: "Antora", When: some(dep("antora"), file("antora-playbook.yml")),
		Build: "antora antora-playbook.yml", Output: "build/site", Fallback: noFallback, Cache: []string{".cache/antora"},
		Read: outputOfYAML("output.dir", "antora-playbook.yml"),
	},
}

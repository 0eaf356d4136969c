package detect

// generators are those that npm does not install. Their programs, or what installs them, must
// be on the machine that builds.
var generators = []preset{
	{
		Slug: "lume", Name: "Lume", Runtime: denoRuntime, When: some(content("deno.json", "lume"), content("deno.jsonc", "lume")),
		Build: "deno task build", Output: "_site", Fallback: noFallback,
	}, {
		Slug: "hugo", Name: "Hugo", Runtime: machineRuntime,
		When: some(
			file("hugo.toml", "hugo.yaml", "hugo.yml", "hugo.json", "config/_default/hugo.*", "config/_default/config.*"),
			content("config.toml", "baseurl"), content("config.yaml", "baseurl"), content("config.yml", "baseurl"), content("config.json", "baseurl"),
		),
		Build: "hugo --gc --minify", Output: "public", Fallback: noFallback, Cache: []string{"resources/_gen"}, Read: readHugo,
	}, {
		Slug: "zola", Name: "Zola", Runtime: machineRuntime, When: content("config.toml", "base_url"),
		Build: "zola build", Output: "public", Fallback: noFallback, Read: outputOfTOML("output_dir", "config.toml"),
	}, {
		Slug: "mdbook", Name: "mdBook", Runtime: machineRuntime, When: file("book.toml"),
		Build: "mdbook build", Output: "book", Fallback: noFallback, Read: readMdBook,
	}, {
		Slug: "trunk", Name: "Trunk", Runtime: machineRuntime, When: some(file("Trunk.toml"), all(file("Cargo.toml"), content("index.html", "data-trunk"))),
		Build: "trunk build --release", Output: "dist", Fallback: spa, Cache: []string{"target"},
		Names: []fingerprint{{"", dashed(hex)}}, Read: outputOfTOML("build.dist", "Trunk.toml"),
	}, {
		Slug: "quarto", Name: "Quarto", Runtime: machineRuntime, When: file("_quarto.yml"),
		Build: "quarto render", Output: "_site", Fallback: noFallback, Cache: []string{"_freeze", ".quarto"}, Read: readQuarto,
	}, {
		Slug: "jupyter-book", Name: "Jupyter Book", Runtime: pythonRuntime, When: all(file("_toc.yml"), file("_config.yml")),
		Build: "jupyter-book build .", Output: "_build/html", Fallback: noFallback, Cache: []string{"_build/.jupyter_cache"},
	}, {
		Slug: "mkdocs", Name: "MkDocs", Runtime: pythonRuntime, When: file("mkdocs.yml", "mkdocs.yaml"),
		Build: "mkdocs build", Output: "site", Fallback: noFallback, Cache: []string{".cache"},
		Read: outputOfYAML("site_dir", "mkdocs.yml", "mkdocs.yaml"),
	}, {
		Slug: "pelican", Name: "Pelican", Runtime: pythonRuntime, When: file("pelicanconf.py"),
		Build: "pelican content -s publishconf.py", Output: "output", Fallback: noFallback, Read: readPelican,
	}, {
		Slug: "sphinx", Name: "Sphinx", Runtime: pythonRuntime, When: file(sphinxSources()...),
		Build: "sphinx-build -b html -d _build/doctrees . _build/html", Output: "_build/html", Fallback: noFallback, Cache: []string{"_build/doctrees"}, Read: readSphinx,
	}, {
		Slug: "slate", Name: "Slate", Runtime: rubyRuntime, When: all(content("Gemfile", "middleman"), file("source/index.html.md")),
		Build: "middleman build", Output: "build", Fallback: noFallback,
	}, {
		Slug: "middleman", Name: "Middleman", Runtime: rubyRuntime, When: all(file("config.rb"), content("Gemfile", "middleman")),
		Build: "middleman build", Output: "build", Fallback: noFallback,
	}, {
		Slug: "bridgetown", Name: "Bridgetown", Runtime: rubyRuntime, When: content("Gemfile", "bridgetown"),
		Build: "bin/bridgetown deploy", Output: "output", Fallback: noFallback, Cache: []string{".bridgetown-cache"},
	}, {
		Slug: "jekyll", Name: "Jekyll", Runtime: rubyRuntime,
		When:  all(file("_config.yml"), some(content("Gemfile", "jekyll"), content("Gemfile", "github-pages"), none(file("Gemfile")))),
		Build: "jekyll build", Output: "_site", Fallback: noFallback, Cache: []string{".jekyll-cache"},
		Read: outputOfYAML("destination", "_config.yml"),
	}, {
		Slug: "cecil", Name: "Cecil", Runtime: phpRuntime,
		When:  some(file("cecil.yml"), all(content("composer.json", "cecil/cecil"), file("config.yml")), file("cecil.phar")),
		Build: "cecil build", Output: "_site", Fallback: noFallback, Cache: []string{".cache"}, Read: readCecil,
	}, {
		Slug: "blazor", Name: "Blazor WebAssembly", Runtime: dotnetRuntime, When: content("*.csproj", "Microsoft.NET.Sdk.BlazorWebAssembly"),
		Build: "dotnet publish -c Release -o output", Output: "output/wwwroot", Fallback: spa,
	},
}

package detect

import "slices"

// applications are frameworks for applications. Many of them can run on a server: Read says
// which line has to change where one would have to.
var applications = []preset{
	{
		// Next.js itself sends "immutable" for these; what is in the folder of the build's id is
		// left out, since an application may choose that id.
		Slug: "blitzjs", Name: "Blitz.js", When: some(dep("blitz"), file("blitz.config.js", "blitz.config.ts")),
		Build: "blitz build", Output: "out", Fallback: noFallback,
		Cache: []string{".next/cache"}, Read: readServerOnly("blitz"),
	}, {
		Slug: "nextjs", Name: "Next.js", When: dep("next"),
		Build: "next build", Output: "out", Fallback: noFallback,
		Cache: []string{".next/cache"},
		Names: []fingerprint{{"_next/static/chunks/", nil}, {"_next/static/css/", nil}, {"_next/static/media/", dotted(hex)}},
		Read:  readNext,
	}, {
		Slug: "nuxt", Name: "Nuxt", When: dep("nuxt", "nuxt3", "nuxt-edge", "nuxt-nightly"),
		Scripts: []string{"generate"}, Build: "nuxt generate", Output: ".output/public", Fallback: noFallback,
		Cache: []string{"node_modules/.cache/nuxt"},
		Names: []fingerprint{{"_nuxt/", dotted(rollup)}, {"_nuxt/", dotted(hex)}},
		Read:  readNuxt,
	}, {
		Slug: "redwoodjs", Name: "RedwoodJS", When: dep("@redwoodjs/core"),
		Build: "rw build web", Output: "web/dist", Fallback: spa, Names: viteNames,
	}, {
		Slug: "hydrogen", Name: "Hydrogen", When: dep("@shopify/hydrogen"),
		Build: "shopify hydrogen build", Output: "dist/client", Fallback: noFallback, Read: readServerOnly("@shopify/hydrogen"),
	}, {
		Slug: "remix", Name: "Remix", When: some(dep("@remix-run/dev"), file("remix.config.js", "remix.config.mjs")),
		Build: "remix vite:build", Output: "build/client", Fallback: noFallback,
		Cache: []string{"node_modules/.vite", ".cache"}, Names: viteNames, Read: readRemix,
	}, {
		Slug: "react-router", Name: "React Router", When: some(dep("@react-router/dev"), file("react-router.config.js", "react-router.config.ts")),
		Build: "react-router build", Output: "build/client", Fallback: noFallback,
		Cache: []string{"node_modules/.vite", ".react-router"}, Names: viteNames, Read: readReactRouter,
	}, {
		Slug: "tanstack-start", Name: "TanStack Start", When: dep("@tanstack/react-start", "@tanstack/solid-start", "@tanstack/start"),
		Build: "vite build", Output: "dist/client", Fallback: noFallback,
		Cache: viteCache, Names: viteNames, Read: readTanStackStart,
	}, {
		Slug: "solidstart", Name: "SolidStart", When: dep("@solidjs/start", "solid-start"),
		Build: "vinxi build", Output: ".output/public", Fallback: noFallback,
		Cache: []string{"node_modules/.vinxi"}, Read: readSolidStart,
	}, {
		Slug: "sveltekit", Name: "SvelteKit", When: dep("@sveltejs/kit"),
		Build: "vite build", Output: "build", Fallback: noFallback,
		Cache: []string{"node_modules/.vite", ".svelte-kit"},
		Names: []fingerprint{{"_app/immutable/", nil}}, Read: readSvelteKit,
	}, {
		Slug: "qwik", Name: "Qwik", When: dep("@builder.io/qwik", "@qwik.dev/core"),
		Build: "qwik build", Output: "dist", Fallback: noFallback,
		Cache: viteCache, Read: readQwik,
	}, {
		Slug: "analog", Name: "Analog", When: dep("@analogjs/platform"),
		Build: "vite build", Output: "dist/analog/public", Fallback: noFallback,
		Cache: []string{".angular/cache", "node_modules/.vite"}, Names: viteNames,
	}, {
		Slug: "vike", Name: "Vike", When: dep("vike"),
		Build: "vike build", Output: "dist/client", Fallback: noFallback, Cache: viteCache,
		Names: []fingerprint{{"assets/", dashed(rollup)}, {"assets/", dotted(rollup)}}, Read: readVike,
	}, {
		Slug: "waku", Name: "Waku", When: dep("waku"),
		Build: "waku build", Output: "dist/public", Fallback: noFallback, Names: viteNames,
	}, {
		Slug: "nitro", Name: "Nitro", When: dep("nitropack", "nitro"),
		Build: "nitro build", Output: ".output/public", Fallback: noFallback, Read: readNitro,
	}, {
		Slug: "expo", Name: "Expo", When: all(dep("expo"), dep("react-native-web")),
		Build: "expo export -p web", Output: "dist", Fallback: spa, Read: readExpo,
	}, {
		Slug: "scully", Name: "Scully", When: dep("@scullyio/init"),
		Build: "ng build && scully", Output: "dist/static", Fallback: noFallback, Cache: []string{".angular/cache"}, Read: readScully,
	}, {
		Slug: "ionic-angular", Name: "Ionic Angular", When: dep("@ionic/angular"),
		Build: "ng build", Output: "www", Fallback: spa,
		Cache: []string{".angular/cache"}, Names: angularNames, Read: readAngular,
	}, {
		Slug: "angular", Name: "Angular", When: some(dep("@angular/cli"), all(file("angular.json"), dep("@angular/core"))),
		Build: "ng build", Output: "dist", Fallback: spa,
		Cache: []string{".angular/cache"}, Names: angularNames, Read: readAngular,
	}, {
		Slug: "ionic-react", Name: "Ionic React", When: dep("@ionic/react"),
		Build: "react-scripts build", Output: "build", Fallback: spa,
		Cache: []string{"node_modules/.cache", "node_modules/.vite"}, Names: slices.Concat(webpackNames, viteNames), Read: readIonicReact,
	}, {
		Slug: "quasar", Name: "Quasar", When: dep("@quasar/app-vite", "@quasar/app-webpack", "@quasar/app", "quasar-cli"),
		Build: "quasar build", Output: "dist/spa", Fallback: spa,
		Names: []fingerprint{{"assets/", dotted(hex)}, {"assets/", dashed(rollup)}}, Read: readQuasar,
	}, {
		Slug: "vue-cli", Name: "Vue CLI", When: dep("@vue/cli-service"),
		Build: "vue-cli-service build", Output: "dist", Fallback: spa,
		Cache: []string{"node_modules/.cache"},
		Names: []fingerprint{
			{"js/", dotted(hex)}, {"css/", dotted(hex)}, {"img/", dotted(hex)}, {"fonts/", dotted(hex)}, {"media/", dotted(hex)},
		},
		Read: outputOf(scripts("vue.config"), "outputDir"),
	}, {
		Slug: "create-react-app", Name: "Create React App", When: dep("react-scripts", "react-dev-utils"),
		Build: "react-scripts build", Output: "build", Fallback: spa,
		Cache: []string{"node_modules/.cache"}, Names: webpackNames,
	}, {
		Slug: "ember", Name: "Ember", When: dep("ember-source", "ember-cli"),
		Build: "ember build --environment=production", Output: "dist", Fallback: spa,
		Names: []fingerprint{{"assets/", dashed(hex)}},
	}, {
		Slug: "stencil", Name: "Stencil", When: dep("@stencil/core"),
		Build: "stencil build", Output: "www", Fallback: spa,
		Cache: []string{".stencil"}, Names: []fingerprint{{"build/", dashed(hex)}},
		Read: outputOf(scripts("stencil.config"), "outputTargets.dir"),
	}, {
		Slug: "umijs", Name: "Umi", When: dep("umi"),
		Build: "umi build", Output: "dist", Fallback: spa,
		Read: outputOf([]string{".umirc.ts", ".umirc.js", "config/config.ts", "config/config.js"}, "outputPath"),
	}, {
		Slug: "dojo", Name: "Dojo", When: some(dep("@dojo/framework"), file(".dojorc")),
		Build: "dojo build", Output: "output/dist", Fallback: spa,
	}, {
		Slug: "preact-cli", Name: "Preact CLI", When: dep("preact-cli"),
		Build: "preact build", Output: "build", Fallback: spa, Read: outputByFlag("--dest"),
	}, {
		Slug: "sanity", Name: "Sanity Studio", When: all(dep("sanity"), file("sanity.config.*")),
		Build: "sanity build", Output: "dist", Fallback: spa, Read: readArgument("sanity", "build"),
	}, {
		Slug: "elm-land", Name: "Elm Land", When: file("elm-land.json"),
		Build: "elm-land build", Output: "dist", Fallback: spa, Cache: []string{"elm-stuff"}, Names: viteNames,
	}, {
		Slug: "wmr", Name: "WMR", When: dep("wmr"),
		Build: "wmr build", Output: "dist", Fallback: spa, Read: outputByFlag("--out"),
	}, {
		Slug: "histoire", Name: "Histoire", When: all(dep("histoire"), none(script("build"))),
		Scripts: []string{"story:build"}, Build: "histoire build", Output: ".histoire/dist", Fallback: spa, Names: viteNames,
		Read: outputOf(scripts("histoire.config"), "outDir"),
	}, {
		Slug: "ladle", Name: "Ladle", When: all(dep("@ladle/react"), none(script("build"))),
		Build: "ladle build", Output: "build", Fallback: spa, Names: viteNames,
	}, {
		Slug: "tanstack-router", Name: "TanStack Router", When: all(dep("@tanstack/react-router", "@tanstack/solid-router"), dep("vite")),
		Build: "vite build", Output: "dist", Fallback: spa, Cache: viteCache, Names: viteNames, Read: readVite,
	}, {
		Slug: "solid", Name: "Solid", When: all(dep("solid-js"), dep("vite")),
		Build: "vite build", Output: "dist", Fallback: spa, Cache: viteCache, Names: viteNames, Read: readVite,
	}, {
		Slug: "svelte", Name: "Svelte", When: all(dep("svelte"), dep("sirv-cli")),
		Build: "rollup -c", Output: "public", Fallback: spa,
	},
}

var angularNames = []fingerprint{{"", dashed(esbuild)}, {"", dotted(hex)}}

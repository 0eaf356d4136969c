package detect

import (
	"testing"
	"testing/fstest"
)

func TestFingerprinted_KnowsWhatFrameworksNameByContent(t *testing.T) {
	for _, c := range []struct {
		framework, file string
		want            bool
	}{
		{"vite", "assets/index-BX3k2Lx9.js", true},
		{"vite", "assets/index-DiwrgTda.css", true},
		{"vite", "assets/react-CHdo91hT.svg", true},
		{"vite", "assets/a-b--x_Yz12-.woff2", true},
		{"vite", "assets/my-original.png", false},
		{"vite", "assets/my-Original.png", false},
		{"vite", "assets/photo-20240131.png", false},
		{"vite", "assets/photo-IMG12345.png", false},
		{"vite", "assets/index.js", false},
		{"vite", "index-BX3k2Lx9.js", false},
		{"vite", "images/index-BX3k2Lx9.js", false},
		{"vite", "assets/index-BX3k2Lx9", false},
		{"vite", "assets/from-Publ1cXy.js", false}, // copied: public/assets has it
		{"vite", "index.html", false},
		{"vitepress", "assets/app.DfFVNoOD.js", true},
		{"vitepress", "assets/index.md.C2x-8KqG.lean.js", true},
		{"vitepress", "assets/chunks/framework.Bx3GVUgM.js", true},
		{"vitepress", "assets/inter-roman-latin.woff2", false},
		{"vitepress", "vp-icons.css", false},
		{"astro", "_astro/index.CVmTxcZv.css", true},
		{"astro", "_astro/hero.Dlmt9bCb_Z1Yx3Lq.webp", true},
		{"astro", "_astro/hero.webp", false},
		{"astro", "about/index.html", false},
		{"docusaurus", "assets/js/main.8c1f2a90.js", true},
		{"docusaurus", "assets/js/8c1f2a90.4d1e02bb.js", true},
		{"docusaurus", "assets/css/styles.4d1e02bb.css", true},
		{"docusaurus", "assets/images/logo-3c9d2f0f1a2b4c5d6e7f8091a2b3c4d5.png", true},
		{"docusaurus", "img/logo-3c9d2f0f1a2b4c5d6e7f8091a2b3c4d5.png", false},
		{"create-react-app", "static/js/main.073c9b0a.js", true},
		{"create-react-app", "static/js/453.a1b2c3d4.chunk.js", true},
		{"create-react-app", "static/media/logo.6ce24c58023cc2f8fd88fe9d219db6c6.svg", true},
		{"create-react-app", "static/js/main.js", false},
		{"create-react-app", "static/js/report.20240131.js", false},
		{"create-react-app", "asset-manifest.json", false},
		{"nextjs", "_next/static/chunks/main-app-1f2e3d4c5b6a7980.js", true},
		{"nextjs", "_next/static/css/4f1e2d3c.css", true},
		{"nextjs", "_next/static/media/inter.p.9af3c2d1.woff2", true},
		{"nextjs", "_next/static/my-build-id/_buildManifest.js", false},
		{"nuxt", "_nuxt/DhGuV91Q.js", true},
		{"nuxt", "_nuxt/error-404.DL_4WIao.css", true},
		{"nuxt", "_nuxt/builds/latest.json", false},
		{"nuxt", "200.html", false},
		{"sveltekit", "_app/immutable/entry/start.Cq-jquuI.js", true},
		{"sveltekit", "_app/version.json", false},
		{"react-router", "assets/entry.client-Do9VQKV0.js", true},
		{"react-router", "assets/manifest-b4e9d6ce.js", false},
		{"vike", "assets/entries/pages_index.C3ne4Dw2.js", true},
		{"vike", "assets/chunks/chunk-DK3Fl9T5.js", true},
		{"rspress", "static/js/async/route-a48746cae70c.09bcd480b7.js", true},
		{"rspress", "static/js/index.57f5f2a721.js.LICENSE.txt", true},
		{"rspress", "static/og.png", false},
		{"rsbuild", "static/js/index.38c7b209.js", true},
		{"observable", "_observablehq/client.a1099c11.js", true},
		{"observable", "_observablehq/theme-air,near-midnight.b050d634.css", true},
		{"parcel", "parcel.cf7dd155.js", true},
		{"parcel", "favicon.ico", false},
		{"angular", "main-5XKZTQBD.js", true},
		{"angular", "chunk-README-CONTENTS.js", false},
		{"angular", "favicon.ico", false},
		{"vue-cli", "js/app.8c1f2a90.js", true},
		{"vue-cli", "img/logo.png", false},
		{"gatsby", "app-3b5d9c2a1f0e4d6c7b8a.js", true},
		{"gatsby", "page-data/app-data.json", false},
		{"typedoc", "assets/main.js", false},
		{"static", "assets/index-BX3k2Lx9.js", false},
		{"other", "static/js/main.073c9b0a.js", false},
		{"eleventy", "bundle.073c9b0a.js", false},
	} {
		p := Plan{Framework: c.framework}
		root := fstest.MapFS{"public/assets/from-Publ1cXy.js": {}, "index.html": {}}
		if got := p.Fingerprinted(root, c.file); got != c.want {
			t.Errorf("%s %s: %v", c.framework, c.file, got)
		}
	}
}

// Gatsby writes to public, where a file is of the build and was not copied.
func TestFingerprinted_TakesNoOutputForASource(t *testing.T) {
	const file = "static/8c1f2a90/photo.png"
	built := fstest.MapFS{"public/" + file: {}}
	if p := (Plan{Framework: "gatsby", Output: "public"}); !p.Fingerprinted(built, file) {
		t.Error("the output is taken for a folder that is copied")
	}
	if p := (Plan{Framework: "gatsby", Output: "dist"}); p.Fingerprinted(built, file) {
		t.Error("the control: a file of a folder that is copied is kept for ever")
	}
}

func FuzzFingerprinted(f *testing.F) {
	for _, s := range []string{"assets/index-BX3k2Lx9.js", "_astro/.-.", "static/js/....", "assets/-", "_next/static/media/"} {
		f.Add("vite", s)
	}
	f.Fuzz(func(t *testing.T, framework, file string) {
		p := Plan{Framework: framework}
		if p.Fingerprinted(fstest.MapFS{}, file) && len(file) < 8 {
			t.Errorf("%s %q has no room for a folder or a hash", framework, file)
		}
	})
}

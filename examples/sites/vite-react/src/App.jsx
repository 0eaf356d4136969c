import { useEffect, useState } from "react";

const pages = {
  "/": { title: "Tides", text: "A single-page application: every address is answered with the same file." },
  "/high": { title: "High water", text: "You can open this address directly, or reload it: Fairway serves index.html for it." },
};

const lost = { title: "Off the chart", text: "The application knows no such page. The server cannot tell, so it is up to the application to say so." };

export function App() {
  const [path, setPath] = useState(location.pathname);

  useEffect(() => {
    const back = () => setPath(location.pathname);
    addEventListener("popstate", back);
    return () => removeEventListener("popstate", back);
  }, []);

  const go = (event) => {
    event.preventDefault();
    history.pushState(null, "", event.currentTarget.pathname);
    setPath(location.pathname);
  };
  const page = pages[path] ?? lost;

  return (
    <main>
      <nav>
        <a href="/" onClick={go}>Tides</a>
        <a href="/high" onClick={go}>High water</a>
      </nav>
      <h1>{page.title}</h1>
      <p>{page.text}</p>
    </main>
  );
}

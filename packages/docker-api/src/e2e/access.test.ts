import assert from "node:assert/strict";
import { chmod, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { EngineClient, type TempDir, tempDir } from "@boxship/testkit";
import type { AuditEntry } from "../access/audit.ts";
import { ROUTES } from "../routes/index.ts";
import { type DockerClient, type EngineUnderTest, IMAGE, startEngineUnderTest } from "../testing/engine-under-test.ts";

let directory: TempDir;
let engine: EngineUnderTest;
/** Docker's newest command line on the engine's own socket, and on those of the roles. */
let root: DockerClient;
let look: DockerClient;
let free: DockerClient;
let teamA: DockerClient;
let teamB: DockerClient;

before(async () => {
  directory = tempDir("access");
  await mkdir(directory.join("shared"));
  await chmod(directory.join("shared"), 0o777);
  const socket = (name: string) => directory.join(`${name}.sock`);
  const config = {
    audit: { path: directory.join("audit.log"), maxSize: 200_000 },
    sockets: {
      look: { role: "read-only", path: socket("look") },
      free: { role: "confined", path: socket("free"), mounts: [directory.join("shared")], images: ["ci/*"] },
      "team-a": { role: "confined", path: socket("a"), label: "team=a" },
      "team-b": { role: "confined", path: socket("b"), label: "team=b" },
    },
  };
  await writeFile(directory.join("config.yaml"), JSON.stringify(config));
  engine = await startEngineUnderTest({ flags: ["--config", directory.join("config.yaml")] });
  const on = async (path: string) => (await engine.dockerOn(path)).at(0) as DockerClient;
  [root, look, free, teamA, teamB] = await Promise.all(
    [engine.socketPath, socket("look"), socket("free"), socket("a"), socket("b")].map(on) as [
      Promise<DockerClient>,
      Promise<DockerClient>,
      Promise<DockerClient>,
      Promise<DockerClient>,
      Promise<DockerClient>,
    ],
  );
});
after(async () => {
  await engine[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

async function refuses(docker: DockerClient, args: readonly string[], message: RegExp, input?: string): Promise<void> {
  const { status, stdout, stderr } = await docker.run(args, input === undefined ? {} : { input });
  assert.notEqual(status, 0, `docker ${args.join(" ")}: ${stdout}`);
  assert.match(stdout + stderr, message, `docker ${args.join(" ")}`);
}

const FOREVER = [IMAGE, "sh", "-c", "trap exit TERM; while :; do sleep 0.1; done"];

test("a read-only socket shows everything and changes nothing", async () => {
  await root.ok(["run", "-d", "--name", "shown", "-e", "A=b", ...FOREVER]);
  assert.equal(await look.ok(["ps", "--format", "{{.Names}}", "-f", "name=shown"]), "shown");
  assert.match(await look.ok(["inspect", "-f", "{{.State.Status}}", "shown"]), /running/);
  for (const args of [["logs", "shown"], ["top", "shown"], ["images"], ["network", "ls"], ["volume", "ls"], ["info"]]) {
    await look.ok(args);
  }
  const no = /read-only socket look does not allow/;
  for (const args of [
    ["run", "--rm", IMAGE, "true"],
    ["stop", "shown"],
    ["kill", "shown"],
    ["rm", "-f", "shown"],
    ["exec", "shown", "true"],
    ["rename", "shown", "other"],
    ["update", "--memory", "64m", "shown"],
    ["pause", "shown"],
    ["commit", "shown"],
    ["tag", IMAGE, "x:1"],
    ["rmi", IMAGE],
    ["pull", "127.0.0.1:1/x"],
    ["network", "create", "n"],
    ["volume", "create", "v"],
    ["volume", "prune", "-f"],
    ["system", "prune", "-f"],
  ]) {
    await refuses(look, args, no);
  }
  await refuses(look, ["cp", "-", "shown:/tmp"], no, "");
  await root.ok(["rm", "-f", "shown"]);
});

test("a confined socket runs ordinary containers and no other, whichever way they are asked for", async () => {
  const shared = directory.join("shared");
  assert.equal(
    await free.ok(["run", "--rm", "-v", `${shared}:/s`, "-v", "data:/d", IMAGE, "sh", "-c", "echo x >/s/f; cat /s/f"]),
    "x",
  );
  const no = /confined socket free does not allow/;
  for (const flags of [
    ["--privileged"],
    ["--cap-add", "SYS_ADMIN"],
    ["--pid", "host"],
    ["--network", "host"],
    ["--ipc", "host"],
    ["--uts", "host"],
    ["--userns", "host"],
    ["--device", "/dev/null"],
    ["-v", "/:/host"],
    ["-v", `${shared}/below:/x`],
    ["--mount", "type=bind,src=/etc,dst=/x"],
    ["--mount", "type=volume,dst=/x,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=/"],
    ["--security-opt", "seccomp=unconfined"],
    ["--security-opt", "systempaths=unconfined"],
    ["--cgroup-parent", "/"],
  ]) {
    await refuses(free, ["run", "--rm", ...flags, IMAGE, "true"], no);
  }
  await refuses(free, ["volume", "create", "-o", "type=none", "-o", "o=bind", "-o", "device=/", "rootfs"], no);
  await refuses(free, ["network", "create", "-d", "macvlan", "-o", "parent=eth0", "n"], no);
  await refuses(free, ["network", "create", "-o", "com.docker.network.bridge.name=br0", "n"], no);
  await refuses(free, ["import", "-", "library/debian:latest"], no, "x");
  await free.ok(["volume", "rm", "data"]);
});

test("a confined socket's own containers may share with each other, by name and by id", async () => {
  await free.ok(["run", "-d", "--name", "base", "-v", "/shared", "--hostname", "base", ...FOREVER]);
  const join = (...flags: string[]) => free.ok(["run", "--rm", ...flags]);
  await join("--volumes-from", "base", IMAGE, "sh", "-c", "echo x >/shared/f");
  assert.equal(await join("--volumes-from", "base:ro", IMAGE, "cat", "/shared/f"), "x");
  const address = ["cat", "/sys/class/net/eth0/address"];
  const own = await free.ok(["exec", "base", ...address]);
  assert.equal(await join("--network", "container:base", IMAGE, ...address), own);
  assert.match(await join("--pid", "container:base", IMAGE, "ps"), /trap exit TERM/);
  assert.match(await join("--link", "base:db", IMAGE, "cat", "/etc/hosts"), /\bdb\b/);
  assert.match(await join("--link", "base", IMAGE, "cat", "/etc/hosts"), /\bbase\b/);
  const id = await free.ok(["inspect", "-f", "{{.Id}}", "base"]);
  assert.equal(await join("--network", `container:${id.slice(0, 12)}`, IMAGE, ...address), own);
  await free.ok(["rm", "-fv", "base"]);
});

test("a confined socket cannot use what the owner of the engine made with more rights", async () => {
  await root.ok(["run", "-d", "--name", "strong", "--privileged", "-v", "/:/host", ...FOREVER]);
  await root.ok(["volume", "create", "-o", "type=none", "-o", "o=bind", "-o", "device=/etc", "etc"]);
  const no = /confined socket free does not allow|unable to upgrade to tcp, received 403/;
  assert.match(await free.ok(["ps", "--format", "{{.Names}}"]), /strong/);
  for (const args of [
    ["exec", "strong", "true"],
    ["exec", "--privileged", "strong", "true"],
    ["cp", "strong:/host/etc/shadow", "-"],
    ["export", "strong"],
    ["diff", "strong"],
    ["attach", "--no-stdin", "strong"],
    ["commit", "strong", "ci/strong"],
    ["restart", "strong"],
    ["rm", "-f", "strong"],
    ["run", "--rm", "--volumes-from", "strong", IMAGE, "cat", "/host/etc/shadow"],
    ["run", "--rm", "--pid", "container:strong", IMAGE, "ls", "/proc/1/root/host"],
    ["run", "--rm", "--network", "container:strong", IMAGE, "true"],
    ["run", "--rm", "-v", "etc:/x", IMAGE, "cat", "/x/shadow"],
    ["volume", "rm", "etc"],
  ]) {
    await refuses(free, args, no);
  }
  await free.ok(["run", "-d", "--name", "plain", ...FOREVER]);
  await refuses(free, ["exec", "--privileged", "plain", "true"], no);
  // An exec that somebody else has prepared.
  const { Id } = await engine.client.json<{ Id: string }>("POST", "/containers/plain/exec", {
    Cmd: ["id"],
    Privileged: true,
    AttachStdout: true,
  });
  using client = new EngineClient(directory.join("free.sock"));
  assert.equal((await client.call("POST", `/exec/${Id}/start`, { body: { Detach: true } })).status, 403);
  // Images are shared: only those of the socket's own repositories can be named.
  await free.ok(["commit", "plain", "ci/plain:1"]);
  await free.ok(["tag", "ci/plain:1", "ci/plain:2"]);
  await refuses(free, ["tag", "ci/plain:1", IMAGE], no);
  await refuses(free, ["commit", "plain", "library/debian:latest"], no);
  await refuses(free, ["rmi", IMAGE], no);
  await free.ok(["rmi", "ci/plain:1", "ci/plain:2"]);
  await free.ok(["rm", "-f", "plain"]);
  await root.ok(["rm", "-f", "strong"]);
  await root.ok(["volume", "rm", "etc"]);
});

test("a socket with a label sees, touches and makes only what has it", async () => {
  await teamA.ok(["network", "create", "net-a"]);
  await teamA.ok(["volume", "create", "vol-a"]);
  await teamA.ok([
    "run",
    "-d",
    "--name",
    "a1",
    "--network",
    "net-a",
    "-v",
    "vol-a:/v",
    "-v",
    "made:/m",
    "-l",
    "team=b",
    ...FOREVER,
  ]);
  assert.equal(await root.ok(["inspect", "-f", '{{index .Config.Labels "team"}}', "a1"]), "a");
  assert.equal(await root.ok(["volume", "inspect", "-f", '{{index .Labels "team"}}', "made"]), "a");
  await teamB.ok(["run", "-d", "--name", "b1", ...FOREVER]);
  assert.equal(await teamA.ok(["ps", "-a", "--format", "{{.Names}}"]), "a1");
  assert.equal(await teamB.ok(["ps", "-a", "--format", "{{.Names}}"]), "b1");
  assert.equal(await teamB.ok(["network", "ls", "-q"]), "");
  assert.equal(await teamB.ok(["volume", "ls", "-q"]), "");
  const id = await root.ok(["inspect", "-f", "{{.Id}}", "a1"]);
  const absent = /No such (container|object)|not found|no such volume/i;
  for (const args of [
    ["inspect", "a1"],
    ["logs", id],
    ["exec", id.slice(0, 12), "true"],
    ["stop", "a1"],
    ["cp", "a1:/etc/hostname", "-"],
    ["run", "--pull=never", "--rm", "--volumes-from", "a1", IMAGE, "true"],
    ["run", "--pull=never", "--rm", "--network", "container:a1", IMAGE, "true"],
    ["run", "--pull=never", "--rm", "--network", "net-a", IMAGE, "true"],
    ["run", "--pull=never", "--rm", "-v", "vol-a:/v", IMAGE, "true"],
    ["run", "--pull=never", "--rm", "--link", "a1", IMAGE, "true"],
    ["network", "connect", "net-a", "b1"],
    ["network", "rm", "net-a"],
    ["volume", "rm", "vol-a"],
    ["volume", "inspect", "vol-a"],
  ]) {
    await refuses(teamB, args, absent);
  }
  await refuses(teamB, ["volume", "create", "vol-a"], /is taken/);
  await teamB.ok(["container", "prune", "-f"]);
  await teamB.ok(["volume", "prune", "-f"]);
  await teamB.ok(["network", "prune", "-f"]);
  const until = String(Math.ceil(Date.now() / 1000));
  const events = await teamB.ok(["events", "--since", "1", "--until", until, "--format", "{{.Actor.Attributes.name}}"]);
  assert.ok(events.includes("b1") && !events.includes("a1"), events);
  assert.equal(await teamA.ok(["exec", "a1", "echo", "still here"]), "still here");
  for (const [docker, name] of [
    [teamA, "a1"],
    [teamB, "b1"],
  ] as const)
    await docker.ok(["rm", "-f", name]);
  await teamA.ok(["volume", "rm", "vol-a", "made"]);
  await teamA.ok(["network", "rm", "net-a"]);
});

const WEBSOCKET = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};

test("no route of a socket with a label leads to what has another", async () => {
  const words = "in-no-answer";
  await teamA.ok(["network", "create", "--label", `w=${words}`, "their-net"]);
  await teamA.ok(["volume", "create", "--label", `w=${words}`, "their-vol"]);
  const flags = ["--network", "their-net", "-v", "their-vol:/v", "-e", `W=${words}`, "-l", `w=${words}`];
  const container = await teamA.ok(["run", "-d", "--name", "theirs", ...flags, IMAGE, "sleep", "1000"]);
  const image = await teamA.ok(["commit", "-m", words, "theirs"]);
  const network = await root.ok(["network", "inspect", "-f", "{{.Id}}", "their-net"]);
  const exec = await engine.client.json<{ Id: string }>("POST", "/containers/theirs/exec", { Cmd: [words] });
  await teamB.ok(["run", "-d", "--name", "mine", ...FOREVER]);
  await teamB.ok(["network", "create", "my-net"]);
  using client = new EngineClient(directory.join("b.sock"));
  const now = Math.ceil(Date.now() / 1000);
  const secrets = [words, container, network, image, exec.Id];
  const call = async (method: string, path: string, body: unknown, given: readonly string[]) => {
    const what = `${method} ${path} ${JSON.stringify(body)}`;
    const headers = path.includes("/attach/ws") ? WEBSOCKET : {};
    const { status, text } = await client.call(method, path, body === undefined ? { headers } : { body, headers });
    for (const secret of secrets) assert.ok(given.includes(secret) || !text.includes(secret), `${what}: ${text}`);
    return { what, status, text };
  };
  const refused = async (method: string, path: string, body: unknown, given: readonly string[] = secrets.slice(1)) => {
    const { what, status, text } = await call(method, path, body, given);
    assert.ok([400, 403, 404, 409].includes(status), `${what}: ${status} ${text}`);
    return { status, text };
  };
  const theirs: Readonly<Record<string, readonly string[]>> = {
    containers: [container, container.slice(0, 12), "theirs"],
    networks: [network, "their-net"],
    volumes: ["their-vol"],
    exec: [exec.Id],
    images: [image, image.slice(7, 19)],
  };
  let routes = 0;
  for (const { method, path } of ROUTES) {
    const section = /^\/(?:boxship\/)?(containers|networks|volumes|exec|images)\/\{/.exec(path)?.[1];
    for (const ref of section === undefined ? [] : (theirs[section] ?? [])) {
      const query =
        "?path=/v&repo=a&tag=b&name=stolen&target=/v&port=80&size=1g&signal=KILL&force=1&condition=next-exit&stdout=1&logs=1&h=1&w=1&t=1";
      const body =
        method === "GET" || method === "HEAD" ? undefined : { Container: "mine", Cmd: ["true"], Name: "stolen" };
      const target = path.replace(/\{\w+\*?\}/, ref).replace(/\{\w+\}/, "x") + query;
      let { status } = await refused(method, target, body);
      // One that takes no body.
      if (status === 400) ({ status } = await refused(method, target, undefined));
      assert.ok(status === 403 || status === 404, `${method} ${path}: ${status}`);
      routes++;
    }
    // Lists, and whatever else answers without being told what about.
    if (method !== "GET" || path.includes("{")) continue;
    await call(method, `${path}?all=1&size=1&since=1&until=${now}&digests=1`, undefined, []);
  }
  assert.ok(routes > 100);
  const create = (body: object) => refused("POST", "/containers/create", { Image: IMAGE, Cmd: ["true"], ...body });
  for (const ref of theirs["containers"] ?? []) {
    for (const mode of ["NetworkMode", "PidMode", "IpcMode"])
      await create({ HostConfig: { [mode]: `container:${ref}` } });
    await create({ HostConfig: { VolumesFrom: [ref] } });
    await create({ HostConfig: { Links: [`${ref}:x`] } });
    await create({
      HostConfig: { NetworkMode: "my-net" },
      NetworkingConfig: { EndpointsConfig: { "my-net": { Links: [`${ref}:x`] } } },
    });
    await refused("POST", "/networks/my-net/connect", { Container: ref });
    await refused("POST", "/networks/bridge/disconnect", { Container: ref, Force: true });
    await refused("POST", `/commit?container=${ref}`, {});
  }
  for (const ref of theirs["networks"] ?? []) {
    await create({ HostConfig: { NetworkMode: ref } });
    await create({ NetworkingConfig: { EndpointsConfig: { [ref]: {} } } });
    await refused("POST", `/networks/${ref}/connect`, { Container: "mine" });
  }
  for (const ref of theirs["images"] ?? []) {
    await create({ Image: ref });
    await create({ HostConfig: { Mounts: [{ Type: "image", Source: ref, Target: "/x" }] } });
    await refused("GET", `/images/get?names=${IMAGE}&names=${ref}`, undefined);
  }
  await create({ HostConfig: { Mounts: [{ Type: "volume", Source: "their-vol", Target: "/x" }] } });
  await create({ HostConfig: { Binds: ["their-vol:/x"] } });
  // That a name is taken cannot be hidden; whose it is can.
  await refused("POST", "/containers/create?name=theirs", { Image: IMAGE }, []);
  await refused("POST", "/containers/mine/rename?name=theirs", undefined, []);
  for (const kind of ["containers", "volumes", "networks"]) await call("POST", `/${kind}/prune`, undefined, []);
  assert.equal(await teamA.ok(["ps", "-q", "--no-trunc"]), container);
  assert.equal(await teamA.ok(["volume", "ls", "-q"]), "their-vol");
  assert.equal(await teamA.ok(["image", "inspect", "-f", "{{.Comment}}", image]), words);
  await root.ok(["rm", "-fv", "theirs", "mine"]);
  await root.ok(["rmi", image]);
  await root.ok(["network", "rm", "their-net"]);
  await root.ok(["volume", "rm", "their-vol"]);
});

test("a confined socket loads archives with names of its own, whole or not at all", async () => {
  const archive = directory.join("images.tar");
  await root.ok(["tag", IMAGE, "ci/loaded:1"]);
  await root.ok(["save", "-o", archive, "ci/loaded:1"]);
  await root.ok(["rmi", "ci/loaded:1"]);
  assert.match(await free.ok(["load", "-i", archive]), /Loaded image: ci\/loaded:1/);
  await free.ok(["rmi", "ci/loaded:1"]);
  await root.ok(["tag", IMAGE, "ci/loaded:1"]);
  await root.ok(["tag", IMAGE, "library/debian:latest"]);
  await root.ok(["save", "-o", archive, "ci/loaded:1", "library/debian:latest"]);
  await root.ok(["rmi", "ci/loaded:1", "library/debian:latest"]);
  await refuses(free, ["load", "-i", archive], /does not allow loading the image debian:latest/);
  await refuses(teamA, ["load", "-i", archive], /does not allow loading the image/);
  await refuses(look, ["load", "-i", archive], /read-only socket look does not allow/);
  assert.equal(await root.ok(["images", "-q", "ci/loaded"]), "");
});

test("every call that may change something is in the audit log, by whom, without secrets", async () => {
  await root.ok([
    "run",
    "--rm",
    "--name",
    "audited",
    "-e",
    "PASSWORD=hunter2",
    "-l",
    "key=hunter2",
    IMAGE,
    "echo",
    "hunter2",
  ]);
  const text = await readFile(directory.join("audit.log"), "utf8");
  assert.ok(!text.includes("hunter2"));
  assert.equal((await stat(directory.join("audit.log"))).mode & 0o777, 0o600);
  const entries = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as AuditEntry);
  const created = entries.filter(({ query }) => query?.["name"] === "audited");
  assert.deepEqual(
    created.map(({ phase, status, socket, method }) => ({ phase, status, socket, method })),
    [
      { phase: "request", status: undefined, socket: "engine", method: "POST" },
      { phase: "answer", status: 201, socket: "engine", method: "POST" },
    ],
  );
  assert.equal(created[0]?.details?.["Image"], IMAGE);
  assert.equal(created[0]?.peer?.uid, 0);
  assert.ok((created[0]?.peer?.pid ?? 0) > 1);
  const refused = entries.find(({ socket, status }) => socket === "free" && status === 403);
  assert.equal(refused?.phase, "answer");
  const reads = entries.filter(({ method, path }) => ["GET", "HEAD"].includes(method) && !path.endsWith("/attach/ws"));
  assert.deepEqual(reads, []);
});

test("sockets are made, listed and removed while the engine runs", async () => {
  const path = directory.join("extra.sock");
  const make = (body: object) => engine.client.call("POST", "/boxship/sockets", { body });
  assert.equal((await make({ Name: "extra", Role: "read-only", Path: path })).status, 201);
  assert.equal((await make({ Name: "extra", Role: "read-only" })).status, 409);
  assert.equal((await make({ Name: "bad", Role: "admin" })).status, 400);
  assert.equal((await make({ Name: "file", Role: "confined", Path: directory.join("config.yaml") })).status, 409);
  assert.equal((await make({ Name: "taken", Role: "confined", Path: engine.socketPath })).status, 409);
  const names = (await engine.client.json<{ Name: string }[]>("GET", "/boxship/sockets")).map(({ Name }) => Name);
  assert.deepEqual(names.sort(), ["extra", "free", "look", "team-a", "team-b"]);
  assert.equal((await stat(path)).mode & 0o777, 0o660);
  using client = new EngineClient(path);
  assert.equal((await client.call("GET", "/containers/json")).status, 200);
  assert.equal((await client.call("POST", "/boxship/sockets", { body: { Name: "up", Role: "confined" } })).status, 403);
  assert.equal((await engine.client.call("DELETE", "/boxship/sockets/look")).status, 409);
  assert.equal((await engine.client.call("DELETE", "/boxship/sockets/extra")).status, 204);
  await assert.rejects(stat(path), { code: "ENOENT" });
});

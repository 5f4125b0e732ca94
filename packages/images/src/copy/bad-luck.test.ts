import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { mount } from "@boxship/kernel";
import { createRegistryClient, type RegistryClientOptions } from "@boxship/oci";
import {
  faultyProxy,
  pushFixture,
  runProgram,
  startRegistry,
  type TempDir,
  type TestRegistry,
  tempDir,
} from "@boxship/testkit";
import { endHashWorkers } from "../transport/hash-file.ts";
import { parseImageName } from "../transport/image-name.ts";
import { openDestination, openSource } from "../transport/open.ts";
import { copyImage } from "./copy-image.ts";

let directory: TempDir;
let registry: TestRegistry;
let second: TestRegistry;

const engine = {
  save: () => Promise.reject(new Error("there is no engine")),
  load: () => Promise.reject(new Error("there is no engine")),
};

before(async () => {
  directory = tempDir("bad-luck");
  const options = { environment: { REGISTRY_HTTP_RELATIVEURLS: "true" } };
  [registry, second] = await Promise.all([startRegistry(options), startRegistry(options)]);
  const layer = (bytes: number) => ({ entries: [{ name: "data", content: randomBytes(bytes) }] });
  await Promise.all([
    pushFixture(registry, "big:1", { layers: [layer(3_000_000), layer(1000)] }),
    pushFixture(registry, "larger:1", { layers: [layer(6_000_000), layer(1000)] }),
    pushFixture(registry, "old:1", { layers: [layer(1000)] }),
  ]);
});

after(async () => {
  await endHashWorkers();
  await second?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
  await directory?.[Symbol.asyncDispose]();
});

async function copy(from: string, to: string, options: RegistryClientOptions = {}): Promise<void> {
  await using client = createRegistryClient({ retry: { baseMs: 5, maxMs: 20 }, ...options });
  const [source, destination] = [parseImageName(from), parseImageName(to)];
  await using input = await openSource(source, { client, engine });
  await using output = await openDestination(destination, {
    client,
    engine,
    from: source.transport === "docker" ? source.reference : undefined,
  });
  await copyImage({ source: input, destination: output });
}

const rawOf = async (name: string) => {
  const { status, stdout, stderr } = await runProgram(["skopeo", "inspect", "--raw", "--tls-verify=false", name]);
  equal(status, 0, stderr);
  return stdout;
};

const temporary = (root: string) => readdirSync(root).filter((name) => name.startsWith(".boxship-images-"));
/** One place of each kind below a directory. */
const places = (root: string) => [
  `oci:${root}/layout:new`,
  `dir:${root}/dir/new`,
  `docker-archive:${root}/docker.tar:a:1`,
  `oci-archive:${root}/oci.tar:x`,
];

/** Copies to several places at once in a process of its own, which is killed once it waits for the rest of each layer. */
async function killedMidway(host: string, targets: readonly string[], temp: string, stalled: () => boolean) {
  const script = `
    import { createRegistryClient } from ${JSON.stringify(import.meta.resolve("@boxship/oci"))};
    import { copyImage } from ${JSON.stringify(import.meta.resolve("./copy-image.ts"))};
    import { parseImageName } from ${JSON.stringify(import.meta.resolve("../transport/image-name.ts"))};
    import { openDestination, openSource } from ${JSON.stringify(import.meta.resolve("../transport/open.ts"))};
    const client = createRegistryClient();
    console.log("ready");
    await Promise.all(${JSON.stringify(targets)}.map(async (to) => {
      const source = await openSource(parseImageName("docker://${host}/big:1"), { client });
      const destination = await openDestination(parseImageName(to), { client });
      await copyImage({ source, destination });
    }));
    console.log("done");`;
  const file = join(temp, "copy.mjs");
  writeFileSync(file, script);
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", file], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, TMPDIR: temp },
  });
  const ended = once(child, "close");
  let output = "";
  child.stdout.on("data", (data: Buffer) => {
    output += data.toString();
  });
  while (!stalled() && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 10));
  child.kill("SIGKILL");
  deepEqual(await ended, [null, "SIGKILL"]);
  equal(output, "ready\n");
}

test("kill -9 on the way leaves what was there, nothing that looks whole, and the next run clears the rest away", async () => {
  const root = directory.join("killed");
  for (const name of ["", "temp", "dir"]) mkdirSync(join(root, name));
  await copy(`docker://${registry.host}/old:1`, `oci:${root}/layout:old`);
  await copy(`docker://${registry.host}/old:1`, `dir:${root}/dir/new`);
  const old = readFileSync(join(root, "dir/new/manifest.json"), "utf8");
  await using proxy = await faultyProxy(registry, ({ method, path }) =>
    method === "GET" && path.includes("/blobs/") ? { kind: "stall", after: 500 } : undefined,
  );
  const targets = [...places(root), `docker://${second.host}/killed:1`];
  const asked = () => proxy.requests.filter(({ method, path }) => method === "GET" && path.includes("/blobs/"));
  await killedMidway(proxy.host, targets, join(root, "temp"), () => asked().length >= 2 * targets.length);

  equal(await rawOf(`oci:${root}/layout:old`), old);
  equal(readFileSync(join(root, "dir/new/manifest.json"), "utf8"), old);
  ok(!existsSync(join(root, "docker.tar")) && !existsSync(join(root, "oci.tar")));
  deepEqual([temporary(root).length, temporary(join(root, "layout")).length], [2, 1]);
  await rejects(rawOf(`docker://${second.host}/killed:1`), /manifest unknown/);
  await rejects(rawOf(`oci:${root}/layout:new`), /no descriptor found/);

  const [TMPDIR] = [process.env["TMPDIR"]];
  process.env["TMPDIR"] = join(root, "temp");
  try {
    for (const to of targets) await copy(`docker://${registry.host}/big:1`, to);
  } finally {
    if (TMPDIR === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = TMPDIR;
  }
  const wanted = await rawOf(`docker://${registry.host}/big:1`);
  for (const from of [`oci:${root}/layout:new`, `dir:${root}/dir/new`, `docker://${second.host}/killed:1`])
    equal(await rawOf(from), wanted);
  for (const place of [root, join(root, "layout"), join(root, "dir/new"), join(root, "temp")])
    deepEqual(temporary(place), [], place);
  // Whole: skopeo verifies each blob on its way.
  for (const from of places(root)) {
    const { status, stderr } = await runProgram(["skopeo", "copy", "-q", from, `dir:${root}/check`]);
    equal(status, 0, stderr);
    rmSync(join(root, "check"), { recursive: true });
  }
});

test("a full disk is said, leaves nothing half, and what comes later goes through", async () => {
  const root = directory.join("full");
  mkdirSync(root);
  mount({ source: "boxship-full", target: root, type: "tmpfs", data: "size=10m" });
  const layout = directory.join("full-source");
  await copy(`docker://${registry.host}/big:1`, `oci:${layout}:big`);
  for (const from of [`docker://${registry.host}/big:1`, `oci:${layout}:big`]) {
    for (const to of places(root)) {
      mkdirSync(join(root, "dir"));
      writeFileSync(join(root, "filler"), Buffer.alloc(8_500_000));
      await rejects(copy(from, to), { code: "ResourceExhausted", message: /no space left/ });
      deepEqual(temporary(root), []);
      for (const name of ["docker.tar", "oci.tar", "layout/index.json", "dir/new/manifest.json"])
        ok(!existsSync(join(root, name)), `${from} to ${to}: ${name}`);
      rmSync(join(root, "filler"));
      await copy(from, to);
      const { status, stderr } = await runProgram(["skopeo", "copy", "-q", to, `dir:${directory.join("full-check")}`]);
      equal(status, 0, stderr);
      for (const name of readdirSync(root)) rmSync(join(root, name), { recursive: true });
      rmSync(directory.join("full-check"), { recursive: true });
    }
  }
});

const layersOf = (raw: string) => (JSON.parse(raw) as { layers: { digest: string; size: number }[] }).layers;
const ranged = ({ headers }: { headers: { range?: string } }) => /^bytes=\d{5}/.test(headers.range ?? "");

for (const ranges of [true, false]) {
  test(`a layer is passed on while it arrives, over cut lines, from a registry with${ranges ? "" : "out"} ranges`, async () => {
    await using from = await faultyProxy(registry, ({ method, path, earlier }) => {
      if (method !== "GET" || !path.includes(large)) return undefined;
      if (earlier === 0) return { kind: "cut", after: 4_000_000 };
      return ranges ? undefined : { kind: "ignore-range" };
    });
    let cuts = 0;
    await using to = await faultyProxy(second, ({ method }) =>
      method === "PATCH" && cuts++ === 0 ? { kind: "cut", after: 0 } : undefined,
    );
    const wanted = await rawOf(`docker://${registry.host}/larger:1`);
    const large = layersOf(wanted)[0]?.digest ?? "";
    const name = `passed-${ranges}`;
    await copy(`docker://${from.host}/larger:1`, `docker://${to.host}/${name}:1`, { uploadChunkBytes: 300_000 });
    equal(await rawOf(`docker://${second.host}/${name}:1`), wanted);
    equal(to.requests.filter(({ method }) => method === "PATCH").length, 2);
    ok(from.requests.some(ranged));
    for (const { digest, size } of layersOf(wanted)) {
      const body = await fetch(`http://${second.host}/v2/${name}/blobs/${digest}`);
      equal((await body.arrayBuffer()).byteLength, size);
    }
  });
}

const LIES = [
  { fault: { kind: "corrupt", at: 10 }, error: { code: "InvalidArgument", message: /wrong content/ } },
  { fault: { kind: "resize", by: 5 }, error: { code: "InvalidArgument", message: /wrong content/ } },
  { fault: { kind: "truncate", after: 0 }, error: { code: "Unavailable", message: /cannot be reached/ } },
  { fault: { kind: "status", status: 403 }, error: { code: "PermissionDenied" } },
  { fault: { kind: "status", status: 500 }, error: { code: "Unavailable", message: /500/ } },
] as const;

test("a layer that turns out to be another on its way from registry to registry never gets there", async () => {
  for (const [index, { fault, error }] of LIES.entries()) {
    // Both sizes: one goes by memory, and one passes through.
    for (const name of ["big", "larger"]) {
      await using from = await faultyProxy(registry, ({ method, path }) =>
        method === "GET" && path.includes("/blobs/") ? fault : undefined,
      );
      await using to = await faultyProxy(second, () => undefined);
      const target = `${to.host}/lies/${name}-${index}:1`;
      await rejects(copy(`docker://${from.host}/${name}:1`, `docker://${target}`), error, `${name}: ${fault.kind}`);
      const [layer] = layersOf(await rawOf(`docker://${registry.host}/${name}:1`));
      const blob = `http://${second.host}/v2/lies/${name}-${index}/blobs/${layer?.digest}`;
      equal((await fetch(blob, { method: "HEAD" })).status, 404, `${name}: ${fault.kind}`);
      await rejects(rawOf(`docker://${second.host}/${target}`));
    }
  }
});

test("what the registry has in another repository is mounted, not sent", async () => {
  await using proxy = await faultyProxy(registry, () => undefined);
  await copy(`docker://${proxy.host}/big:1`, `docker://${proxy.host}/copied:1`);
  const mounts = proxy.requests.filter(({ method, path }) => method === "POST" && /[?&]mount=sha256/.test(path));
  equal(mounts.length, 3);
  for (const { path } of mounts) match(path, /from=big/);
  const sent = proxy.requests.filter(({ method, path }) => /PATCH|PUT/.test(method) && path.includes("/blobs/"));
  const fetched = proxy.requests.filter(({ method, path }) => method === "GET" && path.includes("/blobs/"));
  deepEqual([sent.length, fetched.length], [0, 0]);
  equal(await rawOf(`docker://${registry.host}/copied:1`), await rawOf(`docker://${registry.host}/big:1`));
});

test("an archive is not written over by one whose layer is damaged", async () => {
  const layout = directory.join("damaged");
  await copy(`docker://${registry.host}/big:1`, `oci:${layout}:big`);
  await copy(`oci:${layout}:big`, `oci-archive:${directory.join("whole.tar")}:x`);
  const whole = readFileSync(directory.join("whole.tar"));
  const blobs = join(layout, "blobs/sha256");
  for (const name of readdirSync(blobs)) {
    const bytes = readFileSync(join(blobs, name));
    if (bytes.length < 3_000_000) continue;
    bytes[1_000_000] = (bytes[1_000_000] ?? 0) ^ 1;
    writeFileSync(join(blobs, name), bytes);
  }
  for (const to of [`oci-archive:${directory.join("whole.tar")}:x`, `dir:${directory.join("damaged-dir")}`]) {
    await rejects(copy(`oci:${layout}:big`, to), { code: "InvalidArgument", message: /is damaged/ });
  }
  ok(readFileSync(directory.join("whole.tar")).equals(whole));
  ok(!existsSync(directory.join("damaged-dir/manifest.json")));
  deepEqual(temporary(directory.path), []);
});

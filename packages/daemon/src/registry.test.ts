import assert from "node:assert/strict";
import { appendFile, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { InvalidArgument } from "@boxship/base";
import { type Boxship, runProgram, startBoxship, tempDir } from "@boxship/testkit";
import { loopbackAddress } from "./registry.ts";

/** `127.0.0.1:PORT`, as the daemon that runs now said it. */
async function registryOf(engine: Boxship): Promise<string> {
  const said = [...(await readFile(engine.log, "utf8")).matchAll(/"port":(\d+)\},"msg":"serving the images/g)];
  return `127.0.0.1:${said.at(-1)?.[1] ?? assert.fail(await readFile(engine.log, "utf8"))}`;
}

interface Checked {
  readonly store: { readonly images: number; readonly problems: readonly { readonly problem: string }[] };
  readonly registry?: { readonly manifests: number; readonly tags: number; readonly problems: readonly object[] };
}

async function skopeo(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await runProgram(["skopeo", ...args]);
  assert.equal(status, 0, stderr);
  return stdout;
}

const blobsOf = ({ root }: Boxship) => readdir(join(root, "content", "blobs", "sha256"));

test("the engine's images are served, and what is pushed is there for run", async () => {
  await using directory = tempDir("engine-registry");
  const config = directory.join("config.yaml");
  await writeFile(config, "registry: { listen: '127.0.0.1:0' }\n");
  await using engine = await startBoxship({ flags: ["--config", config] });
  const { client } = engine;
  await client.call("POST", "/boxship/images/bootstrap?kind=busybox");
  const before = await blobsOf(engine);
  const host = await registryOf(engine);

  const { repositories } = (await (await fetch(`http://${host}/v2/_catalog`)).json()) as { repositories: string[] };
  assert.deepEqual(repositories, ["library/busybox"]);
  const url = `http://${host}/v2/library/busybox/manifests/latest`;
  const digest = (await fetch(url)).headers.get("docker-content-digest") ?? "";
  assert.deepEqual(
    JSON.parse(await skopeo("list-tags", "--tls-verify=false", `docker://${host}/library/busybox`)).Tags,
    ["latest"],
  );
  await skopeo("copy", "--src-tls-verify=false", `docker://${host}/library/busybox`, `dir:${directory.join("out")}`);
  assert.deepEqual(await blobsOf(engine), before, "nothing was copied to be served");
  assert.equal((await fetch(url.replace("latest", digest), { method: "DELETE" })).status, 405);

  const both = ["--preserve-digests", "--src-tls-verify=false", "--dest-tls-verify=false"];
  await skopeo("copy", ...both, `docker://${host}/library/busybox`, `docker://${host}/team/app:v1`);
  assert.deepEqual(await blobsOf(engine), before, "what is there is not stored again");
  const name = `${host}/team/app:v1`;
  const created = await client.json<{ Id: string }>("POST", "/containers/create", {
    Image: name,
    Cmd: ["true"],
    HostConfig: { NetworkMode: "none" },
  });
  await client.json("POST", `/containers/${created.Id}/start`);
  const ended = await client.json<{ StatusCode: number }>("POST", `/containers/${created.Id}/wait`);
  assert.equal(ended.StatusCode, 0);
  await client.json("DELETE", `/containers/${created.Id}`);

  const check = (repair = "") => client.json<Checked>("POST", `/boxship/system/check${repair}`);
  const clean = await check();
  assert.deepEqual([clean.store.problems, clean.registry?.problems], [[], []]);
  assert.deepEqual([clean.store.images, clean.registry?.manifests, clean.registry?.tags], [1, 1, 1]);

  // The engine forgets its images; what was pushed stays in the registry, through a crash and the sweeps.
  await client.json("DELETE", "/images/busybox");
  await client.json("DELETE", `/images/${name}?force=1`);
  await engine.crash();
  await engine.start();
  await client.json("POST", "/images/prune");
  const again = await registryOf(engine);
  await skopeo("copy", "--src-tls-verify=false", `docker://${again}/team/app:v1`, `dir:${directory.join("again")}`);
  const pulled = await client.call(
    "POST",
    `/images/create?fromImage=${encodeURIComponent(`${again}/team/app`)}&tag=v1`,
  );
  assert.match(pulled.text, /Digest: sha256:/);

  const gone = await fetch(`http://${again}/v2/team/app/manifests/v1`, { method: "DELETE" });
  assert.equal(gone.status, 202);
  assert.equal((await fetch(`http://${again}/v2/team/app/manifests/v1`)).status, 404);
  assert.equal((await client.call("GET", `/images/${again}/team/app:v1/json`)).status, 404);
});

test("a store that was damaged is told of, and mended as far as it can be", async () => {
  await using engine = await startBoxship();
  const { client } = engine;
  await client.call("POST", "/boxship/images/bootstrap?kind=busybox");
  const check = (repair = "") => client.json<Checked>("POST", `/boxship/system/check${repair}`);
  assert.deepEqual((await check()).store.problems, []);
  const blobs = join(engine.root, "content", "blobs", "sha256");
  const sized = await Promise.all(
    (await blobsOf(engine)).map(async (name) => ({ name, size: (await stat(join(blobs, name))).size })),
  );
  const { name = "" } = sized.toSorted((a, b) => b.size - a.size)[0] ?? {};
  const layer = `sha256:${name}`;
  await appendFile(join(blobs, name), "x");
  const told = (await check()).store.problems;
  assert.deepEqual(
    told.map(({ problem }) => problem),
    ["blob is corrupt", `layer ${layer} is lost`],
  );
  assert.equal((await check("?repair=1")).store.problems.length, 2);
  assert.deepEqual(
    (await check()).store.problems.map(({ problem }) => problem),
    [`layer ${layer} is lost`],
  );
  await client.call("POST", "/boxship/images/bootstrap?kind=busybox");
  assert.deepEqual((await check()).store.problems, []);
});

test("only this machine may be served by the engine", () => {
  assert.deepEqual(loopbackAddress("[::1]:5000"), { host: "::1", port: 5000 });
  for (const listen of ["0.0.0.0:5000", ":5000", "example.org:5000", "127.0.0.1", "127.0.0.1:70000"]) {
    assert.throws(() => loopbackAddress(listen), InvalidArgument);
  }
});

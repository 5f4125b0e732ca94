import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import {
  type Boxship,
  busyboxEntries,
  makeTar,
  pushFixture,
  runProgram,
  startBoxship,
  startRegistry,
  tempDir,
} from "@boxship/testkit";

/** How often the daemon is killed while it makes images. */
const rounds = Math.ceil(Number(process.env["BOXSHIP_CRASHES"] ?? 50) / 5);
const longest = 400;

interface Image {
  readonly Id: string;
  readonly RepoTags: readonly string[];
}

/** The API by curl, which can send files. Fails when the daemon dies or refuses. */
async function send(engine: Boxship, path: string, ...more: readonly string[]): Promise<string> {
  const url = `http://engine${path}`;
  const curl = ["curl", "-sS", "--fail-with-body", "--unix-socket", engine.socketPath, "-X", "POST", ...more, url];
  const { status, stdout, stderr } = await runProgram(curl);
  if (status !== 0 || stdout.includes('"errorDetail"')) throw new Error(`${path}: ${stdout}${stderr}`);
  return stdout;
}

const tagsOf = async (engine: Boxship) =>
  (await engine.client.json<readonly Image[]>("GET", "/images/json")).flatMap(({ RepoTags }) => RepoTags);

test(`killed ${rounds} times while images are loaded, imported, committed and pushed, the daemon keeps what it said`, {
  timeout: 300_000,
}, async () => {
  await using files = tempDir("archive-crash");
  await using registry = await startRegistry();
  await using engine = await startBoxship();
  const layers = [
    { entries: await busyboxEntries() },
    { entries: [{ name: "filler", content: randomBytes(20 << 20) }] },
  ];
  const { reference } = await pushFixture(registry, "crash/base:1", { layers });
  await engine.client.call("POST", `/images/create?fromImage=${encodeURIComponent(reference)}`);
  await engine.client.json("POST", `/images/${reference}/tag?repo=base&tag=1`);
  const [saved, tree] = [files.join("saved.tar"), files.join("tree.tar")];
  await runProgram(["curl", "-sS", "--unix-socket", engine.socketPath, "-o", saved, "http://engine/images/base:1/get"]);
  await writeFile(tree, makeTar([{ name: "imported", content: randomBytes(20 << 20) }]));
  const { Id } = await engine.client.json<{ Id: string }>("POST", "/containers/create", {
    Image: "base:1",
    Cmd: ["sh", "-c", "head -c 20000000 /dev/urandom > /made"],
    HostConfig: { NetworkMode: "none" },
  });
  await engine.client.json("POST", `/containers/${Id}/start`);
  await engine.client.json("POST", `/containers/${Id}/wait`);

  const acknowledged = new Set<string>(["base:1"]);
  const noting = async (tag: string, work: Promise<string>) => {
    await work;
    acknowledged.add(tag);
  };
  for (let round = 0; round < rounds; round++) {
    const target = `${registry.host}/crash/pushed${round}`;
    await engine.client.json("POST", `/images/base:1/tag?repo=${encodeURIComponent(target)}&tag=1`);
    acknowledged.add(`${target}:1`);
    await engine.client.call("DELETE", "/images/reloaded:1?force=1");
    const working = Promise.allSettled([
      send(engine, "/images/load?quiet=1", "-T", saved),
      noting(`imported:${round}`, send(engine, `/images/create?fromSrc=-&repo=imported&tag=${round}`, "-T", tree)),
      noting(`committed:${round}`, send(engine, `/commit?container=${Id}&repo=committed&tag=${round}`)),
      send(engine, `/images/${target}/push?tag=1`),
    ]);
    await delay(Math.random() * longest);
    await engine.crash();
    await working;
    await engine.start();
    const tags = await tagsOf(engine);
    for (const tag of acknowledged) assert.ok(tags.includes(tag), `${tag} was made and is lost`);
    for (const tag of tags) acknowledged.add(tag);
  }

  // Whatever is there is whole, and everything can be done now.
  for (const tag of await tagsOf(engine)) {
    const path = files.join("check.tar");
    const url = `http://engine/images/${tag}/get`;
    const { status } = await runProgram(["curl", "-sS", "--fail", "--unix-socket", engine.socketPath, "-o", path, url]);
    assert.equal(status, 0, tag);
    await send(engine, "/images/load?quiet=1", "-T", path);
  }
  await send(engine, `/commit?container=${Id}&repo=committed&tag=last`);
  const pushed = await send(engine, `/images/${registry.host}/crash/pushed0/push?tag=1`);
  assert.match(pushed, /digest: sha256:/);
  const run = await engine.client.json<{ Id: string }>("POST", "/containers/create", {
    Image: "committed:last",
    Cmd: ["test", "-s", "/made"],
    HostConfig: { NetworkMode: "none" },
  });
  await engine.client.json("POST", `/containers/${run.Id}/start`);
  const { StatusCode } = await engine.client.json<{ StatusCode: number }>("POST", `/containers/${run.Id}/wait`);
  assert.equal(StatusCode, 0);

  // With the images goes all of their content; what a killed daemon had begun waits for its age.
  for (const id of [Id, run.Id]) await engine.client.json("DELETE", `/containers/${id}?force=1`);
  await engine.client.json("POST", `/images/prune?filters=${encodeURIComponent('{"dangling":["false"]}')}`);
  const blobs = join(engine.root, "content/blobs/sha256");
  assert.deepEqual(existsSync(blobs) ? await readdir(blobs) : [], []);
  assert.deepEqual(await readdir(join(engine.root, "snapshots/layers")), []);
});

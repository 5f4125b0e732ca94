import assert from "node:assert/strict";
import { once } from "node:events";
import { Readable, Writable } from "node:stream";
import { after, before, test } from "node:test";
import { makeTar, pushFixture, startRegistry } from "@boxship/testkit";
import Docker from "dockerode";
import { type EngineUnderTest, IMAGE, startEngineUnderTest } from "../testing/engine-under-test.ts";

let engine: EngineUnderTest;
let docker: Docker;
before(async () => {
  engine = await startEngineUnderTest();
  docker = new Docker({ socketPath: engine.socketPath });
});
after(() => engine[Symbol.asyncDispose]());

/** Collects what is written to it. */
class Sink extends Writable {
  text = "";
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

/** Both outputs of a multiplexed stream, once it has ended. */
async function outputs(stream: NodeJS.ReadableStream): Promise<{ readonly out: string; readonly err: string }> {
  const [out, err] = [new Sink(), new Sink()];
  docker.modem.demuxStream(stream, out, err);
  await once(stream, "end");
  return { out: out.text, err: err.text };
}

async function bytes(stream: NodeJS.ReadableStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

test("dockerode: run with output and status, attach with stdin, logs, wait, remove", async () => {
  const [out, err] = [new Sink(), new Sink()];
  const [result, ran] = (await docker.run(IMAGE, ["sh", "-c", "echo a; echo b >&2; exit 3"], [out, err], {
    Tty: false,
    HostConfig: { NetworkMode: "none" },
  })) as [{ StatusCode: number }, Docker.Container];
  assert.deepEqual([result.StatusCode, out.text, err.text], [3, "a\n", "b\n"]);
  await ran.remove();

  const cat = await docker.createContainer({
    Image: IMAGE,
    Cmd: ["cat"],
    OpenStdin: true,
    StdinOnce: true,
    HostConfig: { NetworkMode: "none" },
  });
  const stream = await cat.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true });
  const seen = outputs(stream);
  await cat.start();
  stream.end("through the pipe\n");
  assert.equal((await cat.wait()).StatusCode, 0);
  assert.deepEqual(await seen, { out: "through the pipe\n", err: "" });
  const logged = await cat.logs({ stdout: true, stderr: true, timestamps: true });
  assert.match(logged.toString("latin1"), /T[\d:.]+Z through the pipe/);
  await cat.remove({ v: true });
  await assert.rejects(cat.inspect(), { statusCode: 404, reason: "no such container" });
});

test("dockerode: exec, archives, stats, top, changes, update, rename, commit, export", async () => {
  const container = await docker.createContainer({
    Image: IMAGE,
    name: "rode",
    Cmd: ["sh", "-c", "trap exit TERM; while :; do sleep 0.1; done"],
    HostConfig: { NetworkMode: "none" },
  });
  await container.start();
  const exec = await container.exec({
    Cmd: ["sh", "-c", "cat; echo $X >&2; exit 7"],
    Env: ["X=y"],
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
  });
  const stream = await exec.start({ hijack: true, stdin: true });
  const seen = outputs(stream);
  stream.end("to stdin");
  assert.deepEqual(await seen, { out: "to stdin", err: "y\n" });
  assert.equal((await exec.inspect()).ExitCode, 7);

  const archive = makeTar([{ name: "hello.txt", content: "copied" }]);
  await container.putArchive(Readable.from([archive]), { path: "/tmp" });
  const back = await bytes(await container.getArchive({ path: "/tmp/hello.txt" }));
  assert.ok(back.includes("copied"));
  const changes = (await container.changes()) as { Path: string; Kind: number }[];
  assert.ok(changes.some(({ Path, Kind }) => Path === "/tmp/hello.txt" && Kind === 1));

  const stats = await container.stats({ stream: false });
  assert.ok(stats.memory_stats.usage > 0);
  const detail = stats.memory_stats.stats as unknown as Readonly<Record<string, number>>;
  if ("hierarchical_memory_limit" in detail) assert.equal(typeof detail["total_inactive_file"], "number");
  assert.ok((await container.top()).Processes.length > 0);
  await container.update({ Memory: 64 << 20, MemorySwap: -1 });
  assert.equal((await container.inspect()).HostConfig.Memory, 64 << 20);
  await container.rename({ name: "rode-2" });
  const { Id: image } = (await container.commit({ repo: "rode/image", tag: "1" })) as { Id: string };
  assert.equal((await docker.getImage("rode/image:1").inspect()).Id, image);
  assert.ok((await bytes(await container.export())).length > 1 << 20);
  const listed = await docker.listContainers({ filters: { name: ["rode-2"] } });
  assert.deepEqual(listed[0]?.Names, ["/rode-2"]);
  await container.stop({ t: 5 });
  await container.remove();
  await docker.getImage("rode/image:1").remove();
});

test("dockerode: networks with aliases, volumes, events as they happen", async () => {
  const events: { Type: string; Action: string }[] = [];
  const stream = await docker.getEvents({ filters: { type: ["network", "volume"] } });
  stream.on("data", (chunk: Buffer) => {
    for (const line of chunk.toString().trim().split("\n")) events.push(JSON.parse(line) as (typeof events)[number]);
  });
  const network = await docker.createNetwork({ Name: "rode-net", CheckDuplicate: true, Labels: { by: "dockerode" } });
  const volume = await docker.createVolume({ Name: "rode-data", Labels: { by: "dockerode" } });
  const server = await docker.createContainer({
    Image: IMAGE,
    Cmd: ["sh", "-c", "echo found >/data/x; while :; do nc -l -p 99 </data/x; done"],
    HostConfig: { Binds: ["rode-data:/data"] },
    NetworkingConfig: { EndpointsConfig: { "rode-net": { Aliases: ["db"] } } },
  });
  await server.start();
  const out = new Sink();
  const [{ StatusCode }] = (await docker.run(IMAGE, ["sh", "-c", "until nc db 99; do sleep 0.1; done"], out, {
    HostConfig: { NetworkMode: "rode-net", AutoRemove: true },
  })) as [{ StatusCode: number }];
  assert.deepEqual([StatusCode, out.text.trim()], [0, "found"]);
  await network.disconnect({ Container: server.id });
  await network.connect({ Container: server.id, EndpointConfig: { Aliases: ["again"] } });
  const { NetworkSettings } = await server.inspect();
  assert.ok(NetworkSettings.Networks["rode-net"]?.Aliases?.includes("again"));
  await server.remove({ force: true });
  await volume.remove();
  await network.remove();
  while (!events.some(({ Type, Action }) => Type === "network" && Action === "destroy")) {
    await new Promise((done) => setTimeout(done, 10));
  }
  (stream as Readable).destroy();
  const seen = new Set(events.map(({ Type, Action }) => `${Type} ${Action}`));
  for (const wanted of ["network create", "volume create", "network connect", "network disconnect", "volume destroy"]) {
    assert.ok(seen.has(wanted), wanted);
  }
});

test("dockerode: pull with progress, tag, push, save and load, prune, df", async () => {
  await using registry = await startRegistry();
  const { reference } = await pushFixture(registry, "rode:1", { layers: [{ entries: [{ name: "f", content: "x" }] }] });
  const progress = async (stream: NodeJS.ReadableStream): Promise<{ readonly status?: string }[]> =>
    new Promise((done, fail) =>
      docker.modem.followProgress(stream, (error, output) => {
        if (error === null) done(output as { readonly status?: string }[]);
        else fail(error);
      }),
    );
  const pulled = await progress(await docker.pull(reference));
  assert.match(pulled.at(-1)?.status ?? "", /Downloaded newer image/);
  const repository = reference.replace(/:1$/, "");
  await docker.getImage(reference).tag({ repo: repository, tag: "2" });
  const pushed = await progress(await docker.getImage(`${repository}:2`).push({ tag: "2" }));
  assert.ok(pushed.some(({ status = "" }) => /digest: sha256:/.test(status)));
  const archive = await bytes(await docker.getImage(`${repository}:2`).get());
  await docker.getImage(`${repository}:2`).remove();
  const loaded = await progress(await docker.loadImage(Readable.from([archive])));
  assert.match(JSON.stringify(loaded), /Loaded image/);
  assert.equal((await docker.getImage(`${repository}:2`).history()).length, 1);
  await docker.getImage(`${repository}:2`).remove();
  await docker.getImage(reference).remove();
  await docker.pruneContainers();
  assert.deepEqual((await docker.pruneVolumes()).VolumesDeleted, []);
  const { Images } = (await docker.df()) as { Images: unknown[] };
  assert.equal(Images.length, 1);
});

test("dockerode: errors have status, message and reason", async () => {
  const absent = docker.createContainer({ Image: "e2e/absent:1", Cmd: ["true"] });
  await assert.rejects(absent, (error: { statusCode: number; json: { message: string } }) => {
    assert.equal(error.statusCode, 404);
    assert.match(error.json.message, /No such image: e2e\/absent:1/);
    return true;
  });
  await docker.createContainer({ Image: IMAGE, name: "twice", Cmd: ["true"] });
  await assert.rejects(docker.createContainer({ Image: IMAGE, name: "twice", Cmd: ["true"] }), { statusCode: 409 });
  await docker.getContainer("twice").remove();
});

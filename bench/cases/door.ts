import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { type EngineClient, repositoryRoot, runProgram } from "@boxship/testkit";
import type { Context } from "../context.ts";
import type { Benchmark } from "../harness.ts";

/** What clients do through the door all day, beside Docker: streams, lists, copies, stacks. */

interface Created {
  readonly Id: string;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

async function start(client: EngineClient, body: object, stack: AsyncDisposableStack): Promise<string> {
  const { Id } = await client.json<Created>("POST", "/containers/create", body);
  stack.defer(() => client.json("DELETE", `/containers/${Id}?force=1`));
  await client.json("POST", `/containers/${Id}/start`);
  return Id;
}

const ROUND_TRIPS = 200;

const attach: Benchmark<Context> = {
  name: "attach",
  title: `${ROUND_TRIPS} round trips of one line through an attached cat`,
  unit: "ms",
  rounds: 15,
  targets: [{ side: "boxship", against: "docker", atMost: 1 }],
  async prepare(context, stack) {
    const image = await context.image();
    return Promise.all(
      (await context.engines()).map(async ({ name, client }) => {
        const body = { Image: image, Cmd: ["cat"], OpenStdin: true, HostConfig: { NetworkMode: "none" } };
        const id = await start(client, body, stack);
        const stream = await client.hijack(`/containers/${id}/attach?stream=1&stdin=1&stdout=1`, {});
        stack.defer(() => void stream.destroy());
        const roundTrip = () =>
          new Promise<void>((done) => {
            stream.once("data", () => done());
            stream.write("line\n");
          });
        const measure = async () => {
          for (let trip = 0; trip < ROUND_TRIPS; trip++) await roundTrip();
        };
        return { name, measure: () => timed(measure) };
      }),
    );
  },
};

const LISTED = 200;

const list: Benchmark<Context> = {
  name: "ps-200",
  title: `list of ${LISTED} containers, ten times`,
  unit: "ms",
  rounds: 15,
  targets: [{ side: "boxship", against: "docker", atMost: 1 }],
  async prepare(context, stack) {
    const image = await context.image();
    return Promise.all(
      (await context.engines()).map(async ({ name, client }) => {
        for (let made = 0; made < LISTED; made++) {
          const { Id } = await client.json<Created>("POST", "/containers/create", { Image: image, Cmd: ["true"] });
          stack.defer(() => client.json("DELETE", `/containers/${Id}`));
        }
        const measure = async () => {
          for (let round = 0; round < 10; round++) {
            const found = await client.json<unknown[]>("GET", "/containers/json?all=1");
            if (found.length < LISTED) throw new Error(`${found.length} containers are listed`);
          }
        };
        return { name, measure: () => timed(measure) };
      }),
    );
  },
};

const GIGABYTE = 2 ** 30;

async function copyOut(client: EngineClient, id: string): Promise<void> {
  const response = await client.stream("GET", `/containers/${id}/archive?path=/data/big`);
  let size = 0;
  for await (const chunk of response) size += (chunk as Buffer).length;
  if (size < GIGABYTE) throw new Error(`${size} bytes came out`);
}

const copyFrom: Benchmark<Context> = {
  name: "cp-out",
  title: "1 GiB copied out of a container",
  unit: "ms",
  rounds: 3,
  warmUp: 1,
  targets: [{ side: "boxship", against: "docker", atMost: 1 }],
  async prepare(context, stack) {
    const image = await context.image();
    return Promise.all(
      (await context.engines()).map(async ({ name, client }) => {
        const script = "mkdir /data; dd if=/dev/zero of=/data/big bs=1048576 count=1024 2>/dev/null; exec sleep 100000";
        const body = { Image: image, Cmd: ["sh", "-c", script], HostConfig: { NetworkMode: "none" } };
        const id = await start(client, body, stack);
        while ((await client.call("HEAD", `/containers/${id}/archive?path=/data/big`)).status !== 200);
        for (let size = 0; size < GIGABYTE; ) {
          const { headers } = await client.call("HEAD", `/containers/${id}/archive?path=/data/big`);
          const stat = Buffer.from(String(headers["x-docker-container-path-stat"]), "base64").toString();
          size = (JSON.parse(stat) as { size: number }).size;
        }
        return { name, measure: () => timed(() => copyOut(client, id)) };
      }),
    );
  },
};

function upload(socketPath: string, path: string, archive: string): Promise<void> {
  return new Promise((done, fail) => {
    const headers = { "content-type": "application/x-tar" };
    const outgoing = request({ socketPath, method: "PUT", path, headers }, (response) => {
      response.resume();
      response.once("end", () =>
        response.statusCode === 200 ? done() : fail(new Error(`status ${response.statusCode}`)),
      );
    });
    outgoing.once("error", fail);
    pipeline(createReadStream(archive), outgoing).catch(fail);
  });
}

const copyTo: Benchmark<Context> = {
  name: "cp-in",
  title: "1 GiB copied into a container",
  unit: "ms",
  rounds: 3,
  warmUp: 1,
  targets: [{ side: "boxship", against: "docker", atMost: 1 }],
  async prepare(context, stack) {
    const image = await context.image();
    const [file, archive] = [context.work.join("big"), context.work.join("big.tar")];
    const zeros = createWriteStream(file);
    const block = Buffer.alloc(1 << 20);
    await pipeline(
      (function* () {
        for (let written = 0; written < GIGABYTE; written += block.length) yield block;
      })(),
      zeros,
    );
    await runProgram(["tar", "-C", context.work.path, "-cf", archive, "big"]);
    return Promise.all(
      (await context.engines()).map(async ({ name, client }) => {
        const body = { Image: image, Cmd: ["sleep", "100000"], HostConfig: { NetworkMode: "none" } };
        const id = await start(client, body, stack);
        return {
          name,
          measure: () => timed(() => upload(client.socketPath, `/containers/${id}/archive?path=/`, archive)),
        };
      }),
    );
  },
};

const WATCHED = 100;

const stats: Benchmark<Context> = {
  name: "stats-100",
  title: `time until ${WATCHED} streams of statistics have told two samples each`,
  unit: "ms",
  rounds: 3,
  warmUp: 1,
  targets: [{ side: "boxship", against: "docker", atMost: 1 }],
  async prepare(context, stack) {
    const image = await context.image();
    return Promise.all(
      (await context.engines()).map(async ({ name, client }) => {
        const body = { Image: image, Cmd: ["sleep", "100000"], HostConfig: { NetworkMode: "none" } };
        const ids: string[] = [];
        for (let made = 0; made < WATCHED; made++) ids.push(await start(client, body, stack));
        const measure = () => Promise.all(ids.map((id) => twoSamples(client.socketPath, id)));
        return { name, measure: () => timed(measure) };
      }),
    );
  },
};

function twoSamples(socketPath: string, id: string): Promise<void> {
  return new Promise((done, fail) => {
    const outgoing = request({ socketPath, agent: false, path: `/containers/${id}/stats` }, (response) => {
      let lines = 0;
      response.on("data", (chunk: Buffer) => {
        for (const byte of chunk) if (byte === 10) lines++;
        if (lines < 2) return;
        response.destroy();
        done();
      });
      response.once("error", () => done());
    });
    outgoing.once("error", fail);
    outgoing.end();
  });
}

const SERVICES = 10;

const compose: Benchmark<Context> = {
  name: "compose",
  title: `Compose: up and down of ${SERVICES} services on a network of their own`,
  unit: "ms",
  rounds: 3,
  warmUp: 1,
  targets: [{ side: "boxship", against: "docker", atMost: 1 / 3 }],
  async prepare(context) {
    const image = await context.image();
    const directory = context.work.join("compose");
    await mkdir(directory);
    const services = Array.from({ length: SERVICES }, (_, n) => [
      `s${n}`,
      { image, command: ["sh", "-c", "trap exit TERM; while :; do sleep 0.2; done"] },
    ]);
    await writeFile(`${directory}/compose.json`, JSON.stringify({ services: Object.fromEntries(services) as object }));
    const program = resolve(repositoryRoot, ".cache/clients/root/usr/libexec/docker/cli-plugins/docker-compose");
    return (await context.engines()).map(({ name, client }) => {
      const env = { DOCKER_HOST: `unix://${client.socketPath}` };
      const run = async (...args: string[]) => {
        const command = [program, "-f", "compose.json", "-p", "bench", ...args];
        const { status, stderr } = await runProgram(command, { cwd: directory, env });
        if (status !== 0) throw new Error(`compose ${args.join(" ")}: ${stderr}`);
      };
      return {
        name,
        measure: () =>
          timed(async () => {
            await run("up", "-d");
            await run("down");
          }),
      };
    });
  },
};

export const doorBenchmarks: readonly Benchmark<Context>[] = [attach, list, copyFrom, copyTo, stats, compose];

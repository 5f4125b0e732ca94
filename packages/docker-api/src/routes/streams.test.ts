import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { text as readText } from "node:stream/consumers";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { FakeClock, NotFound, PermissionDenied } from "@boxship/base";
import {
  type ContainerStats,
  type EngineEvent,
  LogBlock,
  type Progress,
  type RegistryCredentials,
} from "@boxship/engine";
import { containerView, scriptedEngine } from "../testing/scripted-engine.ts";
import { readUntil, serve } from "../testing/serve.ts";

const lines = (text: string) =>
  text
    .split(/\r?\n/)
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

function event(action: string, time: bigint, change: Partial<EngineEvent> = {}): EngineEvent {
  return {
    type: "container",
    action,
    actor: { id: "abc123", attributes: { image: "bb:1", name: "web", tier: "front" } },
    time,
    ...change,
  };
}

test("events: the past, filters, the fields of old clients, and 64-bit times", async () => {
  const engine = scriptedEngine();
  await using served = await serve(engine);
  engine.emit(event("create", 1_795_219_813_875_814_833n));
  engine.emit(event("exec_create: sh -c x", 1_795_219_814_000_000_001n));
  engine.emit(
    event("connect", 1_795_219_815_000_000_000n, {
      type: "network",
      actor: { id: "n1", attributes: { name: "bridge" } },
    }),
  );
  const get = async (query: string) => (await served.call("GET", `/events?until=1795219999&${query}`)).text;
  const all = await get("since=0");
  assert.match(all, /"timeNano":1795219813875814833\}\n/);
  const first = lines(all)[0] ?? {};
  delete first["timeNano"];
  assert.deepEqual(first, {
    status: "create",
    id: "abc123",
    from: "bb:1",
    Type: "container",
    Action: "create",
    Actor: { ID: "abc123", Attributes: { image: "bb:1", name: "web", tier: "front" } },
    scope: "local",
    time: 1795219813,
  });
  assert.equal(lines(all)[2]?.["status"], undefined);
  const actions = async (filters: object, more = "") =>
    lines(await get(`${more}filters=${encodeURIComponent(JSON.stringify(filters))}`)).map((line) => line["Action"]);
  assert.deepEqual(await actions({ type: ["network"] }), ["connect"]);
  assert.deepEqual(await actions({ event: { exec_create: true, create: true } }), ["create", "exec_create: sh -c x"]);
  assert.deepEqual(await actions({ container: ["web"], event: ["create"] }), ["create"]);
  assert.deepEqual(await actions({ label: ["tier=front"] }), ["create", "exec_create: sh -c x"]);
  assert.deepEqual(await actions({ image: ["bb"] }, "since=1795219814&"), ["exec_create: sh -c x"]);
  assert.deepEqual(await actions({ service: ["x"] }), []);
  assert.equal((await served.call("GET", "/events?since=10&until=5")).status, 400);
  assert.equal((await served.call("GET", "/events?since=x")).status, 400);
});

test("events: live, until a time or until the client goes", async () => {
  const clock = new FakeClock(1000);
  const engine = scriptedEngine();
  await using served = await serve(engine, { clock });
  const answer = served.call("GET", "/events?until=3.5");
  while (clock.waiting === 0) await delay(5);
  engine.emit(event("start", 2_000_000_000n));
  await clock.advance(2000);
  engine.emit(event("die", 3_000_000_000n));
  await clock.advance(1000);
  assert.deepEqual(
    lines((await answer).text).map((line) => line["Action"]),
    ["start", "die"],
  );

  const socket = await served.connect();
  socket.write("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
  await readUntil(socket, "\r\n\r\n");
  socket.destroy();
  while (served.api.active > 0) await delay(5);
});

function blocks(...entries: readonly string[]): AsyncIterable<LogBlock> {
  const time = "2026-01-02T03:04:05.678901234+00:00";
  return Readable.from(entries.map((line) => new LogBlock(Buffer.from(`${time} ${line}\n`))));
}

const THREE_LINES = ["stdout F line 0", "stderr F line 1", "stdout F line 2"];

test("logs: framed, or raw for a terminal, with times; options as they were asked", async () => {
  const asked: unknown[] = [];
  let tty = false;
  let printed: readonly string[] = THREE_LINES;
  await using served = await serve(
    scriptedEngine({
      containers: {
        get: () => Promise.resolve(containerView({ effective: { ...containerView().effective, tty } })),
        logAttributes: () => Promise.resolve({ "b c": "x/(y)", a: "1" }),
        logs: (_ref, options) => (asked.push({ ...options, signal: undefined }), Promise.resolve(blocks(...printed))),
      },
    }),
  );
  const framed = await served.call(
    "GET",
    "/containers/x/logs?stdout=1&stderr=1&timestamps=1&tail=10&since=5.25&until=7",
  );
  assert.equal(framed.headers["content-type"], "application/vnd.docker.multiplexed-stream");
  assert.equal(framed.text.slice(0, 8), "\u0001\0\0\0\0\0\0&");
  assert.equal(framed.text.slice(8, 46), "2026-01-02T03:04:05.678901234Z line 0\n");
  assert.equal(framed.text.slice(46, 54), "\u0002\0\0\0\0\0\0&");
  assert.deepEqual(asked[0], {
    stdout: true,
    stderr: true,
    follow: false,
    since: 5250,
    until: 7000,
    tail: 10,
    signal: undefined,
  });
  tty = true;
  const raw = await served.call("GET", "/v1.41/containers/x/logs?stdout=1&tail=all&follow=1");
  assert.equal(raw.headers["content-type"], "application/vnd.docker.raw-stream");
  assert.equal(raw.text, "line 0\nline 1\nline 2\n");
  assert.deepEqual(asked[1], { stdout: true, stderr: false, follow: true, signal: undefined });
  printed = ["stdout P a", "stderr F b", "stdout P c", "stdout F d", "stdout F e"];
  const timed = await served.call("GET", "/v1.41/containers/x/logs?stdout=1&stderr=1&timestamps=1&details=1");
  const at = "2026-01-02T03:04:05.678901234Z";
  assert.equal(timed.text, ["a", "b\ncd\n", "e\n"].map((rest) => `${at} a=1,b+c=x%2F%28y%29 ${rest}`).join(""));
  assert.equal((await served.call("GET", "/containers/x/logs")).status, 400);
  assert.equal((await served.call("GET", "/containers/x/logs?stdout=1&since=foo")).status, 400);
});

test("wait: the head comes at once, the status at the end", async () => {
  const { promise, resolve } = Promise.withResolvers<{ exitCode: number; error?: string }>();
  const conditions: string[] = [];
  await using served = await serve(
    scriptedEngine({
      containers: {
        get: () => Promise.resolve(containerView()),
        wait: (_ref, condition) => (conditions.push(condition), promise),
      },
    }),
  );
  const socket = await served.connect();
  socket.write("POST /v1.51/containers/x/wait?condition=next-exit HTTP/1.1\r\nHost: x\r\n\r\n");
  await readUntil(socket, "\r\n\r\n");
  resolve({ exitCode: 137, error: "killed" });
  assert.match(await readUntil(socket, "0\r\n\r\n"), /\{"StatusCode":137,"Error":\{"Message":"killed"\}\}\n/);
  socket.destroy();
  assert.deepEqual(conditions, ["next-exit"]);
  assert.equal((await served.call("POST", "/containers/x/wait?condition=foo")).status, 400);
  assert.equal((await served.call("POST", "/v1.29/containers/x/wait?condition=foo")).status, 200);
});

function stats(cpu: number, running = true): ContainerStats {
  return {
    read: 1_000 + cpu,
    running,
    pids: { current: 1 },
    cpu: {
      usage: cpu,
      user: 1,
      system: 2,
      perCpu: [],
      throttledPeriods: 0,
      periods: 0,
      throttledTime: 0,
      hostTotal: 10,
      onlineCpus: 2,
    },
    memory: { usage: 5, limit: 10, detail: {} },
    io: [],
    networks: {},
  };
}

test("stats: one shot, two samples, and a stream", async () => {
  const clock = new FakeClock();
  let samples = 0;
  let running = true;
  await using served = await serve(
    scriptedEngine({
      containers: {
        get: () => Promise.resolve(containerView()),
        stats: () => Promise.resolve(stats(++samples * 100, running)),
      },
    }),
    { clock },
  );
  const usage = (value: unknown) => (value as { cpu_usage: { total_usage: number } }).cpu_usage.total_usage;
  const oneShot = lines((await served.call("GET", "/containers/x/stats?stream=0&one-shot=1")).text)[0];
  assert.deepEqual([usage(oneShot?.["cpu_stats"]), usage(oneShot?.["precpu_stats"])], [100, 0]);
  const pair = served.call("GET", "/containers/x/stats?stream=false");
  while (clock.waiting === 0) await delay(5);
  await clock.advance(1000);
  const second = lines((await pair).text)[0];
  assert.deepEqual([usage(second?.["cpu_stats"]), usage(second?.["precpu_stats"])], [300, 200]);
  assert.equal((await served.call("GET", "/containers/x/stats?stream=1&one-shot=1")).status, 400);
  running = false;
  const stopped = lines((await served.call("GET", "/containers/x/stats?stream=0")).text)[0];
  assert.equal(stopped?.["read"], "0001-01-01T00:00:00Z");
  running = true;
  const socket = await served.connect();
  socket.write("GET /containers/x/stats HTTP/1.1\r\nHost: x\r\n\r\n");
  await readUntil(socket, '"read"');
  while (clock.waiting === 0) await delay(5);
  await clock.advance(1000);
  await readUntil(socket, '"read"');
  socket.destroy();
  while (served.api.active > 0) await delay(5);
});

test("pull: progress, credentials, the end; errors before and after the first line", async () => {
  const asked: { reference: string; platform: string | undefined; credentials: RegistryCredentials | undefined }[] = [];
  let behaviour: (onProgress: (progress: Progress) => void) => Promise<void> = () => Promise.resolve();
  await using served = await serve(
    scriptedEngine({
      images: {
        pull: async (reference, { platform, credentials, onProgress }) => {
          asked.push({ reference, platform, credentials });
          await behaviour(onProgress);
          return { id: "sha256:i", digest: "sha256:d", upToDate: false };
        },
      },
    }),
  );
  behaviour = async (onProgress) => {
    onProgress({ id: "latest", status: "Pulling from library/bb" });
    for (let current = 0; current <= 1000; current += 10)
      onProgress({ id: "l1", status: "Downloading", current, total: 1000 });
    onProgress({ id: "l1", status: "Pull complete" });
    await Promise.resolve();
  };
  const auth = Buffer.from(JSON.stringify({ username: "u", password: "p>?", serveraddress: "h" })).toString(
    "base64url",
  );
  const answer = await served.call("POST", "/v1.51/images/create?fromImage=bb&tag=1&platform=linux/arm64", undefined, {
    "X-Registry-Auth": auth,
  });
  const progress = lines(answer.text);
  assert.deepEqual(asked[0], {
    reference: "bb:1",
    platform: "linux/arm64",
    credentials: { username: "u", password: "p>?" },
  });
  assert.deepEqual(progress[0], { status: "Pulling from library/bb", progressDetail: {}, id: "latest" });
  assert.ok(progress.length < 20, "counts are thinned out");
  const last = progress.filter((line) => line["status"] === "Downloading").at(-1);
  assert.deepEqual(last?.["progressDetail"], { current: 1000, total: 1000 });
  assert.equal(progress.at(-1)?.["status"], "Pull complete");

  behaviour = () => Promise.reject(new NotFound("manifest unknown"));
  assert.equal((await served.call("POST", "/images/create?fromImage=bb&tag=sha256:0")).status, 404);
  assert.equal(asked.at(-1)?.reference, "bb@sha256:0");
  behaviour = () => Promise.reject(new PermissionDenied("pull access denied for bb"));
  const denied = await served.call("POST", "/images/create?fromImage=bb");
  assert.equal(denied.status, 404);
  assert.match(denied.text, /pull access denied for bb/);
  behaviour = (onProgress) => {
    onProgress({ status: "x" });
    return Promise.reject(new Error("cut off"));
  };
  const broken = await served.call("POST", "/images/create?fromImage=bb&tag=1");
  assert.deepEqual(lines(broken.text).at(-1), { errorDetail: { message: "cut off" }, error: "cut off" });
  assert.equal((await served.call("POST", "/images/create?repo=x")).status, 400);
  assert.equal((await served.call("POST", "/images/create")).status, 400);
});

test("pull is aborted when its client goes away", async () => {
  const { promise: aborted, resolve } = Promise.withResolvers<void>();
  await using served = await serve(
    scriptedEngine({
      images: {
        pull: (_reference, { onProgress, signal }) =>
          new Promise((_resolve, reject) => {
            onProgress({ status: "Pulling" });
            signal?.addEventListener("abort", () => (resolve(), reject(signal.reason as Error)));
          }),
      },
    }),
  );
  const socket = await served.connect();
  socket.write("POST /images/create?fromImage=bb HTTP/1.1\r\nHost: x\r\n\r\n");
  await readUntil(socket, "Pulling");
  socket.destroy();
  await aborted;
});

test("archives: the stat in a header, streams in both directions, a failure cuts the answer", async () => {
  const stat = { name: "passwd", size: 30, mode: 420, mtime: Date.UTC(2026, 10, 21), linkTarget: "" };
  let stored = "";
  let broken = false;
  await using served = await serve(
    scriptedEngine({
      containers: {
        statPath: () => Promise.resolve(stat),
        getArchive: () =>
          Promise.resolve({
            stat,
            stream: Readable.from(
              (async function* () {
                yield Buffer.from("tar");
                await delay(1);
                if (broken) throw new Error("disk broke");
              })(),
            ),
          }),
        putArchive: async (_ref, path, archive, options) => {
          stored = `${path} ${JSON.stringify(options)} ${await readText(archive)}`;
        },
      },
    }),
  );
  const head = await served.call("HEAD", "/containers/x/archive?path=/etc/passwd");
  const header = Buffer.from(String(head.headers["x-docker-container-path-stat"]), "base64").toString();
  assert.deepEqual(JSON.parse(header), { ...stat, mtime: "2026-11-21T00:00:00.000Z" });
  const got = await served.call("GET", "/containers/x/archive?path=/etc");
  assert.deepEqual([got.status, got.headers["content-type"], got.text], [200, "application/x-tar", "tar"]);
  broken = true;
  await assert.rejects(served.call("GET", "/containers/x/archive?path=/etc"), /aborted|hang up/);
  const put = await served.call("PUT", "/containers/x/archive?path=/tmp&noOverwriteDirNonDir=1", "x".repeat(200_000), {
    "Content-Type": "application/x-tar",
  });
  assert.equal(put.status, 200);
  assert.equal(stored, `/tmp {"noOverwriteDirNonDir":true,"copyUidGid":false} ${"x".repeat(200_000)}`);
  assert.equal((await served.call("GET", "/containers/x/archive")).status, 400);
});

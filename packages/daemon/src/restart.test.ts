import assert from "node:assert/strict";
import { get } from "node:http";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Boxship, startBoxship } from "@boxship/testkit";

interface Inspected {
  readonly Id: string;
  readonly RestartCount: number;
  readonly State: {
    readonly Status: string;
    readonly Running: boolean;
    readonly Pid: number;
    readonly ExitCode: number;
    readonly FinishedAt: string;
  };
  readonly NetworkSettings: {
    readonly Ports: Readonly<Record<string, readonly { readonly HostPort: string }[] | null>>;
  };
}

let engine: Boxship;

before(async () => {
  engine = await startBoxship();
  const made = await engine.client.call("POST", "/boxship/images/bootstrap?kind=busybox");
  assert.match(made.text, /"aux"/);
});

after(async () => engine?.[Symbol.asyncDispose]());

async function run(name: string, cmd: readonly string[], hostConfig: object = {}): Promise<string> {
  const body = { Image: "busybox", Cmd: cmd, HostConfig: hostConfig };
  const { Id } = await engine.client.json<{ Id: string }>("POST", `/containers/create?name=${name}`, body);
  await engine.client.json("POST", `/containers/${Id}/start`);
  return Id;
}

const inspect = (name: string): Promise<Inspected> => engine.client.json("GET", `/containers/${name}/json`);

async function until(name: string, holds: (container: Inspected) => boolean): Promise<Inspected> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const container = await inspect(name);
    if (holds(container)) return container;
    assert.ok(performance.now() < deadline, `${name} stays ${JSON.stringify(container.State)}`);
    await delay(50);
  }
}

function fetchPage(port: string): Promise<number> {
  return new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port: Number(port), path: "/etc/passwd", timeout: 5000 }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    }).on("error", reject);
  });
}

/** The text lines of a multiplexed log. */
async function logLines(name: string): Promise<string[]> {
  const response = await engine.client.stream("GET", `/containers/${name}/logs?stdout=1`);
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 8 + bytes.readUInt32BE(at + 4)) {
    lines.push(bytes.toString("utf8", at + 8, at + 8 + bytes.readUInt32BE(at + 4)).trimEnd());
  }
  return lines;
}

describe("after kill -9 of the daemon and a new start", () => {
  test("what ran still runs, its port answers, and its log has no gap", async () => {
    await run("server", ["httpd", "-f", "-h", "/"], { PortBindings: { "80/tcp": [{}] } });
    await run("counter", ["sh", "-c", "i=0; while :; do echo $i; i=$((i+1)); sleep 0.02; done"]);
    const known = await inspect("server");
    const port = known.NetworkSettings.Ports["80/tcp"]?.[0]?.HostPort ?? "";
    assert.equal(await fetchPage(port), 200);
    await engine.crash();
    assert.equal(await fetchPage(port), 200, "the port answers while no daemon runs");
    await delay(300);
    await engine.start();
    const now = await inspect("server");
    assert.deepEqual([now.State.Running, now.State.Pid], [true, known.State.Pid]);
    assert.equal(now.NetworkSettings.Ports["80/tcp"]?.[0]?.HostPort, port);
    assert.equal(await fetchPage(port), 200);
    const taken = await engine.client.json<{ Id: string }>("POST", "/containers/create", {
      Image: "busybox",
      Cmd: ["true"],
      HostConfig: { PortBindings: { "80/tcp": [{ HostPort: port }] } },
    });
    const refused = await engine.client.call("POST", `/containers/${taken.Id}/start`);
    assert.ok(refused.status >= 400, "a published port stays reserved");
    assert.match(refused.text, new RegExp(port));
    const numbers = (await logLines("counter")).map(Number);
    assert.ok(numbers.length > 20);
    assert.deepEqual(
      numbers,
      Array.from(numbers, (_, index) => index),
    );
    for (const name of ["server", "counter", taken.Id])
      await engine.client.json("DELETE", `/containers/${name}?force=1`);
  });

  test("exits that happened meanwhile have their status and time, and are acted on", async () => {
    await run("short", ["sh", "-c", "sleep 0.4; exit 7"]);
    await run("gone", ["sh", "-c", "sleep 0.4; exit 3"], { AutoRemove: true });
    await run("again", ["sh", "-c", "sleep 0.4; exit 5"], {
      RestartPolicy: { Name: "on-failure", MaximumRetryCount: 1 },
    });
    await engine.crash();
    await delay(1200);
    const between = Date.now();
    await engine.start();
    const short = await until("short", ({ State }) => State.Status === "exited");
    assert.equal(short.State.ExitCode, 7);
    assert.ok(Date.parse(short.State.FinishedAt) < between, "the time of the exit, not of its discovery");
    const again = await until("again", ({ State, RestartCount }) => State.Status === "exited" && RestartCount === 1);
    assert.equal(again.State.ExitCode, 5);
    const deadline = performance.now() + 10_000;
    while ((await engine.client.call("GET", "/containers/gone/json")).status !== 404) {
      assert.ok(performance.now() < deadline, "a container with --rm removes itself");
      await delay(50);
    }
    for (const name of ["short", "again"]) await engine.client.json("DELETE", `/containers/${name}?force=1`);
  });

  test("a paused container is still paused, an exec and a stop work on what was taken over", async () => {
    await run("frozen", ["sleep", "1000"]);
    await run("tended", ["sleep", "1000"]);
    await engine.client.json("POST", "/containers/frozen/pause");
    await engine.crash();
    await engine.start();
    assert.equal((await inspect("frozen")).State.Status, "paused");
    await engine.client.json("POST", "/containers/frozen/unpause");
    const { Id } = await engine.client.json<{ Id: string }>("POST", "/containers/tended/exec", {
      Cmd: ["sh", "-c", "exit 9"],
      AttachStdout: true,
    });
    const stream = await engine.client.hijack(`/exec/${Id}/start`, { Detach: false });
    for await (const _ of stream) void _;
    assert.equal((await engine.client.json<{ ExitCode: number }>("GET", `/exec/${Id}/json`)).ExitCode, 9);
    for (const name of ["frozen", "tended"]) {
      await engine.client.json("POST", `/containers/${name}/stop?t=0`);
      assert.equal((await inspect(name)).State.ExitCode, 137);
      await engine.client.json("DELETE", `/containers/${name}`);
    }
  });

  test("names are found and policies hold on networks that were taken over", async () => {
    await engine.client.json("POST", "/networks/create", { Name: "kept" });
    await run("alpha", ["sleep", "1000"], { NetworkMode: "kept", RestartPolicy: { Name: "always" } });
    await engine.crash();
    await engine.start();
    await run("beta", ["sh", "-c", "nslookup alpha && sleep 1000"], { NetworkMode: "kept" });
    const deadline = performance.now() + 10_000;
    while (!(await logLines("beta")).some((line) => line.startsWith("Name:"))) {
      assert.ok(performance.now() < deadline, "alpha is found by name");
      await delay(50);
    }
    const { State } = await inspect("alpha");
    process.kill(State.Pid, "SIGKILL");
    const back = await until("alpha", ({ State: now }) => now.Status === "running" && now.Pid !== State.Pid);
    assert.equal(back.RestartCount, 1);
    for (const name of ["alpha", "beta"]) await engine.client.json("DELETE", `/containers/${name}?force=1`);
    await engine.client.json("DELETE", "/networks/kept");
  });
});

test("a stop in order leaves containers running, and a new daemon has them", async () => {
  await run("steady", ["sleep", "1000"]);
  const { Pid } = (await inspect("steady")).State;
  await engine.stop();
  assert.doesNotThrow(() => process.kill(Pid, 0));
  await engine.start();
  assert.equal((await inspect("steady")).State.Pid, Pid);
  await engine.client.json("DELETE", "/containers/steady?force=1");
});

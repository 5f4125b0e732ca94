import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Boxship, dockerCli, findCriu, startBoxship, type TempDir, tempDir } from "@boxship/testkit";

let files: TempDir;
let engine: Boxship;

async function busybox(started: Boxship): Promise<void> {
  const made = await started.client.call("POST", "/boxship/images/bootstrap?kind=busybox");
  assert.match(made.text, /"aux"/);
}

async function run(started: Boxship, name: string, cmd: readonly string[], hostConfig: object = {}): Promise<void> {
  const body = { Image: "busybox", Cmd: cmd, HostConfig: { NetworkMode: "none", Runtime: "runc", ...hostConfig } };
  await started.client.json("POST", `/containers/create?name=${name}`, body);
  await started.client.json("POST", `/containers/${name}/start`);
}

interface State {
  readonly Status: string;
  readonly Running: boolean;
  readonly ExitCode: number;
  readonly Pid: number;
}

const stateOf = async (name: string): Promise<State> =>
  (await engine.client.json<{ State: State }>("GET", `/containers/${name}/json`)).State;

/** Of the control group of a process. */
async function freezerOf(pid: number) {
  const groups = await readFile(`/proc/${pid}/cgroup`, "utf8");
  const first = /^\d+:freezer:(.+)$/m.exec(groups)?.[1];
  if (first !== undefined) {
    return { file: `/sys/fs/cgroup/freezer${first}/freezer.state`, frozen: "FROZEN", thawed: "THAWED" };
  }
  return { file: `/sys/fs/cgroup${/^0::(.+)$/m.exec(groups)?.[1]}/cgroup.freeze`, frozen: "1", thawed: "0" };
}

async function lines(name: string): Promise<readonly string[]> {
  const { text } = await engine.client.call("GET", `/containers/${name}/logs?stdout=1&tail=1000`);
  return [...text.matchAll(/\d+/g)].map(([number]) => number);
}

describe("checkpoints where CRIU works", { timeout: 180_000 }, () => {
  let reason: string | undefined;
  before(async () => {
    files = tempDir("criu");
    const criu = await findCriu(files.join("bin"));
    reason = criu.reason;
    const { PATH } = criu;
    engine = await startBoxship({ env: { PATH } });
    await busybox(engine);
  });
  after(async () => {
    await engine?.[Symbol.asyncDispose]();
    await files[Symbol.asyncDispose]();
  });

  test("a container is stopped with its memory and goes on where it was, also after kill -9", async (t) => {
    if (reason !== undefined) return t.skip(reason);
    const script = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done";
    await run(engine, "counter", ["sh", "-c", script], { RestartPolicy: { Name: "unless-stopped" } });
    await delay(1000);
    const { Pid } = await stateOf("counter");
    const made = await engine.client.call("POST", "/containers/counter/checkpoints", {
      body: { CheckpointID: "one", Exit: true },
    });
    assert.equal(made.status, 201, made.text);
    const stopped = await stateOf("counter");
    assert.deepEqual([stopped.Status, stopped.ExitCode], ["exited", 137]);
    const counted = await lines("counter");
    // As an archive of a checkpoint that is cut off leaves a container: nobody is told that it stands still.
    await run(engine, "held", ["sleep", "1000"]);
    const held = await engine.client.json<{ Id: string }>("GET", "/containers/held/json");
    const cut = `${engine.root}/containers/${held.Id}/checkpoint-archives`;
    await mkdir(`${cut}/01234567/checkpoint`, { recursive: true });
    const freezer = await freezerOf((await stateOf("held")).Pid);
    await writeFile(freezer.file, freezer.frozen);
    await engine.crash();
    await engine.start();
    assert.equal((await stateOf("held")).Status, "running");
    assert.equal((await readFile(freezer.file, "utf8")).trim(), freezer.thawed);
    assert.equal(existsSync(cut), false);
    await engine.client.json("DELETE", "/containers/held?force=1");
    assert.deepEqual(await engine.client.json("GET", "/containers/counter/checkpoints"), [{ Name: "one" }]);
    await engine.client.json("POST", "/containers/counter/start?checkpoint=one");
    await delay(1000);
    const state = await stateOf("counter");
    assert.equal(state.Running, true);
    assert.notEqual(state.Pid, Pid);
    const all = (await lines("counter")).map(Number);
    // It counts on, not anew.
    assert.ok(all.length > counted.length + 3, `${all.length} lines`);
    assert.equal(all.filter((number) => number === 1).length, 1);
    assert.ok((all.at(-1) ?? 0) > counted.length);
    const { text } = await engine.client.call("POST", "/containers/counter/exec", { body: { Cmd: ["true"] } });
    const { Id } = JSON.parse(text) as { Id: string };
    await engine.client.call("POST", `/exec/${Id}/start`, { body: { Detach: true } });
    await engine.client.json("DELETE", "/containers/counter?force=1");
  });

  test("a container that goes on after its checkpoint, on a network, with a volume", async (t) => {
    if (reason !== undefined) return t.skip(reason);
    await run(engine, "web", ["httpd", "-f", "-p", "80", "-h", "/etc"], {
      NetworkMode: "bridge",
      Binds: ["kept:/kept"],
      PortBindings: { "80/tcp": [{}] },
    });
    const { Pid } = await stateOf("web");
    const options = { body: { CheckpointID: "live", CheckpointDir: files.join("elsewhere") } };
    const made = await engine.client.call("POST", "/containers/web/checkpoints", options);
    assert.equal(made.status, 201, made.text);
    assert.equal((await stateOf("web")).Pid, Pid);
    const again = await engine.client.call("POST", "/containers/web/checkpoints", options);
    assert.equal(again.status, 409);
    assert.match(again.text, /checkpoint with name live already exists for container web/);
    await engine.client.json("POST", "/containers/web/kill");
    const directory = encodeURIComponent(files.join("elsewhere"));
    await engine.client.json("POST", `/containers/web/start?checkpoint=live&checkpoint-dir=${directory}`);
    const { NetworkSettings } = await engine.client.json<{
      NetworkSettings: { Ports: Readonly<Record<string, readonly { HostPort: string }[]>> };
    }>("GET", "/containers/web/json");
    const port = NetworkSettings.Ports["80/tcp"]?.[0]?.HostPort ?? "";
    assert.match(await fetch(`http://127.0.0.1:${port}/passwd`).then((answer) => answer.text()), /root:/);
    await engine.client.json("DELETE", "/containers/web?force=1");
    await engine.client.json("DELETE", "/volumes/kept");
  });

  test("through docker's own command line", async (t) => {
    if (reason !== undefined) return t.skip(reason);
    const docker = dockerCli(engine.socketPath);
    if (docker === undefined) return t.skip("no docker command line");
    await run(engine, "cli", ["sleep", "1000"]);
    const created = await docker(["checkpoint", "create", "--leave-running", "cli", "first"]);
    assert.deepEqual([created.status, created.stdout], [0, "first\n"], created.stderr);
    const listed = await docker(["checkpoint", "ls", "cli"]);
    assert.deepEqual(listed.stdout.trim().split(/\n/), ["CHECKPOINT NAME", "first"]);
    await docker(["kill", "cli"]);
    const started = await docker(["start", "--checkpoint", "first", "cli"]);
    assert.equal(started.status, 0, started.stderr);
    assert.equal((await docker(["checkpoint", "rm", "cli", "first"])).status, 0);
    assert.match((await docker(["checkpoint", "rm", "cli", "first"])).stderr, /checkpoint first does not exist/);
    await engine.client.json("DELETE", "/containers/cli?force=1");
  });

  test("what has no checkpoints is told so", async () => {
    await run(engine, "refused", ["sleep", "1000"], { Runtime: "crun" });
    const post = (name: string, body: object) =>
      engine.client.call("POST", `/containers/${name}/checkpoints`, { body });
    const crun = await post("refused", { CheckpointID: "one" });
    assert.equal(crun.status, 409);
    assert.match(crun.text, /containers under crun have no checkpoints/);
    const bad = await post("refused", { CheckpointID: "../x" });
    assert.equal(bad.status, 400);
    assert.match(bad.text, /Invalid checkpoint ID \(\.\.\/x\)/);
    const none = await engine.client.call("POST", "/containers/refused/start?checkpoint=nope");
    assert.equal(none.status, 404);
    await engine.client.json("POST", "/containers/refused/stop?t=0");
    assert.equal((await post("refused", { CheckpointID: "one" })).status, 409);
    assert.deepEqual(await engine.client.json("GET", "/containers/refused/checkpoints"), []);
    await engine.client.json("DELETE", "/containers/refused");
  });
});

test("where CRIU does not work the reason is said, and nothing is left", { timeout: 60_000 }, async () => {
  await using directory = tempDir("no-criu");
  await mkdir(directory.join("bin"));
  const program = directory.join("bin/criu");
  await writeFile(
    program,
    '#!/bin/sh\necho "Error (criu/vdso.c:381): vdso: Unexpected rt vDSO area bounds" >&2\necho "Error (criu/crtools.c:260): Could not initialize kernel features detection." >&2\nexit 1\n',
  );
  await chmod(program, 0o755);
  await using other = await startBoxship({ env: { PATH: `${directory.join("bin")}:${process.env["PATH"] ?? ""}` } });
  await busybox(other);
  await run(other, "one", ["sleep", "1000"]);
  const refused = await other.client.call("POST", "/containers/one/checkpoints", { body: { CheckpointID: "cp" } });
  assert.equal(refused.status, 409);
  assert.match(refused.text, /cannot be checkpointed on this host: criu check: vdso: Unexpected rt vDSO area bounds/);
  assert.deepEqual(await other.client.json("GET", "/containers/one/checkpoints"), []);
  const { State: state } = await other.client.json<{ State: State }>("GET", "/containers/one/json");
  assert.equal(state.Running, true);
});

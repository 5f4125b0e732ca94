import assert from "node:assert/strict";
import { mkdirSync, readlinkSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Boxship, startBoxship, type TempDir, tempDir } from "@boxship/testkit";

interface Inspected {
  readonly Id: string;
  readonly RestartCount: number;
  readonly State: { readonly Pid: number; readonly Status: string };
  readonly HostConfig: {
    readonly Memory: number;
    readonly PortBindings: object;
    readonly Mounts?: readonly object[];
    readonly Binds: string[];
  };
  readonly NetworkSettings: { readonly Ports: Readonly<Record<string, readonly { HostPort: string }[] | null>> };
  readonly Mounts: readonly { readonly Type: string; readonly Destination: string; readonly RW: boolean }[];
}

let engine: Boxship;
let files: TempDir;
let serial = 0;

const inspect = (name: string): Promise<Inspected> => engine.client.json("GET", `/containers/${name}/json`);
const destinations = async (name: string) => (await inspect(name)).Mounts.map(({ Destination }) => Destination);

async function run(cmd: readonly string[], hostConfig: object = {}): Promise<string> {
  const name = `edited-${serial++}`;
  await engine.client.json("POST", `/containers/create?name=${name}`, {
    Image: "busybox",
    Cmd: cmd,
    StopSignal: "SIGKILL",
    HostConfig: { NetworkMode: "none", ...hostConfig },
  });
  await engine.client.json("POST", `/containers/${name}/start`);
  return name;
}

/** A container whose mounts its process has locked, by what it did: the kernel takes none of them away from it. */
async function runLocked(script: string, hostConfig: object = {}): Promise<string> {
  const name = await run(["unshare", "-Urm", "sh", "-c", script], {
    Privileged: true,
    Binds: [`${files.join("shared")}:/data`],
    ...hostConfig,
  });
  await untilLocked(name);
  return name;
}

/** Until the process has a user namespace of its own. */
async function untilLocked(name: string): Promise<void> {
  const { Pid } = (await untilRunning(name)).State;
  while (readlinkSync(`/proc/${Pid}/ns/user`) === readlinkSync("/proc/self/ns/user")) await delay(5);
}

/** Until the container's process has written to a file. */
async function untilWritten(name: string, file: string): Promise<void> {
  assert.equal((await shell(name, `until [ -s ${file} ]; do sleep 0.01; done`)).status, 0);
}

async function untilRunning(name: string): Promise<Inspected> {
  for (;;) {
    const now = await inspect(name);
    if (now.State.Status === "running") return now;
    await delay(10);
  }
}

/** What inspect says, and what is so, of one and the same process. */
async function settled(name: string): Promise<{ readonly now: Inspected; readonly mounted: boolean }> {
  for (;;) {
    const now = await untilRunning(name);
    const { output } = await shell(name, "grep -q ' /data ' /proc/mounts && echo yes").catch(() => ({ output: "" }));
    const { State } = await inspect(name);
    if (State.Status === "running" && State.Pid === now.State.Pid) return { now, mounted: output === "yes" };
  }
}

/** What a shell in the container prints, and its status. */
async function shell(name: string, script: string): Promise<{ readonly status: number; readonly output: string }> {
  const body = { Cmd: ["sh", "-c", script], AttachStdout: true, AttachStderr: true };
  const { Id } = await engine.client.json<{ Id: string }>("POST", `/containers/${name}/exec`, body);
  const stream = await engine.client.stream("POST", `/exec/${Id}/start`, { body: { Detach: false } });
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  let output = "";
  for (let at = 0; at < bytes.length; at += 8 + bytes.readUInt32BE(at + 4)) {
    output += bytes.toString("utf8", at + 8, at + 8 + bytes.readUInt32BE(at + 4));
  }
  const { ExitCode } = await engine.client.json<{ ExitCode: number }>("GET", `/exec/${Id}/json`);
  return { status: ExitCode, output: output.trim() };
}

const mount = (name: string, body: object) =>
  engine.client.call("POST", `/boxship/containers/${name}/mounts`, { body });
const unmount = (name: string, target: string, more = "") =>
  engine.client.call("DELETE", `/boxship/containers/${name}/mounts?target=${target}${more}`);
const recreate = (name: string, target: string) => unmount(name, target, "&recreate=1");
const publish = (name: string, body: object) =>
  engine.client.call("POST", `/boxship/containers/${name}/ports`, { body });
const unpublish = (name: string, query: string) =>
  engine.client.call("DELETE", `/boxship/containers/${name}/ports?${query}`);

const portOf = (answer: string): string => (JSON.parse(answer) as { HostPort: string }[])[0]?.HostPort ?? "";

/** The host name that the server behind a port has in its files, which tells it from those of other tests. */
function fetchName(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    get({ host: "127.0.0.1", port, path: "/hostname", timeout: 3000 }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => void (text += chunk));
      response.on("end", () => resolve(response.statusCode === 200 ? text.trim() : undefined));
    }).on("error", () => resolve(undefined));
  });
}

async function freshEngine(): Promise<void> {
  await engine.crash();
  await engine.start();
}

describe("containers are changed without being made anew", { timeout: 240_000 }, () => {
  before(async () => {
    files = tempDir("edits");
    mkdirSync(files.join("shared"));
    writeFileSync(files.join("shared/file"), "from the host");
    writeFileSync(files.join("single"), "one file");
    engine = await startBoxship();
    const made = await engine.client.call("POST", "/boxship/images/bootstrap?kind=busybox");
    assert.match(made.text, /"aux"/);
  });
  after(async () => {
    await engine?.[Symbol.asyncDispose]();
    await files[Symbol.asyncDispose]();
  });

  test("mounts of every kind into one that runs, and out again", async () => {
    const name = await run(["sh", "-c", "echo own > /own; exec sleep 10000"]);
    await untilWritten(name, "/own");
    const { Pid } = (await inspect(name)).State;
    const shared = files.join("shared");
    for (const body of [
      { Bind: `${shared}:/data/deep:ro` },
      { Bind: "edited-volume:/volume" },
      { Mount: { Type: "bind", Source: files.join("single"), Target: "/etc/single" } },
      { Mount: { Type: "tmpfs", Target: "/scratch", TmpfsOptions: { SizeBytes: 1 << 20, Mode: 0o700 } } },
      { Mount: { Type: "image", Source: "busybox", Target: "/image" } },
    ]) {
      const answer = await mount(name, body);
      assert.equal(answer.status, 201, answer.text);
    }
    assert.deepEqual(await shell(name, "cat /data/deep/file /etc/single; touch /data/deep/x 2>&1"), {
      status: 1,
      output: "from the hostone filetouch: /data/deep/x: Read-only file system",
    });
    assert.equal((await shell(name, "ls /image/bin/busybox && stat -c %a /scratch")).output, "/image/bin/busybox\n700");
    assert.equal((await shell(name, "head -c 2m /dev/zero > /scratch/full 2>&1")).status, 1);
    assert.equal((await shell(name, "echo kept > /volume/file && cat /own")).output, "own");
    assert.deepEqual((await destinations(name)).sort(), ["/data/deep", "/etc/single", "/image", "/scratch", "/volume"]);
    assert.equal((await mount(name, { Bind: `${shared}:/volume` })).status, 409);
    assert.equal((await inspect(name)).State.Pid, Pid, "it is the same process");

    // They are there after a restart, too.
    await shell(name, "rm /own");
    await engine.client.json("POST", `/containers/${name}/restart?t=0`);
    await untilWritten(name, "/own");
    assert.equal((await shell(name, "cat /data/deep/file /volume/file /own")).output, "from the hostkept\nown");

    for (const target of ["/data/deep", "/etc/single", "/scratch", "/image", "/volume"]) {
      const answer = await unmount(name, target);
      assert.equal(answer.status, 204, answer.text);
    }
    assert.equal(
      (await shell(name, "ls -A /data/deep /volume; grep -c -e /volume -e /scratch /proc/mounts")).output,
      "/data/deep:\n\n/volume:\n0",
    );
    assert.deepEqual(await destinations(name), []);
    assert.equal((await unmount(name, "/volume")).status, 404);
    await engine.client.json("DELETE", `/containers/${name}?force=1`);
    await engine.client.json("DELETE", "/volumes/edited-volume");
  });

  test("a mount that cannot be made leaves nothing", async () => {
    const name = await run(["sleep", "10000"]);
    for (const [body, status] of [
      [{ Mount: { Type: "bind", Source: files.join("absent"), Target: "/x" } }, 400],
      [{ Bind: "relative/path:/x" }, 400],
      [{ Mount: { Type: "tmpfs", Target: "/x", TmpfsOptions: { Options: [["frob"]] } } }, 400],
      [{ Mount: { Type: "image", Source: "no/such", Target: "/x" } }, 404],
      [{ Bind: "new-volume:/proc/1/x" }, 500],
      [{}, 400],
    ] as const) {
      const answer = await mount(name, body);
      assert.ok(
        answer.status === status || (status === 500 && answer.status >= 400),
        `${JSON.stringify(body)}: ${answer.text}`,
      );
    }
    assert.deepEqual(await destinations(name), []);
    const { Volumes } = await engine.client.json<{ Volumes: readonly unknown[] }>("GET", "/volumes");
    assert.deepEqual(Volumes, []);
    assert.equal((await shell(name, "ls /x 2>&1")).status, 1);
    await engine.client.json("DELETE", `/containers/${name}?force=1`);
  });

  test("a read-only container gets a mount where it has no place for one", async () => {
    const name = await run(["sleep", "10000"], { ReadonlyRootfs: true });
    assert.equal((await mount(name, { Bind: `${files.join("shared")}:/made/for/it` })).status, 201);
    assert.equal((await shell(name, "cat /made/for/it/file")).output, "from the host");
    await engine.client.json("DELETE", `/containers/${name}?force=1`);
  });

  test("changes of a stopped container come with its next start, and its files stay", async () => {
    const name = await run(["sh", "-c", "[ -e /mark ] || echo first > /mark; cat /mark /data/file; exec sleep 10000"]);
    await untilWritten(name, "/mark");
    await engine.client.json("POST", `/containers/${name}/stop?t=0`);
    assert.equal((await mount(name, { Bind: `${files.join("shared")}:/data` })).status, 201);
    await freshEngine();
    await engine.client.json("POST", `/containers/${name}/start`);
    assert.equal((await shell(name, "cat /mark /data/file")).output, "first\nfrom the host");
    await engine.client.json("POST", `/containers/${name}/stop?t=0`);
    assert.equal((await unmount(name, "/data")).status, 204);
    await engine.client.json("POST", `/containers/${name}/start`);
    assert.equal((await shell(name, "cat /mark; ls /data")).output, "first");
    await engine.client.json("DELETE", `/containers/${name}?force=1`);
  });

  test("ports of one that runs: at once, for others than those that are open, and after kill -9", async () => {
    const name = await run(["httpd", "-f", "-p", "80", "-h", "/etc"], { NetworkMode: "bridge" });
    const { Pid } = (await inspect(name)).State;
    const { output: hostname } = await shell(name, "hostname");
    const added = await publish(name, { Port: "80" });
    assert.equal(added.status, 201, added.text);
    const HostPort = portOf(added.text);
    assert.equal(await fetchName(Number(HostPort)), hostname);
    const open = connect(Number(HostPort), "127.0.0.1");
    await new Promise((resolve) => open.once("connect", resolve));
    const more = await publish(name, { Port: "80/tcp", HostIp: "127.0.0.1", HostPort: "0" });
    const second = portOf(more.text);
    assert.equal(await fetchName(Number(second)), hostname);
    await freshEngine();
    assert.equal(await fetchName(Number(HostPort)), hostname);
    const shown = (await inspect(name)).NetworkSettings.Ports["80/tcp"]?.map(({ HostPort: port }) => port);
    assert.ok(shown?.includes(HostPort) && shown.includes(second), String(shown));
    const taken = await publish(name, { Port: "81", HostPort });
    assert.equal(taken.status, 409, taken.text);
    assert.equal((await unpublish(name, `port=80&hostport=${HostPort}`)).status, 204);
    assert.notEqual(await fetchName(Number(HostPort)), hostname);
    assert.equal(await fetchName(Number(second)), hostname);
    // Who was connected still is.
    open.write("GET /passwd HTTP/1.0\r\n\r\n");
    const [answer] = await new Promise<Buffer[]>((resolve) => open.once("data", (data: Buffer) => resolve([data])));
    assert.match(answer?.toString() ?? "", /^HTTP\/1\.\d 200/);
    open.destroy();
    assert.equal((await unpublish(name, "port=80")).status, 204);
    assert.equal((await unpublish(name, "port=80")).status, 404);
    assert.deepEqual((await inspect(name)).HostConfig.PortBindings, {});
    assert.equal((await inspect(name)).State.Pid, Pid);
    await engine.client.json("DELETE", `/containers/${name}?force=1`);
  });

  test("ports of a stopped container, and of one without a network", async () => {
    const name = await run(["sleep", "10000"]);
    assert.equal((await publish(name, { Port: "80" })).status, 409);
    await engine.client.json("DELETE", `/containers/${name}?force=1`);
    const web = await run(["httpd", "-f", "-p", "80", "-h", "/etc"], { NetworkMode: "bridge" });
    await engine.client.json("POST", `/containers/${web}/stop?t=0`);
    assert.deepEqual(JSON.parse((await publish(web, { Port: "80/tcp" })).text), []);
    await engine.client.json("POST", `/containers/${web}/start`);
    const [port] = (await inspect(web)).NetworkSettings.Ports["80/tcp"] ?? [];
    let served = await fetchName(Number(port?.HostPort));
    // The server has only just been started.
    for (let tries = 0; served === undefined && tries < 300; tries++) {
      await delay(100);
      served = await fetchName(Number(port?.HostPort));
    }
    assert.equal(served, (await shell(web, "hostname")).output);
    await engine.client.json("DELETE", `/containers/${web}?force=1`);
  });

  test("what the kernel refuses is done with a new process for who agrees, and everything else stays", async () => {
    const name = await runLocked("[ -e /mark ] || echo first > /mark; exec sleep 10000", {
      RestartPolicy: { Name: "always" },
    });
    await untilWritten(name, "/mark");
    const old = await inspect(name);
    const refused = await unmount(name, "/data");
    assert.equal(refused.status, 409, refused.text);
    assert.match(refused.text, /cannot change while container .* runs.*--recreate/);
    assert.deepEqual((await inspect(name)).State.Pid, old.State.Pid);
    assert.deepEqual(await destinations(name), ["/data"]);
    // Another change must not come in between, and what else is changed meanwhile is kept.
    const [done, renamed] = await Promise.all([
      recreate(name, "/data"),
      engine.client.call("POST", `/containers/${name}/update`, { body: { Memory: 64 << 20 } }),
    ]);
    assert.deepEqual([done.status, renamed.status], [204, 200], done.text);
    const made = await inspect(name);
    assert.notEqual(made.State.Pid, old.State.Pid);
    assert.equal(made.HostConfig.Memory, 64 << 20);
    assert.deepEqual([made.Id, made.RestartCount, made.Mounts], [old.Id, 0, []]);
    assert.equal((await shell(name, "cat /mark; ls /data")).output, "first");
    await engine.client.json("DELETE", `/containers/${name}?force=1`);
  });

  test("a container that does not start with the change runs on as it was", async () => {
    mkdirSync(files.join("programs"));
    writeFileSync(files.join("programs/serve"), "#!/bin/sh\nexec unshare -Urm sleep 10000\n", { mode: 0o755 });
    const name = await run(["/data/serve"], {
      Privileged: true,
      AutoRemove: true,
      Binds: [`${files.join("programs")}:/data`],
    });
    await untilLocked(name);
    const answer = await recreate(name, "/data");
    assert.equal(answer.status, 409, answer.text);
    assert.match(answer.text, /does not start with the change, and runs as before: .*serve/);
    assert.deepEqual(await destinations(name), ["/data"]);
    assert.equal((await shell(name, "test -e /data/serve")).status, 0);
    await engine.client.json("DELETE", `/containers/${name}?force=1`);
  });

  test("kill -9 at each step of a change with a new process: it is done, or not begun", async () => {
    const name = await runLocked("echo >> /starts; exec sleep 10000");
    await untilWritten(name, "/starts");
    const { Id } = await inspect(name);
    let done = 0;
    for (let round = 0; round < 5; round++) {
      const change = recreate(name, "/data").catch(() => undefined);
      await delay(round * 28);
      await freshEngine();
      const answer = await change;
      const { now, mounted } = await settled(name);
      assert.equal(now.Id, Id);
      assert.equal(mounted, now.Mounts.length === 1, `round ${round}`);
      if (answer?.status === 204) assert.equal(mounted, false);
      assert.notEqual((await shell(name, "wc -l < /starts")).output, "0");
      if (mounted) continue;
      done++;
      const put = await mount(name, { Bind: `${files.join("shared")}:/data` });
      assert.equal(put.status, 201, put.text);
      await engine.client.json("POST", `/containers/${name}/restart?t=0`);
      await untilLocked(name);
    }
    assert.ok(done > 0);
    await engine.client.json("DELETE", `/containers/${name}?force=1`);
  });

  test("kill -9 in the middle of changes: what inspect says is so", async () => {
    const name = await run(["httpd", "-f", "-p", "80", "-h", "/etc"], { NetworkMode: "bridge" });
    for (let round = 0; round < 5; round++) {
      const change = [
        mount(name, { Bind: `${files.join("shared")}:/m${round}` }),
        publish(name, { Port: String(1000 + round) }),
        ...(round > 0 ? [unmount(name, `/m${round - 1}`), unpublish(name, `port=${999 + round}`)] : []),
      ].map((call) => call.catch(() => undefined));
      await delay(Math.random() * 40);
      await freshEngine();
      await Promise.all(change);
      const { Mounts, NetworkSettings } = await inspect(name);
      const inside = (await shell(name, "grep -o ' /m[0-9]* ' /proc/mounts | sort -u | tr -d ' '")).output;
      const known = Mounts.map(({ Destination }) => Destination).sort();
      assert.deepEqual(inside === "" ? [] : inside.split("\n").sort(), known, `round ${round}`);
      for (const [port, bindings] of Object.entries(NetworkSettings.Ports)) {
        for (const { HostPort } of bindings ?? []) {
          const socket = connect(Number(HostPort), "127.0.0.1");
          socket.on("error", () => {});
          socket.destroy();
          assert.ok(Number(HostPort) > 0, port);
        }
      }
      const { Id } = await engine.client.json<{ Id: string }>("GET", `/containers/${name}/json`);
      assert.match(Id, /^[0-9a-f]{64}$/);
    }
    await engine.client.json("DELETE", `/containers/${name}?force=1`);
  });
});

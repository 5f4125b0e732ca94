import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { silentLogger } from "@boxship/base";
import type { CgroupHost } from "@boxship/kernel";
import { busyboxEntries, dockerCli, makeTar, startRootlessBoxship, tempDir } from "@boxship/testkit";
import { claimDelegation } from "./delegation.ts";

/** A machine's v2 tree as plain files; what is written to them can be read. */
function constructed(unified: string, group: string): CgroupHost {
  const directory = join(unified, group);
  mkdirSync(directory, { recursive: true });
  for (const [file, text] of Object.entries({
    "cgroup.controllers": "cpu memory pids rdma\n",
    "cgroup.subtree_control": "",
    "cgroup.procs": "",
  })) {
    writeFileSync(join(directory, file), text);
  }
  return { layout: "v2", hierarchies: new Map(), unified, controllers: new Set(["cpu", "memory", "pids", "rdma"]) };
}

describe("what a user was given of the control groups", () => {
  const name = "boxship";

  test("the group that the engine was started in, divided after its process has left it", async () => {
    await using directory = tempDir("delegation");
    const host = constructed(directory.path, "/mine");
    const membership = () => "3:memory:/other\n0::/mine\n";
    const base = await claimDelegation({ name, logger: silentLogger, env: {}, host, membership });
    assert.equal(base, directory.join("mine/boxship"));
    assert.equal(readFileSync(directory.join("mine/boxship/cgroup.procs"), "utf8"), String(process.pid));
    assert.equal(readFileSync(directory.join("mine/cgroup.subtree_control"), "utf8"), "+cpu +memory +pids");
  });

  test("nothing where there is no v2 tree, the group is another's, or lies outside of what is shown", async () => {
    await using directory = tempDir("delegation");
    const host = constructed(directory.path, "/mine");
    const claim = (changes: Partial<CgroupHost>, membership: string) =>
      claimDelegation({
        name,
        logger: silentLogger,
        env: {},
        host: { ...host, ...changes },
        membership: () => membership,
      });
    assert.equal(await claim({ unified: undefined }, "0::/mine\n"), undefined);
    assert.equal(await claim({}, "0::/../mine\n"), undefined);
    assert.equal(await claim({}, "4:memory:/mine\n"), undefined);
    assert.equal(await claim({}, "0::/nosuch\n"), undefined);
  });

  test("a scope that the user's systemd makes, where there is one", async (t) => {
    await using directory = tempDir("delegation");
    const host = constructed(directory.join("tree"), "/user.slice/session-1.scope");
    const [run, bin] = [directory.join("run"), directory.join("bin")];
    for (const made of [run, bin]) mkdirSync(made);
    writeFileSync(join(run, "bus"), "");
    // busctl is not asked for real, as no systemd runs where tests do: what it is told is recorded.
    const record = directory.join("asked");
    writeFileSync(join(bin, "busctl"), `#!/bin/sh\nprintf '%s\\n' "$DBUS_SESSION_BUS_ADDRESS" "$@" >${record}\n`);
    chmodSync(join(bin, "busctl"), 0o755);
    const path = process.env["PATH"];
    t.after(() => (process.env["PATH"] = path));
    process.env["PATH"] = `${bin}:${path}`;
    const unit = `boxship-boxship-${process.pid}.scope`;
    const scope = `/user.slice/user@7.service/app.slice/${unit}`;
    constructed(directory.join("tree"), scope);
    const membership = () => (existsSync(record) ? `0::${scope}\n` : "0::/user.slice/session-1.scope\n");
    const base = await claimDelegation({
      name,
      logger: silentLogger,
      env: { XDG_RUNTIME_DIR: run },
      host,
      membership,
    });
    assert.equal(base, directory.join("tree", scope, "boxship"));
    assert.deepEqual(readFileSync(record, "utf8").trim().split("\n"), [
      `unix:path=${run}/bus`,
      ...["--user", "call", "org.freedesktop.systemd1", "/org/freedesktop/systemd1"],
      ...["org.freedesktop.systemd1.Manager", "StartTransientUnit", "ssa(sv)a(sa(sv))", unit, "fail", "4"],
      ...["Description", "s", "container engine boxship", "CollectMode", "s", "inactive-or-failed"],
      ...["Delegate", "b", "true", "PIDs", "au", "1", String(process.pid), "0"],
    ]);
  });
});

test("an engine in a group of its user's makes groups for containers, in a v2 tree of its own", {
  timeout: 120_000,
}, async () => {
  await using engine = await startRootlessBoxship({ delegate: true });
  const cli = dockerCli(engine.socketPath);
  assert.ok(cli !== undefined, "the test setup installs a docker client");
  const docker = async (...args: string[]): Promise<string> => {
    const { status, stdout, stderr } = await cli(args, { timeout: 30_000 });
    assert.equal(status, 0, `docker ${args.join(" ")}: ${stderr}`);
    return stdout.trim();
  };
  const archive = engine.user.directory.join("busybox.tar");
  writeFileSync(archive, makeTar(await busyboxEntries()));
  await docker("import", archive, "busybox");
  assert.equal(await docker("info", "--format", "{{.CgroupDriver}} {{.CgroupVersion}}"), "cgroupfs 2");
  const controllers = engine.user.group?.controllers ?? [];
  const limits = JSON.parse(await docker("info", "--format", "[{{.MemoryLimit}}, {{.PidsLimit}}]")) as boolean[];
  assert.deepEqual(limits, [controllers.includes("memory"), controllers.includes("pids")]);

  const id = await docker("run", "-d", "--name", "grouped", "busybox", "sh", "-c", "sleep 987 & exec sleep 988");
  const { cgroup: base } = JSON.parse(readFileSync(`${engine.runDir}/rootless.json`, "utf8")) as { cgroup: string };
  const group = join(base, "boxship", id);
  const members = () => readFileSync(join(group, "cgroup.procs"), "utf8").trim().split("\n");
  assert.ok(members().includes(await docker("inspect", "--format", "{{.State.Pid}}", "grouped")));
  for (const controller of controllers) {
    assert.ok(
      readdirSync(group).some((file) => file.startsWith(`${controller}.`)),
      `${controller} is switched on for the container`,
    );
  }
  const frozen = () => /^frozen 1$/m.test(readFileSync(join(group, "cgroup.events"), "utf8"));
  await docker("pause", "grouped");
  assert.equal(frozen(), true);
  assert.equal(await docker("inspect", "--format", "{{.State.Status}}", "grouped"), "paused");

  // Another daemon, started from outside of what was given to the user, joins the groups of the first.
  await engine.crash();
  await engine.start();
  assert.equal(await docker("inspect", "--format", "{{.State.Status}}", "grouped"), "paused");
  assert.ok(readFileSync(join(base, "engine/cgroup.procs"), "utf8").split("\n").includes(String(engine.pid)));
  await docker("unpause", "grouped");
  assert.equal(frozen(), false);
  for (const runtime of ["crun", "runc"]) {
    assert.equal(
      await docker("run", "--rm", "--runtime", runtime, "busybox", "sh", "-c", "grep ^0: /proc/self/cgroup"),
      "0::/",
    );
  }
  await docker("rm", "-f", "grouped");
  assert.equal(existsSync(group), false);
  await engine.reset();
  assert.equal(existsSync(join(base, "boxship")), false);
});

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { chmod, rm, writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { runProgram, type TempDir, tempDir } from "@boxship/testkit";
import { type EngineUnderTest, IMAGE, startEngineUnderTest } from "../testing/engine-under-test.ts";

const reference = process.env["BOXSHIP_TEST_REFERENCE"] === "dockerd";

/**
 * runc, except that `create` of a container fails while a file `fail` is there, after it has mounted something into the
 * container's bundle, which can then not be removed.
 */
const STUBBORN = `#!/bin/sh
state=DIRECTORY
for word; do
  case "$before" in --bundle) bundle=$word ;; esac
  before=$word
  case "$word" in create) create=1 ;; esac
done
if [ -n "$create" ] && [ -e $state/fail ]; then
  mkdir -p $bundle/stuck && mount -t tmpfs boxship-test $bundle/stuck && echo $bundle/stuck > $state/mounted
  echo "no container today" >&2
  exit 1
fi
exec runc "$@"
`;

let engine: EngineUnderTest;
let directory: TempDir;

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 20_000; !(await condition()); await delay(50)) {
    if (Date.now() > end) throw new Error(`never came: ${what}`);
  }
}

describe("what cannot be cleaned up at once", { timeout: 120_000, skip: reference }, () => {
  before(async () => {
    directory = tempDir("stuck");
    const runtime = directory.join("stubborn");
    await writeFile(runtime, STUBBORN.replaceAll("DIRECTORY", directory.path));
    await chmod(runtime, 0o755);
    await writeFile(directory.join("config.yaml"), `runtimes:\n  stubborn: ${runtime}\n`);
    engine = await startEngineUnderTest({ flags: ["--config", directory.join("config.yaml")] });
  });
  after(async () => {
    await engine[Symbol.asyncDispose]();
    await directory[Symbol.asyncDispose]();
  });

  async function failingStart(hostConfig: object): Promise<{ readonly id: string; readonly bundle: string }> {
    await writeFile(directory.join("fail"), "");
    const { Id: id } = await engine.client.json<{ Id: string }>("POST", "/containers/create", {
      Image: IMAGE,
      Cmd: ["true"],
      HostConfig: { Runtime: "stubborn", NetworkMode: "none", ...hostConfig },
    });
    const { status, text } = await engine.client.call("POST", `/containers/${id}/start`);
    await rm(directory.join("fail"));
    assert.equal(status, 500);
    assert.match(text, /no container today/);
    return { id, bundle: `/run/boxship-${engine.name}/runtime/containers/${id}` };
  }

  const warnings = async () => (await engine.client.json<{ Warnings: string[] }>("GET", "/info")).Warnings;

  test("a container whose end is not reported yet is not running for an exec", async () => {
    const { Id: id } = await engine.client.json<{ Id: string }>("POST", "/containers/create", {
      Image: IMAGE,
      Cmd: ["sleep", "1000"],
      HostConfig: { NetworkMode: "none" },
    });
    await engine.client.json("POST", `/containers/${id}/start`);
    const exec = { Cmd: ["true"], AttachStdout: true };
    const { Id: made } = await engine.client.json<{ Id: string }>("POST", `/containers/${id}/exec`, exec);
    const { State } = await engine.client.json<{ State: { Pid: number } }>("GET", `/containers/${id}/json`);
    const monitor = Number(readFileSync(`/run/boxship-${engine.name}/runtime/containers/${id}/conmon.pid`, "utf8"));
    process.kill(monitor, "SIGSTOP");
    try {
      process.kill(State.Pid, "SIGKILL");
      await until("the process has ended", () => !existsSync(`/proc/${State.Pid}/root/`));
      const words = { message: `container ${id} is not running` };
      for (const [path, body] of [
        [`/containers/${id}/exec`, exec],
        [`/exec/${made}/start`, {}],
      ] as const) {
        const { status, text } = await engine.client.call("POST", path, { body });
        assert.deepEqual([status, JSON.parse(text)], [409, words]);
      }
    } finally {
      process.kill(monitor, "SIGCONT");
    }
    assert.deepEqual(await engine.client.json("POST", `/containers/${id}/wait`), { StatusCode: 137 });
    await engine.client.json("DELETE", `/containers/${id}`);
  });

  test("a start that failed and left something is said so, and works once that is gone", async () => {
    const { id, bundle } = await failingStart({});
    const again = await engine.client.call("POST", `/containers/${id}/start`);
    assert.equal(again.status, 409);
    assert.match(again.text, /something of its last run is still there.*EBUSY/);
    await runProgram(["umount", `${bundle}/stuck`]);
    await engine.client.json("POST", `/containers/${id}/start`);
    assert.deepEqual(await engine.client.json("POST", `/containers/${id}/wait`), { StatusCode: 0 });
    await engine.client.json("DELETE", `/containers/${id}`);
    await until("the bundle is gone", () => !existsSync(bundle));
  });

  test("what a removed container left is named by info, and goes as soon as it can", async () => {
    const { id, bundle } = await failingStart({});
    await engine.client.json("DELETE", `/containers/${id}`);
    await until("a warning", async () => (await warnings()).some((line) => /is still there: EBUSY/.test(line)));
    const record = `${engine.root}/containers/${id}`;
    assert.equal(existsSync(record), true);
    await runProgram(["umount", `${bundle}/stuck`]);
    await until("bundle and record are gone", () => !existsSync(bundle) && !existsSync(record));
    assert.ok(!(await warnings()).some((line) => /is still there/.test(line)));
  });

  test("run --rm of such a container fails and does not wait for ever", async () => {
    await writeFile(directory.join("fail"), "");
    const [docker] = engine.docker;
    const ran = await docker?.run(["run", "--rm", "--runtime", "stubborn", "--network", "none", IMAGE, "true"]);
    await rm(directory.join("fail"));
    assert.equal(ran?.status, 125);
    assert.match(ran?.stderr ?? "", /no container today/);
    assert.deepEqual(await engine.client.json("GET", "/containers/json?all=1"), []);
    const { stdout } = await runProgram(["cat", directory.join("mounted")]);
    await runProgram(["umount", stdout.trim()]);
    await until("the bundle is gone", () => !existsSync(stdout.trim()));
  });
});

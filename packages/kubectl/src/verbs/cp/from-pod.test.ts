import { deepEqual, equal, rejects } from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { Readable } from "node:stream";
import { test } from "node:test";
import { bytesOf, tarEntry, writeTar } from "@boxship/oci/tar";
import { tempDir } from "@boxship/testkit";
import { ConnectionLost, Refusal } from "../../failure.ts";
import { globalFlags } from "../../global-flags.ts";
import type { Io } from "../../io.ts";
import { Session } from "../../session.ts";
import type { ExecAt } from "./cp.ts";
import { parseFileSpec } from "./file-spec.ts";
import { copyFromPod } from "./from-pod.ts";

function sessionOf(texts: string[]): Session {
  const sink = { write: (text: string | Uint8Array) => texts.push(String(text)) };
  const io: Io = { stdin: Readable.from([]), stdout: sink, stderr: sink, env: {} };
  const initial = Object.fromEntries(Object.entries(globalFlags).map(([name, flag]) => [name, flag.initial]));
  return new Session(io, initial as unknown as Session["flags"]);
}

async function archiveOf(members: readonly (readonly [name: string, link?: string])[]): Promise<Buffer> {
  const inputs = members.map(([name, link]) => {
    const body = Buffer.from(`${name}!`);
    return link === undefined
      ? { entry: tarEntry({ type: "file", name: bytesOf(name), size: body.length }), body }
      : { entry: tarEntry({ type: "symlink", name: bytesOf(name), linkName: bytesOf(link) }) };
  });
  return Buffer.concat(await Array.fromAsync(writeTar(inputs)));
}

const flags = { container: "", "no-preserve": false, retries: 0 };

test("an archive cannot write outside of its destination", async () => {
  await using home = tempDir("cp");
  mkdirSync(home.join("out"));
  writeFileSync(home.join("safe"), "safe");
  const archive = await archiveOf([
    ["data/fine"],
    ["data/../../safe"],
    ["data/../../../../../../../../../../../../tmp/boxship-escaped"],
    ["data/link", home.join("safe")],
    ["data/link/below"],
    ["data/up", ".."],
    ["data/up/safe"],
    ["data/..\\..\\safe"],
  ]);
  const exec: ExecAt = async (_command, { stdout }) => void stdout.write(archive);
  const texts: string[] = [];
  const [from, to] = [parseFileSpec("pod:/data"), parseFileSpec(home.join("out"))];
  await copyFromPod(sessionOf(texts), exec, { from, to, flags });
  equal(readFileSync(home.join("safe"), "utf8"), "safe");
  deepEqual(readdirSync(home.path).sort(), ["out", "safe"]);
  deepEqual(readdirSync(home.join("out"), { recursive: true, encoding: "utf8" }).toSorted(), [
    "fine",
    "link",
    "link/below",
    "up",
    "up/safe",
  ]);
  equal(texts.filter((text) => text.includes("is outside target destination, skipping")).length, 3);
  equal(texts.filter((text) => text.startsWith("warning: skipping symlink: ")).length, 2);
});

test("an archive of other files than those that were asked for is refused", async () => {
  await using home = tempDir("cp");
  for (const name of ["other/file", "/etc/passwd"]) {
    const archive = await archiveOf([[name]]);
    const exec: ExecAt = async (_command, { stdout }) => void stdout.write(archive);
    const [from, to] = [parseFileSpec("pod:/data"), parseFileSpec(home.join("out"))];
    await rejects(copyFromPod(sessionOf([]), exec, { from, to, flags }), new Refusal("tar contents corrupted"));
  }
});

test("a connection that breaks is taken up where it was, as often as was said", async () => {
  await using home = tempDir("cp");
  const archive = await archiveOf([["data/a"], ["data/b"]]);
  const commands: string[] = [];
  const exec: ExecAt = async (command, { stdout }) => {
    commands.push(command.at(-1) ?? "");
    const from = Number(/\+(\d+)$/.exec(command.at(-1) ?? "")?.[1] ?? 0);
    const at = Math.max(0, from - 1);
    stdout.write(archive.subarray(at, at + 700));
    if (at + 700 < archive.length) throw new ConnectionLost("lost");
  };
  const texts: string[] = [];
  const [from, to] = [parseFileSpec("pod:/data"), parseFileSpec(home.join("out"))];
  const session = sessionOf(texts);
  await rejects(copyFromPod(session, exec, { from, to, flags: { ...flags, retries: 1 } }), ConnectionLost);
  deepEqual(texts, ["Resuming copy at 700 bytes, retry 1/1\n", "Dropping out copy after 1 retries\n"]);
  await copyFromPod(session, exec, { from, to, flags: { ...flags, retries: -1 } });
  equal(commands.at(-1)?.startsWith("tar cf - '/data' | tail -c+"), true);
  equal(readFileSync(home.join("out/b"), "utf8"), "data/b!");
});

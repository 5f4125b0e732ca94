import assert from "node:assert/strict";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { WebSocket } from "ws";
import { type EngineUnderTest, IMAGE, startEngineUnderTest } from "../testing/engine-under-test.ts";

let engine: EngineUnderTest;

/** What a stream says until it has said `text`. */
async function until(stream: Duplex, text: string): Promise<string> {
  let seen = "";
  while (!seen.includes(text)) {
    const chunk = stream.read() as Buffer | null;
    if (chunk === null) await once(stream, "readable");
    else seen += chunk.toString();
  }
  return seen;
}

async function start(body: object): Promise<string> {
  const { Id } = await engine.client.json<{ Id: string }>("POST", "/containers/create", { Image: IMAGE, ...body });
  await engine.client.json("POST", `/containers/${Id}/start`);
  return Id;
}

describe("terminals and raw streams through the API", { timeout: 120_000 }, () => {
  before(async () => {
    engine = await startEngineUnderTest();
  });
  after(() => engine[Symbol.asyncDispose]());

  test("a container's terminal takes its size at creation and by resize", async () => {
    const id = await start({ Tty: true, OpenStdin: true, Cmd: ["sh"], HostConfig: { ConsoleSize: [30, 100] } });
    const stream = await engine.client.hijack(`/containers/${id}/attach?stream=1&stdin=1&stdout=1`, {});
    stream.write("stty size; echo first\n");
    // Docker 20.10 does not look at ConsoleSize.
    if (engine.kind === "boxship") assert.match(await until(stream, "\nfirst"), /30 100/);
    await engine.client.json("POST", `/containers/${id}/resize?h=40&w=120`);
    stream.write("stty size; echo second\n");
    assert.match(await until(stream, "\nsecond"), /40 120/);
    stream.write("exit 6\n");
    const { StatusCode } = await engine.client.json<{ StatusCode: number }>("POST", `/containers/${id}/wait`);
    assert.equal(StatusCode, 6);
    stream.destroy();
    await engine.client.json("DELETE", `/containers/${id}`);
  });

  test("an exec's terminal, and its exit code", async () => {
    const id = await start({ Cmd: ["sleep", "1000"] });
    const body = { AttachStdin: true, AttachStdout: true, Tty: true, Cmd: ["sh"] };
    const exec = await engine.client.json<{ Id: string }>("POST", `/containers/${id}/exec`, body);
    const stream = await engine.client.hijack(`/exec/${exec.Id}/start`, { Tty: true });
    await engine.client.json("POST", `/exec/${exec.Id}/resize?h=33&w=99`);
    stream.write("stty size; echo sized\n");
    assert.match(await until(stream, "\nsized"), /33 99/);
    stream.write("exit 9\n");
    stream.resume();
    await once(stream, "end");
    stream.end();
    const seen = await engine.client.json<{ ExitCode: number; Running: boolean }>("GET", `/exec/${exec.Id}/json`);
    assert.deepEqual([seen.ExitCode, seen.Running], [9, false]);
    const twice = await engine.client.call("POST", `/exec/${exec.Id}/start`, { body: {} });
    assert.match(twice.text, /exec command \w+ has already run/i);
    await engine.client.json("DELETE", `/containers/${id}?force=1`);
  });

  test("attach over a WebSocket", async () => {
    const id = await start({ OpenStdin: true, StdinOnce: true, Cmd: ["sh", "-c", "read x; echo got $x"] });
    const socket = new WebSocket(
      `ws+unix://${engine.socketPath}:/containers/${id}/attach/ws?stream=1&stdin=1&stdout=1`,
    );
    let seen = "";
    socket.on("message", (data: Buffer) => {
      seen += data.toString();
    });
    await once(socket, "open");
    socket.send("something\n");
    await once(socket, "close");
    assert.equal(seen, "got something\n");
    await engine.client.json("DELETE", `/containers/${id}?force=1`);
  });

  test("attach with logs replays what was said before, then what is said", async () => {
    const id = await start({ OpenStdin: true, Cmd: ["sh", "-c", "echo before; read x; echo after"] });
    await delay(300);
    const stream = await engine.client.hijack(`/containers/${id}/attach?logs=1&stream=1&stdin=1&stdout=1`, {});
    assert.equal(await until(stream, "before\n"), "\u0001\0\0\0\0\0\0\u0007before\n");
    stream.write("go\n");
    assert.match(await until(stream, "after\n"), /after\n$/);
    stream.destroy();
    await engine.client.json("DELETE", `/containers/${id}?force=1`);
  });

  test("the three conditions of wait", async () => {
    const { Id } = await engine.client.json<{ Id: string }>("POST", "/containers/create", {
      Image: IMAGE,
      Cmd: ["sh", "-c", "exit 5"],
    });
    const wait = (condition: string) =>
      engine.client.json<{ StatusCode: number }>("POST", `/containers/${Id}/wait?condition=${condition}`);
    assert.equal((await wait("not-running")).StatusCode, 0);
    const next = wait("next-exit");
    const removed = wait("removed");
    await delay(100);
    await engine.client.json("POST", `/containers/${Id}/start`);
    assert.equal((await next).StatusCode, 5);
    assert.equal((await wait("not-running")).StatusCode, 5);
    await engine.client.json("DELETE", `/containers/${Id}`);
    assert.equal((await removed).StatusCode, 5);
    assert.equal((await engine.client.call("POST", `/containers/${Id}/wait`)).status, 404);
  });
});

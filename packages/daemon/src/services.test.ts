import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Boxship, makeServicesImage, SERVICES_IMAGE, startBoxship } from "@boxship/testkit";

/** Installing from the distribution's mirror takes its time. */
const patience = 180_000;

let engine: Boxship;

interface Inspected {
  readonly State: { readonly Running: boolean; readonly ExitCode: number };
  readonly NetworkSettings: { readonly Ports: Readonly<Record<string, readonly { readonly HostPort: string }[]>> };
}

/** Starts a service; its port is published where the host has one free. */
async function startService(name: string, port: number, more: object): Promise<number> {
  const body = {
    Image: SERVICES_IMAGE,
    ExposedPorts: { [`${port}/tcp`]: {} },
    HostConfig: { PortBindings: { [`${port}/tcp`]: [{ HostPort: "0" }] } },
    ...more,
  };
  const { Id } = await engine.client.json<{ Id: string }>("POST", `/containers/create?name=${name}`, body);
  await engine.client.json("POST", `/containers/${Id}/start`);
  const { NetworkSettings } = await engine.client.json<Inspected>("GET", `/containers/${Id}/json`);
  const published = NetworkSettings.Ports[`${port}/tcp`]?.[0]?.HostPort;
  assert.match(published ?? "", /^\d+$/);
  return Number(published);
}

async function outputOf(name: string): Promise<string> {
  const { text } = await engine.client.call("GET", `/containers/${name}/logs?stdout=1&stderr=1&tail=30`);
  return text;
}

/** Tries until it works, the container ends, or patience does. */
async function untilItAnswers<T>(name: string, attempt: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + patience;
  for (;;) {
    const answer = await attempt().catch((error: unknown) => error as Error);
    if (!(answer instanceof Error)) return answer;
    const { State } = await engine.client.json<Inspected>("GET", `/containers/${name}/json`);
    if (!State.Running || performance.now() > deadline) {
      throw new Error(`${name} does not answer (exit status ${State.ExitCode}): ${await outputOf(name)}`, {
        cause: answer,
      });
    }
    await delay(100);
  }
}

/** Runs a command in the container and returns what it printed. */
async function execute(name: string, command: readonly string[]): Promise<string> {
  const body = { Cmd: command, AttachStdout: true, AttachStderr: true, Tty: true };
  const { Id } = await engine.client.json<{ Id: string }>("POST", `/containers/${name}/exec`, body);
  const stream = await engine.client.hijack(`/exec/${Id}/start`, { Detach: false, Tty: true });
  let text = "";
  stream.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  await once(stream, "end");
  stream.end();
  return text.trim();
}

describe("services from the distribution's packages", { timeout: 2 * patience }, () => {
  // A Debian is bootstrapped, and its packages are installed in a container, each time that this test runs.
  before(async () => {
    engine = await startBoxship();
    await makeServicesImage(engine.client);
  });
  after(() => engine[Symbol.asyncDispose]());

  test("nginx answers through its published port", async () => {
    const port = await startService("web", 80, { Cmd: ["nginx", "-g", "daemon off;"] });
    const page = await untilItAnswers("web", async () => {
      const response = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(5000) });
      assert.equal(response.status, 200);
      return response.text();
    });
    assert.match(page, /Welcome to nginx/);
  });

  test("PostgreSQL answers through its published port, and counts", async () => {
    const script = "initdb -D /tmp/fresh >/dev/null && exec postgres -D /tmp/fresh -c listen_addresses='*'";
    const port = await startService("database", 5432, { User: "postgres", Cmd: ["sh", "-c", script] });
    const answer = await untilItAnswers("database", () => askForTls(port));
    assert.match(answer, /^[NS]$/);
    const result = await untilItAnswers("database", async () => {
      const text = await execute("database", ["psql", "-P", "pager=off", "-tAc", "select 6*7"]);
      assert.match(text, /^\d+$/);
      return text;
    });
    assert.equal(result, "42");
  });
});

/** PostgreSQL's protocol 3.0, SSLRequest: the server answers with one letter before anything else is said. */
async function askForTls(port: number): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  try {
    socket.setTimeout(5000, () => socket.destroy(new Error("no answer")));
    await once(socket, "connect");
    const request = Buffer.alloc(8);
    request.writeInt32BE(8, 0);
    request.writeInt32BE(80_877_103, 4);
    socket.write(request);
    const [letter] = (await once(socket, "data")) as [Buffer];
    return letter.toString("latin1");
  } finally {
    socket.destroy();
  }
}

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Boxship, startBoxship } from "@boxship/testkit";

/** Installing from the distribution's mirror takes its time. */
const patience = 180_000;

let engine: Boxship;
let image = "";

interface Inspected {
  readonly State: { readonly Running: boolean; readonly ExitCode: number };
  readonly NetworkSettings: { readonly Ports: Readonly<Record<string, readonly { readonly HostPort: string }[]>> };
}

/** Starts a container that installs its program first; the port is published where the host has one free. */
async function startService(name: string, port: number, script: string): Promise<number> {
  // Packages must not start their services by themselves: there is no init here.
  const quiet = "printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d";
  const body = {
    Image: image,
    Cmd: ["sh", "-c", `set -e; export DEBIAN_FRONTEND=noninteractive; ${quiet}; apt-get update -q; ${script}`],
    ExposedPorts: { [`${port}/tcp`]: {} },
    HostConfig: { PortBindings: { [`${port}/tcp`]: [{ HostPort: "0" }] } },
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
    await delay(500);
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
  before(async () => {
    engine = await startBoxship();
    const { status, text } = await engine.client.call("POST", "/boxship/images/bootstrap?kind=debian");
    assert.equal(status, 200, text);
    assert.ok(!text.includes("errorDetail"), text.slice(-1000));
    const images = await engine.client.json<{ RepoTags: readonly string[] }[]>("GET", "/images/json");
    image = images[0]?.RepoTags[0] ?? "";
    assert.notEqual(image, "");
  });
  after(() => engine[Symbol.asyncDispose]());

  test("nginx answers through its published port", async () => {
    const script = 'apt-get install -qy --no-install-recommends nginx-light && exec nginx -g "daemon off;"';
    const port = await startService("web", 80, script);
    const page = await untilItAnswers("web", async () => {
      const response = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(5000) });
      assert.equal(response.status, 200);
      return response.text();
    });
    assert.match(page, /Welcome to nginx/);
  });

  test("PostgreSQL answers through its published port, and counts", async () => {
    const script = `apt-get install -qy --no-install-recommends postgresql
      cd /var/lib/postgresql && bin=$(dirname /usr/lib/postgresql/*/bin/postgres) && su postgres -c "
        $bin/initdb -D fresh >/dev/null && exec $bin/postgres -D fresh -c listen_addresses='*'"`;
    const port = await startService("database", 5432, script);
    const answer = await untilItAnswers("database", () => askForTls(port));
    assert.match(answer, /^[NS]$/);
    const result = await untilItAnswers("database", async () => {
      const text = await execute("database", ["su", "postgres", "-c", "psql -P pager=off -tAc 'select 6*7'"]);
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

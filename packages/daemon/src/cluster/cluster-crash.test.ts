import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { type ClientHttp2Session, connect } from "node:http2";
import { test } from "node:test";
import { clusterProgram, tempDir } from "@boxship/testkit";

const ROUNDS = Number(process.env["BOXSHIP_CRASH_ROUNDS"] ?? 4);
const WRITERS = 8;
const PATH = "/api/v1/namespaces/default/configmaps";

interface Ready {
  readonly server: string;
  readonly kubeconfig: string;
}

interface Written {
  readonly name: string;
  /** What was acknowledged last; undefined: nothing was. */
  acknowledged: number | undefined;
  /** What was sent last. */
  sent: number;
}

async function start(root: string): Promise<{ readonly child: ChildProcess; readonly ready: Ready }> {
  const [file, ...args] = clusterProgram();
  const flags = ["--name", "crash", "--root", root, "--run-dir", `${root}/run`, "--port", "0"];
  const child = spawn(file, [...args, ...flags], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const [ready] = (await once(child, "message")) as [Ready & { readonly failed?: string }];
  assert.equal(ready.failed, undefined);
  return { child, ready };
}

async function open({ server, kubeconfig }: Ready): Promise<ClientHttp2Session> {
  const config = JSON.parse(await readFile(kubeconfig, "utf8")) as {
    clusters: [{ cluster: Record<string, string> }];
    users: [{ user: Record<string, string> }];
  };
  const pem = (text: string | undefined): Buffer => Buffer.from(text ?? "", "base64");
  const { user } = config.users[0];
  const session = connect(server, {
    ca: pem(config.clusters[0].cluster["certificate-authority-data"]),
    cert: pem(user["client-certificate-data"]),
    key: pem(user["client-key-data"]),
  });
  session.on("error", () => {});
  return session;
}

interface Reply {
  readonly status: number;
  readonly body: {
    readonly metadata: { readonly resourceVersion: string; readonly name: string };
    readonly data?: Readonly<Record<string, string>>;
    readonly items?: readonly Reply["body"][];
  };
}

async function call(session: ClientHttp2Session, method: string, path: string, body?: object): Promise<Reply> {
  const stream = session.request({ ":method": method, ":path": path, "content-type": "application/json" });
  stream.end(body === undefined ? undefined : JSON.stringify(body));
  let status = 0;
  stream.on("response", (headers) => (status = headers[":status"] ?? 0));
  let text = "";
  for await (const chunk of stream.setEncoding("utf8") as AsyncIterable<string>) text += chunk;
  if (status === 0) throw new Error("no answer");
  return { status, body: JSON.parse(text) as Reply["body"] };
}

/** Creates an object and counts up in it until the connection breaks. */
async function write(session: ClientHttp2Session, object: Written, revisions: Set<number>): Promise<void> {
  const { name } = object;
  try {
    for (;;) {
      const next = object.sent + 1;
      object.sent = next;
      const body = { metadata: { name }, data: { n: String(next) } };
      const first = object.acknowledged === undefined;
      const reply = await call(session, first ? "POST" : "PUT", first ? PATH : `${PATH}/${name}`, body);
      assert.ok(reply.status < 300, `status ${reply.status}`);
      const revision = Number(reply.body.metadata.resourceVersion);
      assert.ok(!revisions.has(revision), `revision ${revision} was used twice`);
      revisions.add(revision);
      object.acknowledged = next;
    }
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
  }
}

/** What a watch was told that goes on where it was cut off: of each object its counts, at their revisions. */
class Follower {
  readonly counts = new Map<string, number[]>();
  readonly revisions = new Set<number>();
  #last = 0;
  #over: Promise<void> = Promise.resolve();
  #told: () => void = () => {};

  /** From where it was, on a new connection, until that breaks. */
  follow(session: ClientHttp2Session, from: number): void {
    this.#last ||= from;
    const path = `${PATH}?watch=1&resourceVersion=${this.#last}`;
    const stream = session.request({ ":method": "GET", ":path": path });
    this.#over = this.#read(stream.setEncoding("utf8") as AsyncIterable<string>);
  }

  async #read(texts: AsyncIterable<string>): Promise<void> {
    let rest = "";
    try {
      for await (const text of texts) {
        const lines = (rest + text).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) this.#hear(JSON.parse(line));
        this.#told();
      }
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
    }
  }

  #hear({ type, object }: { readonly type: string; readonly object: Reply["body"] }): void {
    assert.ok(type === "ADDED" || type === "MODIFIED", `${type}: ${JSON.stringify(object)}`);
    const revision = Number(object.metadata.resourceVersion);
    assert.ok(revision > this.#last, `revision ${revision} is told after ${this.#last}`);
    this.#last = revision;
    this.revisions.add(revision);
    const { name } = object.metadata;
    const counts = this.counts.get(name) ?? [];
    this.counts.set(name, [...counts, Number(object.data?.["n"])]);
  }

  /** The connection has broken. @throws AssertionError for what it was told that is not right */
  ended(): Promise<void> {
    return this.#over;
  }

  async upTo(revision: number): Promise<void> {
    while (this.#last < revision) await new Promise<void>((resolve) => (this.#told = resolve));
  }
}

test("nothing that was acknowledged is lost when the server is killed, no revision comes again, and watches go on without gaps", async () => {
  await using directory = tempDir();
  const revisions = new Set<number>();
  const follower = new Follower();
  const written: Written[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const { child, ready } = await start(directory.path);
    const session = await open(ready);
    try {
      const { body: list } = await call(session, "GET", PATH);
      const found = new Map(list.items?.map((item) => [item.metadata.name, Number(item.data?.["n"])]));
      for (const { name, acknowledged, sent } of written) {
        const now = found.get(name);
        if (acknowledged === undefined && now === undefined) continue;
        assert.ok(now === acknowledged || now === sent, `${name} is ${now}, was acknowledged as ${acknowledged}`);
      }
      assert.ok([...revisions].every((revision) => revision <= Number(list.metadata.resourceVersion)));
      follower.follow(session, Number(list.metadata.resourceVersion));
      const mine = Array.from(
        { length: WRITERS },
        (_, at): Written => ({ name: `r${round}-${at}`, acknowledged: undefined, sent: 0 }),
      );
      written.push(...mine);
      const writing = mine.map((object) => write(session, object, revisions));
      while (mine.some(({ acknowledged = 0 }) => acknowledged < 3 + round * 2))
        await new Promise((resolve) => setImmediate(resolve));
      child.kill("SIGKILL");
      await Promise.all([...writing, follower.ended()]);
    } finally {
      session.destroy();
      await end(child);
    }
  }
  assert.ok(written.every(({ acknowledged }) => acknowledged !== undefined));
  const { child, ready } = await start(directory.path);
  const session = await open(ready);
  try {
    const { body: list } = await call(session, "GET", PATH);
    follower.follow(session, 0);
    await follower.upTo(Math.max(...(list.items ?? []).map(({ metadata }) => Number(metadata.resourceVersion))));
  } finally {
    session.destroy();
    await end(child);
  }
  await follower.ended();
  assert.deepEqual([...revisions.difference(follower.revisions)], []);
  for (const { name, acknowledged = 0 } of written) {
    const counts = follower.counts.get(name) ?? [];
    assert.deepEqual(
      counts,
      Array.from({ length: Math.max(acknowledged, counts.length) }, (_, at) => at + 1),
      name,
    );
  }
});

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}

test("a second one is kept away, and a stop ends everything", async () => {
  await using directory = tempDir();
  const { child } = await start(directory.path);
  try {
    const [file, ...args] = clusterProgram();
    const flags = ["--name", "crash", "--root", directory.path, "--run-dir", `${directory.path}/run`, "--port", "0"];
    const second = spawn(file, [...args, ...flags], { stdio: ["ignore", "ignore", "ignore", "ipc"] });
    const exit = once(second, "exit");
    const [message] = (await once(second, "message")) as [{ readonly failed: string; readonly remedy: string }];
    assert.match(message.failed, /is already running$/);
    assert.match(message.remedy, /boxship down/);
    assert.deepEqual(await exit, [1, null]);
  } finally {
    child.kill("SIGTERM");
  }
  assert.deepEqual(await once(child, "exit"), [0, null]);
});

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import {
  type Boxship,
  busyboxEntries,
  findLeaks,
  pushFixture,
  startBoxship,
  startRegistry,
  takeInventory,
} from "@boxship/testkit";

/** How often the daemon is killed. */
const rounds = Number(process.env["BOXSHIP_CRASHES"] ?? 50);
/** The longest that an operation runs before the kill, in milliseconds. */
const longest = 250;

interface Listed {
  readonly Id: string;
  readonly State: string;
}

/** What a container must be, from what the daemon had acknowledged when it was killed. */
type Expected = "present" | "running" | "unknown";

/** A client that does things with containers at random and keeps what was acknowledged. */
class Client {
  readonly expected = new Map<string, Expected>();
  readonly removed = new Set<string>();
  readonly #engine: Boxship;
  readonly #image: string;

  constructor(engine: Boxship, image: string) {
    this.#engine = engine;
    this.#image = image;
  }

  #pick(): string | undefined {
    const ids = [...this.expected.keys()];
    return ids[Math.floor(Math.random() * ids.length)];
  }

  async create(): Promise<void> {
    const network = Math.random() < 0.5 ? "none" : "default";
    const body = { Image: this.#image, Cmd: ["sleep", "100000"], HostConfig: { NetworkMode: network } };
    const { Id } = await this.#engine.client.json<{ Id: string }>("POST", "/containers/create", body);
    this.expected.set(Id, "present");
    await this.#engine.client.json("POST", `/containers/${Id}/start`);
    if (this.expected.has(Id)) this.expected.set(Id, "running");
  }

  async stop(): Promise<void> {
    const id = this.#pick();
    if (id === undefined) return;
    // From now on it may be running or not.
    this.expected.set(id, "present");
    await this.#engine.client.call("POST", `/containers/${id}/stop?t=0`);
  }

  async remove(): Promise<void> {
    const id = this.#pick();
    if (id === undefined) return;
    this.expected.set(id, "unknown");
    const { status } = await this.#engine.client.call("DELETE", `/containers/${id}?force=1`);
    if (status !== 204) return;
    this.expected.delete(id);
    this.removed.add(id);
  }

  async pull(): Promise<void> {
    const [name, tag] = [this.#image.slice(0, this.#image.lastIndexOf(":")), "large"];
    await this.#engine.client.call("DELETE", `/images/${encodeURIComponent(`${name}:${tag}`)}?force=1`);
    await this.#engine.client.call("POST", `/images/create?fromImage=${encodeURIComponent(name)}&tag=${tag}`);
  }

  /** Several things at once; whatever fails because the daemon is dead is no failure. */
  work(): Promise<unknown> {
    const [create, other] = [() => this.create(), [() => this.stop(), () => this.remove(), () => this.pull()]];
    const chosen = [create, other[Math.floor(Math.random() * other.length)] ?? create, create];
    return Promise.allSettled(chosen.map((act) => act()));
  }
}

/** Process ids of the monitors that belong to the instance. */
function monitors(engine: Boxship): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, "utf8");
        return line.split("\0")[0]?.endsWith("conmon") === true && line.includes(engine.runDir);
      } catch {
        return false;
      }
    })
    .map(Number);
}

async function checkWorld(engine: Boxship, client: Client): Promise<void> {
  const list = await engine.client.json<Listed[]>("GET", "/containers/json?all=1");
  const states = new Map(list.map(({ Id, State }) => [Id, State]));
  for (const id of client.removed) assert.ok(!states.has(id), `${id} was removed and is back`);
  for (const [id, expected] of client.expected) {
    const state = states.get(id);
    if (expected === "unknown") {
      if (state === undefined) client.expected.delete(id);
      continue;
    }
    assert.ok(state !== undefined, `${id} was created and is lost`);
    if (expected === "running") assert.equal(state, "running", `${id} was started`);
  }
  // What was asked for and never answered may be there as well.
  for (const id of states.keys()) if (!client.expected.has(id)) client.expected.set(id, "present");
  let running = 0;
  for (const { Id, State } of list) {
    const { State: detail } = await engine.client.json<{ State: { Pid: number; Running: boolean } }>(
      "GET",
      `/containers/${Id}/json`,
    );
    assert.equal(detail.Running, State === "running", `${Id} is ${State}`);
    if (!detail.Running) continue;
    running++;
    assert.match(readFileSync(`/proc/${detail.Pid}/cmdline`, "utf8"), /^sleep/, `${Id} runs as ${detail.Pid}`);
  }
  await eventually(
    () => monitors(engine).length === running,
    () => `${monitors(engine).length} monitors, ${running} running`,
  );
}

async function eventually(holds: () => boolean, what: () => string): Promise<void> {
  for (let waited = 0; waited < 5000; waited += 50) {
    if (holds()) return;
    await delay(50);
  }
  assert.fail(what());
}

test(`killed ${rounds} times, the daemon loses nothing that it acknowledged and leaves nothing over`, {
  timeout: 600_000,
}, async (t) => {
  const before = await takeInventory();
  let engine: Boxship;
  {
    await using registry = await startRegistry();
    const layers = [{ entries: await busyboxEntries() }];
    const image = (await pushFixture(registry, "crash:small", { layers })).reference;
    const filler = Array.from({ length: 4 }, (_, layer) => ({
      entries: [{ name: `filler-${layer}`, content: randomBytes(8 << 20) }],
    }));
    await pushFixture(registry, "crash:large", { layers: [...layers, ...filler] });
    await using own = await startBoxship();
    engine = own;
    await engine.client.call(
      "POST",
      `/images/create?fromImage=${encodeURIComponent(`${registry.host}/crash`)}&tag=small`,
    );
    const client = new Client(engine, image);
    for (let round = 0; round < rounds; round++) {
      const working = client.work();
      await delay(Math.random() * longest);
      await engine.crash();
      await working;
      await engine.start();
      await checkWorld(engine, client);
    }
    t.diagnostic(`${client.expected.size} containers at the end, ${client.removed.size} removed`);
  }
  const only = (leak: string) => leak.includes(engine.name) || leak.includes(engine.root);
  assert.deepEqual(await findLeaks(before, { only }), []);
});

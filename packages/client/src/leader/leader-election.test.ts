import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type KubeObject, textAt, valueAt } from "@boxship/api";
import { Conflict, FakeClock, silentLogger as logger, NotFound, Unavailable } from "@boxship/base";
import { startApiServer, type TestApiServer } from "@boxship/testkit";
import { loadKubeconfig } from "../config/load-kubeconfig.ts";
import type { ApiClient } from "../contract.ts";
import { openHttpClient } from "../http/http-client.ts";
import { LeaderElection } from "./leader-election.ts";

let server: TestApiServer;
let client: ApiClient;

before(async () => {
  server = await startApiServer();
  client = openHttpClient((await loadKubeconfig(server.kubeconfig)).connection);
});

after(async () => {
  await client?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

const untilAborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));

test("of three candidates one leads at a time, and the next takes over at once when it goes", {
  timeout: 60_000,
}, async () => {
  const leading = new Set<string>();
  const order: string[] = [];
  const controllers = new Map<string, AbortController>();
  const running = ["x", "y", "z"].map((identity) => {
    const controller = new AbortController();
    controllers.set(identity, controller);
    return new LeaderElection({
      client,
      namespace: "default",
      name: "boss",
      identity,
      logger,
      retryPeriod: 20,
      lead: async (signal) => {
        assert.equal(leading.size, 0);
        leading.add(identity);
        order.push(identity);
        await untilAborted(signal);
        leading.delete(identity);
      },
    }).run(controller.signal);
  });
  for (let turn = 1; turn <= 3; turn++) {
    while (order.length < turn) await delay(5);
    controllers.get(order[turn - 1] ?? "")?.abort();
  }
  await Promise.all(running);
  assert.deepEqual(order.toSorted(), ["x", "y", "z"]);
  const lease = await client.get({
    group: "coordination.k8s.io",
    version: "v1",
    resource: "leases",
    namespace: "default",
    name: "boss",
  });
  assert.equal(textAt(lease, "spec", "holderIdentity"), "");
  assert.equal(valueAt(lease, "spec", "leaseTransitions"), 2);
});

/** One lease in memory, as a server keeps it; it may be away. */
class LeaseServer {
  lease: KubeObject | undefined;
  away = false;
  #version = 0;

  get client(): ApiClient {
    const answer = <Value>(make: () => Value): Promise<Value> =>
      this.away ? Promise.reject(new Unavailable("away")) : Promise.resolve().then(make);
    const write = (object: KubeObject): KubeObject => {
      if (this.lease !== undefined && object.metadata.resourceVersion !== String(this.#version))
        throw new Conflict("old");
      const metadata = { ...object.metadata, resourceVersion: String(++this.#version) };
      this.lease = structuredClone({ ...object, metadata });
      return this.lease;
    };
    return {
      get: () =>
        answer(() => {
          if (this.lease === undefined) throw new NotFound("none");
          return structuredClone(this.lease);
        }),
      create: (_: unknown, object: KubeObject) => answer(() => write(object)),
      update: (_: unknown, object: KubeObject) => answer(() => write(object)),
    } as unknown as ApiClient;
  }
}

test("a leader that cannot renew gives up before another may take over, whatever their clocks say", async () => {
  const leases = new LeaseServer();
  // The second candidate's clock is years away.
  const clocks = [new FakeClock(), new FakeClock(1e12)] as const;
  const events: string[] = [];
  const candidate = (identity: string, clock: FakeClock, from: ApiClient) => {
    const controller = new AbortController();
    const done = new LeaderElection({
      client: from,
      namespace: "default",
      name: "boss",
      identity,
      logger,
      clock,
      lead: async (signal) => {
        events.push(`${identity} leads`);
        await untilAborted(signal);
        events.push(`${identity} stops`);
      },
    }).run(controller.signal);
    return { controller, done };
  };
  const first = candidate("a", clocks[0], leases.client);
  for (let second = 0; second < 30; second++) await clocks[0].advance(1000);
  assert.deepEqual(events, ["a leads"]);
  const second = candidate("b", clocks[1], leases.client);
  for (let tick = 0; tick < 60; tick++) {
    await clocks[0].advance(1000);
    await clocks[1].advance(1000);
  }
  assert.deepEqual(events, ["a leads"], "as long as the first renews");
  leases.away = true;
  for (let tick = 0; tick < 12; tick++) await clocks[0].advance(1000);
  assert.deepEqual(events, ["a leads", "a stops"]);
  leases.away = false;
  for (let tick = 0; tick < 20; tick++) await clocks[1].advance(1000);
  assert.deepEqual(events, ["a leads", "a stops", "b leads"]);
  second.controller.abort();
  first.controller.abort();
  await clocks[0].advance(1000);
  await Promise.all([first.done, second.done]);
});

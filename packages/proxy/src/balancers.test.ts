import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { textAt } from "@boxship/api";
import { silentLogger } from "@boxship/base";
import { type ApiClient, FollowServices, openHttpClient, type Service } from "@boxship/client";
import { startApiServer } from "@boxship/testkit";
import { Balancers } from "./balancers.ts";

const SERVICES = { group: "", version: "v1", resource: "services", namespace: "default" } as const;

async function create(client: ApiClient, name: string, port: number, rest: object = {}): Promise<void> {
  const spec = { type: "LoadBalancer", ports: [{ port }], ...rest };
  await client.create(SERVICES, { apiVersion: "v1", kind: "Service", metadata: { name }, spec });
}

/** Waits until a service has an address, or none. */
async function has(client: ApiClient, name: string, address: string): Promise<void> {
  let found = "";
  for (let tries = 0; tries < 4000; tries++) {
    const { status } = await client.get<Service>({ ...SERVICES, name });
    found = status?.loadBalancer?.ingress?.[0]?.ip ?? "";
    if (found === address) return;
    await delay(5);
  }
  assert.fail(`${name} has ${found} and not ${address}`);
}

/** Waits for an event about a service. */
async function told(client: ApiClient, name: string, reason: string): Promise<void> {
  const events = { group: "events.k8s.io", version: "v1", resource: "events", namespace: "default" };
  for (let tries = 0; tries < 4000; tries++) {
    const { items } = await client.list(events);
    if (items.some((one) => textAt(one, "regarding", "name") === name && textAt(one, "reason") === reason)) return;
    await delay(5);
  }
  assert.fail(`nothing is told of ${name}`);
}

test("services of type LoadBalancer get addresses of a pool, or share the node's by their ports", async () => {
  await using api = await startApiServer({ serviceNetworks: ["10.96.0.0/16", "fd00:96::/112"] });
  const createConnection = () => api.connect();
  await using client = openHttpClient({ server: "http://in-process", createConnection, userAgent: "test" });
  await using services = new FollowServices({ client, logger: silentLogger });
  let nodeAddresses = ["192.0.2.1"];
  const options = { client, services, nodeAddresses: () => nodeAddresses, logger: silentLogger };
  {
    await using _ = new Balancers({ ...options, pool: ["198.51.100.1", "198.51.100.2"] });
    await create(client, "wanted", 80, { loadBalancerIP: "198.51.100.2" });
    await has(client, "wanted", "198.51.100.2");
    await create(client, "first", 80);
    await has(client, "first", "198.51.100.1");
    await create(client, "late", 81);
    await told(client, "late", "SyncLoadBalancerFailed");
    await create(client, "foreign", 83, { loadBalancerClass: "example.com/other" });
    await client.patch({ ...SERVICES, name: "wanted" }, "merge", { spec: { type: "ClusterIP", loadBalancerIP: null } });
    await has(client, "wanted", "");
    await has(client, "late", "198.51.100.2");
  }
  {
    // What is not of the pool any more is given up.
    await using balancers = new Balancers(options);
    await has(client, "first", "192.0.2.1");
    await has(client, "late", "192.0.2.1");
    await create(client, "same", 80);
    await told(client, "same", "SyncLoadBalancerFailed");
    await client.delete({ ...SERVICES, name: "first" });
    await has(client, "same", "192.0.2.1");
    await has(client, "foreign", "");
    nodeAddresses = ["192.0.2.2"];
    balancers.addressesChanged();
    await has(client, "same", "192.0.2.2");
    await has(client, "late", "192.0.2.2");
  }
  {
    const four = [5, 6, 7, 8, 9].map((last) => `198.51.100.${last}`);
    const pool = [...four, "2001:db8::9"];
    await using _ = new Balancers({ ...options, pool });
    await create(client, "dual", 80, { ipFamilyPolicy: "RequireDualStack", ipFamilies: ["IPv6", "IPv4"] });
    await has(client, "dual", "2001:db8::9");
    const { status } = await client.get<Service>({ ...SERVICES, name: "dual" });
    const [six, other, ...more] = status?.loadBalancer?.ingress?.map(({ ip }) => ip) ?? [];
    assert.equal(six, "2001:db8::9");
    assert.ok(four.includes(other ?? "") && more.length === 0);
  }
});

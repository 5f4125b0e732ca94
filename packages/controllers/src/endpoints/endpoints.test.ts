import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { JsonObject, KubeObject } from "@boxship/api";
import { NotFound } from "@boxship/base";
import { garbageCollector } from "../garbage/garbage-collector.ts";
import { ENDPOINT_SLICES, ENDPOINTS, NODES, PODS, SERVICES } from "../shared/resources.ts";
import { type Step, scenario } from "../testing/scenario.ts";
import { startWorld, type World } from "../testing/world.ts";
import type { Pod } from "../types/pod.ts";
import type { EndpointSlice, Endpoints } from "../types/services.ts";
import { endpointSliceController } from "./endpoint-slice-controller.ts";
import { endpointSliceMirroringController } from "./endpoint-slice-mirroring-controller.ts";
import { endpointsController } from "./endpoints-controller.ts";
import { groupByPorts } from "./endpoints-of.ts";

let world: World;
before(async () => {
  world = await startWorld({
    definitions: [endpointsController, endpointSliceController, endpointSliceMirroringController, garbageCollector],
    untold: ["garbage-collector-controller"],
  });
});
after(() => world?.[Symbol.asyncDispose]());

const service = (name: string, spec: JsonObject = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: "default" },
  spec: { selector: { app: name }, ports: [{ name: "web", port: 80, targetPort: "http" }], ...spec },
});

/** A pod with an address, ready or not. */
async function pod(app: string, at: number, ready = true, port = 8080): Promise<void> {
  const name = `${app}-${at}`;
  await world.create({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", labels: { app } },
    spec: {
      nodeName: "node-1",
      hostname: name,
      subdomain: app,
      containers: [{ name: "c", image: "x", ports: [{ name: "http", containerPort: port }] }],
    },
  });
  await status(name, {
    podIP: `10.1.${at >> 8}.${at & 255}`,
    podIPs: [{ ip: `10.1.${at >> 8}.${at & 255}` }],
    ...condition(ready),
  });
}

const condition = (ready: boolean): JsonObject => ({
  phase: "Running",
  conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
});

const at = (name: string) => ({ ...PODS, namespace: "default", name });
const status = (name: string, to: JsonObject): Promise<unknown> =>
  world.client.patch(at(name), "merge", { status: to }, { subresource: "status" });

const golden = (name: string, steps: readonly Step[]): Promise<void> => scenario(world, import.meta.url, name, steps);

async function slicesOf(name: string): Promise<readonly EndpointSlice[]> {
  const all = await world.list<EndpointSlice>("discovery.k8s.io/v1", "endpointslices");
  return all.filter(({ metadata }) => metadata.labels?.["kubernetes.io/service-name"] === name);
}

const endpointsOf = (name: string): Promise<Endpoints> =>
  world.client.get<Endpoints>({ ...ENDPOINTS, namespace: "default", name });

describe("a service", () => {
  test("knows its pods: ready, not ready, on their way out, gone", async () => {
    await golden("pods", [
      ["a service without pods", () => world.create(service("web"))],
      ["a pod that is ready", () => pod("web", 1)],
      ["one that is not", () => pod("web", 2, false)],
      ["the first is being deleted", () => world.client.delete(at("web-1"))],
      ["and is gone", () => world.client.delete(at("web-1"), { gracePeriodSeconds: 0 })],
      ["the second gets ready", () => status("web-2", condition(true))],
      ["the service is deleted", () => world.client.delete({ ...SERVICES, namespace: "default", name: "web" })],
    ]);
    await assert.rejects(endpointsOf("web"), NotFound);
    assert.deepEqual(await slicesOf("web"), []);
  });

  test("headless, with names and pods that are not ready", async () => {
    await world.create(service("head", { clusterIP: "None", publishNotReadyAddresses: true }));
    await pod("head", 3, false);
    await world.settle();
    const [slice] = await slicesOf("head");
    assert.equal(slice?.metadata.labels?.["service.kubernetes.io/headless"], "");
    assert.deepEqual(slice?.endpoints?.[0], {
      addresses: ["10.1.0.3"],
      conditions: { ready: true, serving: false, terminating: false },
      hostname: "head-3",
      targetRef: { kind: "Pod", namespace: "default", name: "head-3", uid: slice?.endpoints?.[0]?.targetRef?.uid },
      nodeName: "node-1",
    });
    assert.equal((await endpointsOf("head")).subsets?.[0]?.addresses?.[0]?.ip, "10.1.0.3");
  });

  test("has slices of its own, with labels that say what it is, and ports of what stays", async () => {
    const made = service("anew");
    const labels = { "service.kubernetes.io/headless": "", team: "a" };
    await world.create({ ...made, metadata: { ...made.metadata, labels } });
    await pod("anew", 95);
    await world.settle();
    const [first] = await slicesOf("anew");
    assert.deepEqual(Object.keys(first?.metadata.labels ?? {}).sort(), [
      "endpointslice.kubernetes.io/managed-by",
      "kubernetes.io/service-name",
      "team",
    ]);
    const ref = { ...SERVICES, namespace: "default", name: "anew" };
    await world.client.delete(ref, { propagationPolicy: "Orphan" });
    await world.settle();
    assert.equal((await slicesOf("anew")).length, 1, "it is kept");
    const { metadata } = await world.create(service("anew"));
    await world.settle();
    const slices = await slicesOf("anew");
    assert.deepEqual(
      slices.map((one) => [one.metadata.ownerReferences?.[0]?.uid, one.endpoints?.length]),
      [[metadata.uid, 1]],
    );
    const begins = { name: "begins", image: "x", ports: [{ name: "http", containerPort: 9 }] };
    const parts = { spec: { initContainers: [begins] }, status: {} };
    const numbers = [parts, { spec: { initContainers: [{ ...begins, restartPolicy: "Always" }] } }].map((one) =>
      groupByPorts(made, [one as unknown as Pod]).map(({ ports }) => ports.map(({ port }) => port)),
    );
    assert.deepEqual(numbers, [[], [[9]]]);
  });

  test("has its slices again when somebody takes their labels, or makes one in its name", async () => {
    await world.create(service("taken"));
    await pod("taken", 90);
    await world.settle();
    const mine = async (): Promise<readonly EndpointSlice[]> =>
      (await slicesOf("taken")).filter(
        ({ metadata }) =>
          metadata.labels?.["endpointslice.kubernetes.io/managed-by"] === "endpointslice-controller.k8s.io",
      );
    for (const label of ["kubernetes.io/service-name", "endpointslice.kubernetes.io/managed-by"]) {
      const [slice, ...more] = await mine();
      assert.deepEqual([slice?.endpoints?.[0]?.addresses, more], [["10.1.0.90"], []]);
      const ref = { ...ENDPOINT_SLICES, namespace: "default", name: slice?.metadata.name ?? "" };
      await world.client.patch(ref, "merge", { metadata: { labels: { [label]: "mine" } } });
      await world.settle();
      assert.notEqual((await mine())[0]?.metadata.name, undefined, label);
    }
    const [{ metadata, ...rest } = { metadata: {} }] = await mine();
    const copy = { ...rest, metadata: { name: "taken-copy", namespace: "default", labels: metadata.labels ?? {} } };
    await world.client.create({ ...ENDPOINT_SLICES, namespace: "default" }, {
      ...copy,
      endpoints: [],
    } as unknown as KubeObject);
    await world.settle();
    assert.deepEqual(
      (await mine()).flatMap(({ endpoints }) => endpoints?.[0]?.addresses ?? []),
      ["10.1.0.90"],
    );
    assert.equal((await mine()).length, 1);
  });

  test("whose pods have the port under several numbers has them apart", async () => {
    await world.create(service("two"));
    await pod("two", 4, true, 8080);
    await pod("two", 5, true, 9090);
    await world.settle();
    const ports = (await slicesOf("two")).map((slice) => slice.ports?.[0]?.port);
    assert.deepEqual(new Set(ports), new Set([8080, 9090]));
    assert.equal((await endpointsOf("two")).subsets?.length, 2);
  });

  test("has a hundred endpoints in a slice", async () => {
    await Promise.all(Array.from({ length: 102 }, (_, number) => pod("many", 300 + number)));
    await world.create(service("many"));
    await world.settle();
    const sizes = (await slicesOf("many")).map(({ endpoints }) => endpoints?.length);
    assert.deepEqual(new Set(sizes), new Set([100, 2]));
    await world.client.delete(at("many-300"), { gracePeriodSeconds: 0 });
    await world.settle();
    const later = (await slicesOf("many")).map(({ endpoints }) => endpoints?.length);
    assert.deepEqual(new Set(later), new Set([99, 2]), "the others stay where they are");
  });

  test("without a selector is somebody else's", async () => {
    const bare = service("bare");
    delete (bare["spec"] as JsonObject)["selector"];
    await world.create(bare);
    await world.settle();
    assert.deepEqual(await slicesOf("bare"), []);
  });
});

/** A service without a selector, and who is behind it by somebody's word. */
const bare = (name: string): KubeObject => {
  const one = service(name);
  delete (one["spec"] as JsonObject)["selector"];
  return one;
};
const byHand = (name: string, subsets: JsonObject[]): KubeObject => ({
  apiVersion: "v1",
  kind: "Endpoints",
  metadata: { name, namespace: "default", labels: { own: "yes" }, annotations: { note: "by hand" } },
  subsets,
});

describe("endpoints that somebody makes", () => {
  const ports = [{ name: "web", port: 8080 }];
  const where = { ...ENDPOINTS, namespace: "default", name: "outside" };

  test("for a service without a selector are mirrored into slices, and follow", async () => {
    const first = [{ addresses: [{ ip: "192.0.2.1" }, { ip: "2001:db8::1" }], ports }];
    const second = [{ addresses: [{ ip: "192.0.2.1" }], notReadyAddresses: [{ ip: "192.0.2.2" }], ports }];
    const setSelector = (selector: JsonObject | null) =>
      world.client.patch({ ...SERVICES, namespace: "default", name: "outside" }, "merge", { spec: { selector } });
    await golden("mirrored", [
      ["endpoints without a service", () => world.create(byHand("outside", first))],
      ["a service without a selector", () => world.create(bare("outside"))],
      ["others", () => world.client.patch(where, "merge", { subsets: second })],
      ["the service gets a selector", () => setSelector({ app: "none" })],
    ]);
    await setSelector(null);
    await world.client.delete(where);
    await world.create(byHand("outside", first));
    await world.settle();
    const isMirrored = ({ metadata: { labels } }: EndpointSlice): boolean =>
      labels?.["endpointslice.kubernetes.io/managed-by"] === "endpointslicemirroring-controller.k8s.io";
    const slices = (await slicesOf("outside")).filter(isMirrored);
    assert.deepEqual(new Set(slices.map(({ addressType }) => addressType)), new Set(["IPv4", "IPv6"]));
    assert.equal(slices.length, 2);
    const [slice] = slices.filter(({ addressType }) => addressType === "IPv4");
    assert.deepEqual(slice?.endpoints, [{ addresses: ["192.0.2.1"], conditions: { ready: true } }]);
    assert.deepEqual(slice?.ports, [{ name: "web", port: 8080, protocol: "TCP" }]);
    assert.deepEqual(slice?.metadata.labels, {
      own: "yes",
      "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
      "kubernetes.io/service-name": "outside",
    });
    assert.deepEqual(
      [slice?.metadata.annotations, slice?.metadata.ownerReferences?.[0]?.kind],
      [{ note: "by hand" }, "Endpoints"],
    );
    await world.client.delete(where);
    await world.settle();
    assert.deepEqual((await slicesOf("outside")).filter(isMirrored), []);
  });

  test("are left alone where they say so, and for what elects a leader", async () => {
    const subsets = [{ addresses: [{ ip: "192.0.2.9" }], ports }];
    for (const [name, more] of [
      ["skipped", { labels: { "endpointslice.kubernetes.io/skip-mirror": "true" } }],
      ["leader", { annotations: { "control-plane.alpha.kubernetes.io/leader": "{}" } }],
    ] as const) {
      const made = byHand(name, subsets);
      await world.create(bare(name));
      await world.create({ ...made, metadata: { ...made.metadata, ...more } });
      await world.settle();
      assert.deepEqual(await slicesOf(name), [], name);
    }
  });

  test("beyond a thousand addresses are not mirrored, and an event says so", async () => {
    const addresses = Array.from({ length: 1003 }, (_, index) => ({ ip: `198.18.${index >> 8}.${index & 255}` }));
    world.history.begin();
    await world.create(bare("many-outside"));
    await world.create(byHand("many-outside", [{ addresses, ports }]));
    await world.settle();
    const sizes = (await slicesOf("many-outside")).map(({ endpoints }) => endpoints?.length);
    assert.deepEqual(sizes, [1000]);
    assert.match(world.history.lines.join("\n"), /TooManyAddressesToMirror.* 3 addresses were skipped/);
  });
});

describe("traffic is to stay near", () => {
  test("where the service says so: ready endpoints are for their zone, or for their node", async () => {
    const labels = { "topology.kubernetes.io/zone": "zone-a" };
    await world.create({ apiVersion: "v1", kind: "Node", metadata: { name: "node-1", labels } });
    await world.create(service("near", { trafficDistribution: "PreferSameZone" }));
    await pod("near", 700);
    await pod("near", 701, false);
    await world.settle();
    const hints = async () =>
      (await slicesOf("near")).flatMap(({ endpoints }) => endpoints ?? []).map((one) => one.hints);
    const zones = { forZones: [{ name: "zone-a" }] };
    assert.deepEqual(await hints(), [zones, undefined]);
    const wish = async (trafficDistribution: string | null): Promise<void> => {
      const ref = { ...SERVICES, namespace: "default", name: "near" };
      await world.client.patch(ref, "merge", { spec: { trafficDistribution } });
      await world.settle();
    };
    await wish("PreferSameNode");
    assert.deepEqual(await hints(), [{ ...zones, forNodes: [{ name: "node-1" }] }, undefined]);
    await wish(null);
    assert.deepEqual(await hints(), [undefined, undefined]);
    await world.client.delete({ ...NODES, name: "node-1" });
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { JsonObject } from "@boxship/api";
import type { Service, ServiceEndpointSlice } from "@boxship/client";
import type { ServiceFront } from "@boxship/network";
import { frontsOf } from "./fronts-of.ts";

const NODE = { node: "here" };

function service(spec: Service["spec"], status: Service["status"] = {}): Service {
  const ports = [{ name: "http", port: 80, nodePort: 30080 }];
  const base = { type: "ClusterIP", clusterIP: "10.96.1.1", clusterIPs: ["10.96.1.1"], ipFamilies: ["IPv4"], ports };
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web", namespace: "default" },
    spec: { ...base, ...spec },
    status,
  };
}

interface At {
  readonly ready?: boolean;
  readonly serving?: boolean;
  readonly terminating?: boolean;
  readonly node?: string;
}

function slice(endpoints: Readonly<Record<string, At>>, rest: object = {}): ServiceEndpointSlice {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "web-1", namespace: "default" },
    addressType: "IPv4",
    ports: [{ name: "http", port: 8080, protocol: "TCP" }],
    endpoints: Object.entries(endpoints).map(([address, { node = "here", ...conditions }]) => ({
      addresses: [address],
      conditions,
      nodeName: node,
    })),
    ...rest,
  };
}

const addresses = ({ places }: ServiceFront): string[] => places.map(({ address, port }) => `${address}:${port}`);

/** The only front. */
function only(fronts: readonly ServiceFront[]): ServiceFront {
  assert.equal(fronts.length, 1);
  const [front] = fronts;
  assert.ok(front !== undefined);
  return front;
}

describe("fronts of a service", () => {
  it("lead to ready endpoints, to ones that end and still answer when there are no others, and refuse without", () => {
    const endpoints = {
      "10.0.0.1": { ready: true },
      "10.0.0.2": { ready: false },
      "10.0.0.3": { ready: false, serving: true, terminating: true },
    };
    const front = only(frontsOf(service({}), [slice(endpoints), slice({ "10.0.0.1": {} })], NODE));
    assert.deepEqual(addresses(front), ["10.0.0.1:8080"]);
    assert.deepEqual(
      { ...front, places: [] },
      {
        address: "10.96.1.1",
        family: "ipv4",
        protocol: "tcp",
        port: 80,
        reach: "cluster",
        action: "balance",
        places: [],
        masquerade: false,
        stickySeconds: 0,
      },
    );
    const { "10.0.0.1": _, ...ending } = endpoints;
    assert.deepEqual(addresses(only(frontsOf(service({}), [slice(ending)], NODE))), ["10.0.0.3:8080"]);
    assert.equal(only(frontsOf(service({}), [slice({ "10.0.0.2": { ready: false } })], NODE)).action, "refuse");
    assert.equal(only(frontsOf(service({}), [], NODE)).action, "refuse");
    assert.equal(only(frontsOf(service({}), [slice({ "10.0.0.1": {} }, { ports: null })], NODE)).action, "refuse");
  });

  it("are none for names that are somebody else's, and for services without an address", () => {
    assert.deepEqual(
      frontsOf(service({ clusterIP: "None", clusterIPs: ["None"] }), [slice({ "10.0.0.1": {} })], NODE),
      [],
    );
    assert.deepEqual(frontsOf(service({ type: "ExternalName", clusterIP: "" }), [], NODE), []);
  });

  it("are at the node's port, at external addresses and at those of a balancer", () => {
    const spec = { type: "LoadBalancer", externalIPs: ["192.0.2.1"] };
    const status = { loadBalancer: { ingress: [{ ip: "192.0.2.2" }, { ip: "192.0.2.3", ipMode: "Proxy" }] } };
    const fronts = frontsOf(service(spec, status), [slice({ "10.0.0.1": {}, "10.0.9.1": { node: "there" } })], NODE);
    assert.deepEqual(
      fronts.map(({ address = "", port, reach, masquerade }) => [address, port, reach, masquerade]),
      [
        ["10.96.1.1", 80, "cluster", false],
        ["192.0.2.1", 80, "everybody", true],
        ["192.0.2.2", 80, "everybody", true],
        ["", 30080, "everybody", true],
      ],
    );
    const local = frontsOf(service({ type: "NodePort" }), [slice({ "10.0.0.1": {} })], NODE);
    assert.deepEqual(
      local.map(({ masquerade }) => masquerade),
      [false, false],
    );
  });

  it("keep to endpoints of this node where the policy says so, and drop when only others have some", () => {
    const both = [slice({ "10.0.0.1": {}, "10.0.9.1": { node: "there" } })];
    const there = [slice({ "10.0.9.1": { node: "there" } })];
    const inside = service({ internalTrafficPolicy: "Local" });
    assert.deepEqual(addresses(only(frontsOf(inside, both, NODE))), ["10.0.0.1:8080"]);
    assert.equal(only(frontsOf(inside, there, NODE)).action, "drop");
    assert.equal(only(frontsOf(inside, [], NODE)).action, "refuse");
    const [cluster, port] = frontsOf(service({ type: "NodePort", externalTrafficPolicy: "Local" }), both, NODE);
    assert.equal(cluster?.places.length, 2);
    assert.deepEqual([port?.places.length, port?.masquerade], [1, false]);
  });

  it("take clients back, have their own family, and go where this program serves them itself", () => {
    const sticky = (config?: object) => service({ sessionAffinity: "ClientIP", ...config });
    assert.equal(only(frontsOf(sticky(), [slice({ "10.0.0.1": {} })], NODE)).stickySeconds, 10_800);
    const short = sticky({ sessionAffinityConfig: { clientIP: { timeoutSeconds: 7 } } });
    assert.equal(only(frontsOf(short, [slice({ "10.0.0.1": {} })], NODE)).stickySeconds, 7);
    assert.equal(only(frontsOf(sticky(), [], NODE)).stickySeconds, 0);
    const dual = service({ clusterIPs: ["10.96.1.1", "fd00::1"], ipFamilies: ["IPv4", "IPv6"] });
    const six = slice({ "fd00:1::1": {} }, { addressType: "IPv6" });
    assert.deepEqual(
      frontsOf(dual, [slice({ "10.0.0.1": {} }), six], NODE).map((front) => [front.family, ...addresses(front)]),
      [
        ["ipv4", "10.0.0.1:8080"],
        ["ipv6", "fd00:1::1:8080"],
      ],
    );
    const local = new Map([["default/web tcp", { address: "127.0.0.1", port: 6443 }]]);
    const own = only(frontsOf(service({}), [slice({ "192.0.2.1": {} })], { ...NODE, local }));
    assert.deepEqual(addresses(own), ["127.0.0.1:6443"]);
  });

  it("never lead to what only the machine itself reaches, whatever slices say", () => {
    for (const own of ["127.0.0.1", "127.8.9.10", "0.0.0.0", "169.254.169.254"]) {
      assert.equal(only(frontsOf(service({}), [slice({ [own]: {} })], NODE)).action, "refuse", own);
      assert.deepEqual(addresses(only(frontsOf(service({}), [slice({ [own]: {}, "10.0.0.1": {} })], NODE))), [
        "10.0.0.1:8080",
      ]);
    }
    const six = service({ clusterIPs: ["fd00::1"], ipFamilies: ["IPv6"] });
    for (const own of ["::1", "::", "fe80::1", "::ffff:127.0.0.1", "::ffff:7f00:1"]) {
      const slices = [slice({ [own]: {} }, { addressType: "IPv6" })];
      assert.equal(only(frontsOf(six, slices, NODE)).action, "refuse", own);
    }
  });

  it("lead to endpoints that are meant for the node or its zone, where all are meant for some", () => {
    const meant = (hints: Readonly<Record<string, JsonObject>>) => {
      const base = slice({ "10.1.0.1": {}, "10.1.0.2": { node: "there" } });
      const endpoints = base.endpoints?.map((one) => ({ ...one, hints: hints[one.addresses[0] ?? ""] ?? {} })) ?? [];
      const fronts = frontsOf(service({}), [{ ...base, endpoints }], { ...NODE, zone: "a" });
      return fronts[0]?.places.map(({ address }) => address);
    };
    const zone = (name: string) => ({ forZones: [{ name }] });
    const node = (name: string) => ({ forNodes: [{ name }] });
    assert.deepEqual(meant({ "10.1.0.1": zone("a"), "10.1.0.2": zone("b") }), ["10.1.0.1"]);
    assert.deepEqual(meant({ "10.1.0.1": zone("b"), "10.1.0.2": zone("a") }), ["10.1.0.2"]);
    assert.deepEqual(meant({ "10.1.0.1": zone("a") }), ["10.1.0.1", "10.1.0.2"]);
    assert.deepEqual(meant({ "10.1.0.1": zone("b"), "10.1.0.2": zone("c") }), ["10.1.0.1", "10.1.0.2"]);
    const both = { "10.1.0.1": { ...zone("b"), ...node("here") }, "10.1.0.2": { ...zone("a"), ...node("there") } };
    assert.deepEqual(meant(both), ["10.1.0.1"]);
  });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../../object/json.ts";
import { kindOf, objectOf, problemsOf, warningsOf } from "../../testing/problems-of.ts";

const service = (spec: JsonObject): JsonObject => ({ spec: { ports: [{ port: 80 }], ...spec } });
const wrong = (spec: JsonObject, before?: JsonObject): readonly string[] =>
  problemsOf("services", service(spec), before === undefined ? undefined : service(before));

test("a service says what is wrong with its ports, its type, and what only others have", () => {
  assert.deepEqual(wrong({}), []);
  assert.deepEqual(wrong({ type: "LoadBalancer", loadBalancerClass: "a.io/b" }), []);
  const ports = [
    { name: "a", port: 80, nodePort: 30_000 },
    { name: "a", port: 80, targetPort: "No", protocol: "ICMP", appProtocol: "b c" },
    { port: 0, targetPort: 80 },
  ];
  assert.deepEqual(
    wrong({ ports }).filter((text) => !text.includes("appProtocol")),
    [
      "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
      'spec.ports[1].name: Duplicate value: "a"',
      'spec.ports[1].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"',
      'spec.ports[1].targetPort: Invalid value: "No": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)',
      "spec.ports[2].name: Required value",
      "spec.ports[2].port: Invalid value: 0: must be between 1 and 65535, inclusive",
    ],
  );
  assert.deepEqual(
    wrong({
      ports: [
        { name: "a", port: 80 },
        { name: "b", port: 80 },
      ],
    }),
    [
      'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0}',
    ],
  );
  const others = {
    loadBalancerClass: "a.io/b",
    allocateLoadBalancerNodePorts: false,
    loadBalancerSourceRanges: ["10.0.0.0/8"],
    externalTrafficPolicy: "Local",
    healthCheckNodePort: 30_001,
    sessionAffinityConfig: { clientIP: { timeoutSeconds: 0 } },
    sessionAffinity: "ClientIP",
    trafficDistribution: "Far",
    internalTrafficPolicy: "Odd",
  };
  const balanced = "may only be used when `type` is 'LoadBalancer'";
  assert.deepEqual(wrong(others), [
    "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 0: must be greater than 0 and less than 86400",
    `spec.LoadBalancerSourceRanges: Forbidden: ${balanced}`,
    `spec.allocateLoadBalancerNodePorts: Forbidden: ${balanced}`,
    `spec.loadBalancerClass: Forbidden: ${balanced}`,
    'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services',
    "spec.healthCheckNodePort: Invalid value: 30001: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
    'spec.internalTrafficPolicy: Unsupported value: "Odd": supported values: "Cluster", "Local"',
    'spec.trafficDistribution: Unsupported value: "Far": supported values: "PreferClose", "PreferSameZone", "PreferSameNode"',
  ]);
  assert.deepEqual(wrong({ type: "ExternalName", clusterIPs: ["10.0.0.1"], ports: [] }), [
    "spec.clusterIPs: Forbidden: may not be set for ExternalName services",
    "spec.externalName: Required value",
  ]);
  assert.deepEqual(wrong({ externalIPs: ["127.0.0.1", "x"] }), [
    'spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
    'spec.externalIPs[1]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
  ]);
  assert.deepEqual(problemsOf("services", { ...service({}), metadata: { name: "1st" } }), []);
});

test("what a service has for its type goes with the type; its class stays", () => {
  const kind = kindOf("services");
  const old = objectOf(kind, {
    spec: { type: "LoadBalancer", loadBalancerClass: "a.io/b", ports: [{ port: 80, nodePort: 30_000 }] },
  });
  const now = objectOf(kind, { spec: { ...(old["spec"] as JsonObject), type: "ClusterIP" } });
  kind.hooks.prepareUpdate?.(now, old, "");
  const { loadBalancerClass, externalTrafficPolicy, ports } = now["spec"] as JsonObject;
  assert.deepEqual([loadBalancerClass, externalTrafficPolicy], [undefined, undefined]);
  assert.deepEqual(ports, [{ port: 80, protocol: "TCP", targetPort: 80 }]);
  assert.deepEqual(wrong({ type: "LoadBalancer", loadBalancerClass: "c.io/d" }, { type: "LoadBalancer" }), [
    'spec.loadBalancerClass: Invalid value: "c.io/d": may not change once set',
  ]);
  const status = { loadBalancer: { ingress: [{ ip: "10.0.0.1" }] } };
  assert.deepEqual(problemsOf("services", { ...service({}), status }, service({}), "status"), [
    "status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is 'LoadBalancer'",
  ]);
  assert.deepEqual(warningsOf("services", service({ externalIPs: ["10.0.0.1"], externalName: "a.b" })), [
    "spec.externalIPs is deprecated and may no longer be implemented in some clusters",
    'spec.externalName is ignored when spec.type is not "ExternalName"',
  ]);
});

test("an ingress has rules or a backend, hosts that are names, and paths that lead down", () => {
  const backend = { service: { name: "s", port: { number: 80 } } };
  const rule = (host: string, ...paths: JsonObject[]): JsonObject => ({ host, http: { paths } });
  const good = { rules: [rule("*.a.b", { path: "/", pathType: "Prefix", backend })], tls: [{ hosts: ["a.b"] }] };
  assert.deepEqual(problemsOf("ingresses", { spec: good }), []);
  assert.deepEqual(problemsOf("ingresses", { spec: {} }), [
    "spec: Invalid value: null: either `defaultBackend` or `rules` must be specified",
  ]);
  const paths = [
    { path: "x", pathType: "Exact", backend },
    { path: "/a//b/..", pathType: "Prefix", backend: {} },
    { path: "/", pathType: "Near", backend: { service: { name: "S", port: {} } } },
    { path: "/", backend },
  ];
  const P = "spec.rules[0].http.paths";
  const found = problemsOf("ingresses", { spec: { rules: [rule("10.0.0.1", ...paths), rule("a", ...[])] } });
  assert.deepEqual(
    found.filter((text) => !text.includes("RFC 1123")),
    [
      'spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address',
      `${P}[0].path: Invalid value: "x": must be an absolute path`,
      `${P}[1].path: Invalid value: "/a//b/..": must not contain '//'`,
      `${P}[1].path: Invalid value: "/a//b/..": cannot end with '/..'`,
      `${P}[1].backend: Invalid value: "": resource or service backend is required`,
      `${P}[2].pathType: Unsupported value: "Near": supported values: "Exact", "ImplementationSpecific", "Prefix"`,
      `${P}[2].backend: Required value: port name or number is required`,
      `${P}[3].pathType: Required value: pathType must be specified`,
      "spec.rules[1].http.paths: Required value",
    ],
  );
  const annotations = { "kubernetes.io/ingress.class": "a" };
  assert.deepEqual(problemsOf("ingresses", { metadata: { annotations }, spec: { ...good, ingressClassName: "b" } }), [
    'annotations.kubernetes.io/ingress.class: Invalid value: "a": must match `ingressClassName` when both are specified',
  ]);
  assert.equal(warningsOf("ingresses", { metadata: { annotations }, spec: good }).length, 1);
});

test("a disruption budget has one number or part, and a status that counts", () => {
  const of = (spec: JsonObject): JsonObject => ({ spec });
  assert.deepEqual(problemsOf("poddisruptionbudgets", of({ minAvailable: "50%", selector: {} })), []);
  assert.deepEqual(
    problemsOf("poddisruptionbudgets", of({ minAvailable: "101%", unhealthyPodEvictionPolicy: "Odd" })),
    [
      'spec.minAvailable: Invalid value: "101%": must not be greater than 100%',
      'spec.unhealthyPodEvictionPolicy: Unsupported value: "Odd": supported values: "AlwaysAllow", "IfHealthyBudget"',
    ],
  );
  assert.deepEqual(problemsOf("poddisruptionbudgets", of({ minAvailable: 1, maxUnavailable: -1 })), [
    'spec: Invalid value: {"minAvailable":1,"maxUnavailable":-1}: minAvailable and maxUnavailable cannot be both set',
    "spec.maxUnavailable: Invalid value: -1: must be greater than or equal to 0",
  ]);
  const status = {
    disruptionsAllowed: -1,
    conditions: [{ type: "A", status: "Maybe", reason: "1", lastTransitionTime: "2026-01-01T00:00:00Z" }],
  };
  const [state, reason, count] = problemsOf("poddisruptionbudgets", { status }, {}, "status");
  assert.equal(
    state,
    'status.conditions[0].status: Unsupported value: "Maybe": supported values: "False", "True", "Unknown"',
  );
  assert.match(reason ?? "", /^status\.conditions\[0\]\.reason: Invalid value: "1": a condition reason must start/);
  assert.equal(count, "status.disruptionsAllowed: Invalid value: -1: must be greater than or equal to 0");
});

test("a volume is of one type, and what it is stays; an attachment is of one volume", () => {
  const volume = (spec: JsonObject): JsonObject => ({
    spec: { accessModes: ["ReadWriteOnce"], capacity: { storage: "1Gi" }, ...spec },
  });
  const hostPath = { path: "/data" };
  assert.deepEqual(problemsOf("persistentvolumes", volume({ hostPath })), []);
  assert.deepEqual(
    problemsOf("persistentvolumes", volume({ local: { path: "/x" }, nfs: { server: "s", path: "/" } })),
    [
      "spec.local: Forbidden: may not specify more than 1 volume type",
      "spec.nodeAffinity: Required value: Local volume requires node affinity",
    ],
  );
  const odd = {
    hostPath: { path: "/" },
    persistentVolumeReclaimPolicy: "Recycle",
    capacity: { cpu: "1" },
    accessModes: [],
  };
  assert.deepEqual(problemsOf("persistentvolumes", volume(odd)), [
    "spec.accessModes: Required value",
    'spec.capacity: Unsupported value: {"cpu":"1"}: supported values: "storage"',
    "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'",
  ]);
  assert.deepEqual(problemsOf("persistentvolumes", volume({ hostPath: { path: "/b" } }), volume({ hostPath })), [
    `spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation\n@@ -1,6 +1,6 @@\n {\n  "hostPath": {\n-  "path": "/data",\n+  "path": "/b",\n   "type": ""\n  }\n }\n`,
  ]);
  const attached = (source: JsonObject): JsonObject => ({ spec: { attacher: "a.io", nodeName: "n", source } });
  assert.deepEqual(problemsOf("volumeattachments", attached({ persistentVolumeName: "v" })), []);
  assert.deepEqual(problemsOf("volumeattachments", attached({ inlineVolumeSpec: { capacity: { storage: "1" } } })), [
    "spec.source.inlineVolumeSpec.accessModes: Required value",
    "spec.source.inlineVolumeSpec: Required value: must specify a volume type",
    "spec.source.inlineVolumeSpec.capacity: Forbidden: may not be specified in the context of inline volumes",
    "spec.source.inlineVolumeSpec.csi: Required value: has to be specified in the context of inline volumes",
  ]);
});

test("a service's addresses are of families, two at most, and stay", () => {
  const at = (spec: JsonObject) => wrong(spec);
  const A = "spec.clusterIPs";
  const one = { clusterIP: "10.0.0.1", clusterIPs: ["10.0.0.1"], ipFamilies: ["IPv4"] };
  const two = {
    clusterIP: "10.0.0.1",
    clusterIPs: ["10.0.0.1", "fd00::1"],
    ipFamilies: ["IPv4", "IPv6"],
    ipFamilyPolicy: "PreferDualStack",
  };
  assert.deepEqual([at(one), at(two)], [[], []]);
  assert.deepEqual(at({ clusterIP: "10.0.0.1" }), [`${A}: Required value`]);
  assert.deepEqual(at({ clusterIPs: ["10.0.0.1"] }), [
    `${A}: Invalid value: ["10.0.0.1"]: must be empty when \`clusterIP\` is not specified`,
  ]);
  assert.deepEqual(at({ ...one, clusterIP: "10.0.0.2", ipFamilies: ["IPv6", "IPv6"], ipFamilyPolicy: "Any" }), [
    `${A}: Invalid value: ["10.0.0.1"]: first value must match \`clusterIP\``,
    'spec.ipFamilies[1]: Duplicate value: "IPv6"',
    'spec.ipFamilyPolicy: Unsupported value: "Any": supported values: "PreferDualStack", "RequireDualStack", "SingleStack"',
    `${A}[0]: Invalid value: "10.0.0.1": expected an IPv6 value as indicated by \`ipFamilies[0]\``,
  ]);
  const list = (...clusterIPs: readonly string[]) =>
    at({ clusterIP: clusterIPs[0] ?? "", clusterIPs: [...clusterIPs] });
  assert.deepEqual(list("None", "10.0.0.1"), [
    `${A}: Invalid value: ["None","10.0.0.1"]: 'None' must be the first and only value`,
  ]);
  assert.deepEqual(list("10.0.0.1", "10.0.0.2"), [
    `${A}: Invalid value: ["10.0.0.1","10.0.0.2"]: may specify no more than one IP for each IP family`,
  ]);
  assert.deepEqual(list("10.0.0.01"), [`${A}[0]: Invalid value: "10.0.0.01": must not have leading 0s`]);
  const changed = "may not change once set";
  assert.deepEqual(wrong({ ...one, clusterIP: "10.0.0.2", clusterIPs: ["10.0.0.2"] }, one), [
    `${A}[0]: Invalid value: ["10.0.0.2"]: ${changed}`,
  ]);
  assert.deepEqual(wrong(two, one), []);
  assert.deepEqual(wrong({ ...one, ipFamilyPolicy: "SingleStack" }, two), []);
  assert.deepEqual(wrong({ ...one, ipFamilyPolicy: "PreferDualStack" }, two), [
    `spec.ipFamilyPolicy: Invalid value: "PreferDualStack": must be set to 'SingleStack' when releasing the secondary clusterIP`,
    `spec.ipFamilyPolicy: Invalid value: "PreferDualStack": must be set to 'SingleStack' when releasing the secondary ipFamily`,
  ]);
  assert.deepEqual(wrong({}, one), [
    `${A}[0]: Invalid value: null: primary clusterIP can not be unset`,
    "spec.ipFamilies[0]: Invalid value: null: primary ipFamily can not be unset",
  ]);
  assert.deepEqual(wrong({ type: "ExternalName", externalName: "a.b" }, one), []);
});

test("the addresses of a balancer have a mode", () => {
  const kind = kindOf("services");
  const ingress = [{ ip: "1.2.3.4" }];
  const status = { loadBalancer: { ingress } };
  const balanced = objectOf(kind, { ...service({ type: "LoadBalancer" }), status });
  assert.deepEqual(balanced["status"], { loadBalancer: { ingress: [{ ip: "1.2.3.4", ipMode: "VIP" }] } });
  const wrongStatus = (item: JsonObject) =>
    problemsOf(
      "services",
      { ...service({ type: "LoadBalancer" }), status: { loadBalancer: { ingress: [item] } } },
      service({ type: "LoadBalancer" }),
      "status",
    );
  assert.deepEqual(wrongStatus({ ip: "1.2.3.4", ipMode: "Far" }), [
    'status.loadBalancer.ingress[0].ipMode: Unsupported value: "Far": supported values: "Proxy", "VIP"',
  ]);
});

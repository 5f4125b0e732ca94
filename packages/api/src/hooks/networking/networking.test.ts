import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../../object/json.ts";
import { problemsOf, warningsOf } from "../../testing/problems-of.ts";

const policy = (spec: JsonObject): JsonObject => ({ spec: { podSelector: {}, ...spec } });

test("a network policy says what is wrong with its selectors, ports, peers and blocks", () => {
  assert.deepEqual(
    problemsOf("networkpolicies", policy({ ingress: [{}], egress: [{ to: [{ podSelector: {} }] }] })),
    [],
  );
  const spec = {
    podSelector: { matchLabels: { "a b": "c" }, matchExpressions: [{ key: "k", operator: "Near" }] },
    ingress: [
      {
        ports: [
          { protocol: "ICMP", port: 0 },
          { port: 80, endPort: 70 },
          { port: "web", endPort: 80 },
          { endPort: 80 },
          { port: "No" },
        ],
        from: [
          {},
          { podSelector: {}, ipBlock: { cidr: "10.0.0.0/8" } },
          { ipBlock: { cidr: "" } },
          { ipBlock: { cidr: "10.0.0.0/8", except: ["10.0.0.0/8", "11.0.0.0/16", "10.1.0.0/16", "x"] } },
          { ipBlock: { cidr: "010.0.0.0/8" } },
          { ipBlock: { cidr: "10.0.0.1/8" } },
        ],
      },
    ],
    policyTypes: ["Ingress", "Both"],
  };
  const from = "spec.ingress[0].from";
  const ports = "spec.ingress[0].ports";
  assert.deepEqual(problemsOf("networkpolicies", policy(spec)), [
    "spec.podSelector.matchLabels: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
    'spec.podSelector.matchExpressions[0].operator: Invalid value: "Near": not a valid selector operator',
    `${ports}[0].protocol: Unsupported value: "ICMP": supported values: "TCP", "UDP", "SCTP"`,
    `${ports}[0].port: Invalid value: 0: must be between 1 and 65535, inclusive`,
    `${ports}[1].endPort: Invalid value: 70: must be greater than or equal to \`port\``,
    `${ports}[2].endPort: Invalid value: 80: may not be specified when \`port\` is non-numeric`,
    `${ports}[3].endPort: Invalid value: 80: may not be specified when \`port\` is not specified`,
    `${ports}[4].port: Invalid value: "No": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)`,
    `${from}[0]: Required value: must specify a peer`,
    `${from}[1]: Forbidden: may not specify both ipBlock and another peer`,
    `${from}[2].ipBlock.cidr: Required value`,
    `${from}[3].ipBlock.except[0]: Invalid value: "10.0.0.0/8": must be a strict subset of \`cidr\``,
    `${from}[3].ipBlock.except[1]: Invalid value: "11.0.0.0/16": must be a strict subset of \`cidr\``,
    `${from}[3].ipBlock.except[3]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)`,
    `${from}[4].ipBlock.cidr: Invalid value: "010.0.0.0/8": must not have leading 0s in IP or prefix length`,
    `${from}[5].ipBlock.cidr: Invalid value: "10.0.0.1/8": must not have bits set beyond the prefix length`,
    'spec.policyTypes[1]: Unsupported value: "Both": supported values: "Ingress", "Egress"',
  ]);
});

test("networks that a policy had before may stay, and are warned of", () => {
  const old = policy({ ingress: [{ from: [{ ipBlock: { cidr: "10.0.0.1/8" } }] }] });
  assert.deepEqual(problemsOf("networkpolicies", old, old), []);
  const at = "spec.ingress[0].from[0].ipBlock.cidr";
  assert.deepEqual(warningsOf("networkpolicies", old), [
    `${at}: CIDR value "10.0.0.1/8" is ambiguous in this context (should be "10.0.0.0/8" or "10.0.0.1/32"?)`,
  ]);
  const long = policy({ ingress: [{ from: [{ ipBlock: { cidr: "2001:DB8:0::/64" } }] }] });
  assert.deepEqual(warningsOf("networkpolicies", long), [
    `${at}: IPv6 CIDR value "2001:DB8:0::/64" should be in RFC 5952 canonical format ("2001:db8::/64")`,
  ]);
});

test("an ingress class has a controller below a domain, and keeps it", () => {
  const of = (spec: JsonObject): JsonObject => ({ spec });
  const good = of({ controller: "a.io/b", parameters: { kind: "K", name: "n" } });
  assert.deepEqual(problemsOf("ingressclasses", good), []);
  assert.deepEqual(problemsOf("ingressclasses", {}), ["spec.controller: Required value"]);
  assert.deepEqual(problemsOf("ingressclasses", of({ controller: "a.io/c" }), good), [
    'spec.controller: Invalid value: "a.io/c": field is immutable',
  ]);
  const wrong = of({ controller: "plain", parameters: { kind: "", name: "a/b", scope: "Namespace" } });
  assert.deepEqual(problemsOf("ingressclasses", wrong), [
    'spec.controller: Invalid value: "plain": must be a domain-prefixed path (such as "acme.io/foo")',
    "spec.parameters.kind: Required value",
    "spec.parameters.name: Invalid value: \"a/b\": may not contain '/'",
    "spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'",
  ]);
  const cluster = of({ controller: "a.io/b", parameters: { kind: "K", name: "n", namespace: "x" } });
  assert.deepEqual(problemsOf("ingressclasses", cluster), [
    "spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'",
  ]);
});

test("an IPAddress is named by its address, and belongs to something", () => {
  const parentRef = { resource: "services", name: "s", namespace: "default" };
  const named = (name: string): JsonObject => ({ metadata: { name }, spec: { parentRef } });
  assert.deepEqual(problemsOf("ipaddresses", named("2001:db8::1")), []);
  assert.deepEqual(problemsOf("ipaddresses", named("2001:DB8::1")), [
    'metadata.name: Invalid value: "2001:DB8::1": must be in canonical form ("2001:db8::1")',
  ]);
  assert.deepEqual(problemsOf("ipaddresses", { metadata: { name: "10.0.0.01" } }), [
    'metadata.name: Invalid value: "10.0.0.01": must not have leading 0s',
    "spec.parentRef: Required value",
  ]);
});

test("a ServiceCIDR has one network of each family, and at most gets a second", () => {
  const of = (...cidrs: string[]): JsonObject => ({ spec: { cidrs } });
  const both = ["10.0.0.0/16", "fd00::/64"] as const;
  assert.deepEqual(problemsOf("servicecidrs", of(...both)), []);
  assert.deepEqual(problemsOf("servicecidrs", of(...both), of(both[0])), []);
  assert.deepEqual(problemsOf("servicecidrs", of()), ["spec.cidrs: Required value: at least one CIDR required"]);
  assert.deepEqual(problemsOf("servicecidrs", of("10.0.0.0/16", "11.0.0.0/16")), [
    'spec.cidrs: Invalid value: ["10.0.0.0/16","11.0.0.0/16"]: may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64',
  ]);
  assert.deepEqual(problemsOf("servicecidrs", of("11.0.0.0/16"), of(both[0])), [
    'spec.cidrs[0]: Invalid value: "11.0.0.0/16": field is immutable',
  ]);
});

test("endpoints are addresses that can be reached", () => {
  const of = (...subsets: JsonObject[]): JsonObject => ({ subsets });
  assert.deepEqual(problemsOf("endpoints", of({ addresses: [{ ip: "10.0.0.1" }], ports: [{ port: 80 }] })), []);
  const wrong = of(
    {},
    {
      addresses: [{ ip: "127.0.0.1", hostname: "A" }],
      ports: [{ port: 1 }, { port: 70000, name: "b", protocol: "X" }],
    },
  );
  assert.deepEqual(problemsOf("endpoints", wrong), [
    "subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`",
    "subsets[1].addresses[0].hostname: Invalid value: \"A\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
    'subsets[1].addresses[0].ip: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
    "subsets[1].ports[0].name: Required value",
    "subsets[1].ports[1].port: Invalid value: 70000: must be between 1 and 65535, inclusive",
    'subsets[1].ports[1].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"',
  ]);
  assert.deepEqual(problemsOf("endpoints", wrong, wrong), []);
});

test("an endpoint slice has addresses of its type, few of them, and ports by their names", () => {
  const slice = (addressType: string, addresses: string[], more: JsonObject = {}): JsonObject => ({
    addressType,
    endpoints: [{ addresses, ...more }],
    ports: [],
  });
  assert.deepEqual(problemsOf("endpointslices", slice("IPv4", ["10.0.0.1", "127.0.0.1"])), []);
  assert.deepEqual(problemsOf("endpointslices", { endpoints: [], ports: [{}, { protocol: "ICMP" }] }), [
    "addressType: Required value",
    'ports[1].name: Duplicate value: ""',
    'ports[1].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"',
  ]);
  assert.deepEqual(problemsOf("endpointslices", slice("IPv4", ["fd00::1", "169.254.0.1"])), [
    'endpoints[0].addresses: Invalid value: "fd00::1": must be an IPv4 address',
    'endpoints[0].addresses[1]: Invalid value: "169.254.0.1": may not be in the link-local range (169.254.0.0/16, fe80::/10)',
  ]);
  const hints = { forZones: [{ name: "a" }, { name: "a" }] };
  assert.deepEqual(problemsOf("endpointslices", slice("FQDN", ["host"], { hints })), [
    'endpoints[0].addresses[0]: Invalid value: "host": should be a domain with at least two segments separated by dots',
    'endpoints[0].hints.forZones[1].name: Duplicate value: "a"',
  ]);
  const many = Array.from({ length: 101 }, () => "10.0.0.1");
  assert.deepEqual(problemsOf("endpointslices", slice("IPv4", many)), [
    "endpoints[0].addresses: Too many: 101: must have at most 100 items",
  ]);
  assert.deepEqual(problemsOf("endpointslices", slice("IPv6", ["fd00::1"]), slice("IPv4", ["10.0.0.1"])), [
    'addressType: Invalid value: "IPv6": field is immutable',
  ]);
});

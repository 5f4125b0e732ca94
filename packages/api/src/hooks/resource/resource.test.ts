import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../../object/json.ts";
import { kindOf, objectOf, problemsOf } from "../../testing/problems-of.ts";

const exactly = (more: JsonObject = {}): JsonObject => ({
  name: "a",
  exactly: { deviceClassName: "gpu.example", ...more },
});
const claim = (devices: JsonObject, status?: JsonObject): JsonObject => ({
  spec: { devices },
  ...(status === undefined ? {} : { status }),
});
const LABEL =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

test("a claim asks for one device of a class, unless it says otherwise", () => {
  const object = objectOf(kindOf("resourceclaims"), claim({ requests: [exactly({ tolerations: [{ key: "a" }] })] }));
  assert.deepEqual(object["spec"], {
    devices: {
      requests: [
        {
          name: "a",
          exactly: {
            deviceClassName: "gpu.example",
            tolerations: [{ key: "a", operator: "Equal" }],
            allocationMode: "ExactCount",
            count: 1,
          },
        },
      ],
    },
  });
});

test("a claim's requests are of one sort, and what is said of them names them", () => {
  const of = (devices: JsonObject): readonly string[] =>
    problemsOf("resourceclaims", claim(devices)).map((one) => one.replace("spec.devices", "~"));
  const alternatives = { name: "b", firstAvailable: [{ name: "c", deviceClassName: "x", allocationMode: "All" }] };
  const config = { opaque: { driver: "a.io", parameters: { a: 1 } } };
  assert.deepEqual(
    of({
      requests: [exactly({ selectors: [{ cel: { expression: "device.driver == 'a.io'" } }] }), alternatives],
      constraints: [{ requests: ["a", "b/c"], matchAttribute: "a.io/model" }],
      config: [{ requests: ["b"], ...config }],
    }),
    [],
  );
  assert.deepEqual(
    of({
      requests: [
        { name: "A" },
        { ...exactly(), ...alternatives, name: "a" },
        exactly({ deviceClassName: "", allocationMode: "Some", tolerations: [{ operator: "Exists", value: "x" }] }),
        exactly({ allocationMode: "All", count: 2 }),
        exactly({ count: -1, tolerations: [{ operator: "Gt", effect: "Go" }] }),
      ],
      constraints: [{ requests: ["x", "b/c/d"] }, { matchAttribute: "model" }, { distinctAttribute: "a.io/1" }],
      config: [{}, { opaque: { driver: "", parameters: [] } }, { requests: ["a", "a"], opaque: { driver: "a.io" } }],
    }),
    [
      `~.requests[0].name: Invalid value: "A": ${LABEL}`,
      "~.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required",
      "~.requests[1]: Invalid value: null: exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set",
      "~.requests[2].exactly.deviceClassName: Required value",
      '~.requests[2].exactly.allocationMode: Unsupported value: "Some": supported values: "All", "ExactCount"',
      '~.requests[2].exactly.tolerations[0].value: Invalid value: "x": must be empty for operator `Exists`',
      "~.requests[3].exactly.count: Invalid value: 2: must not be specified when allocationMode is 'All'",
      "~.requests[4].exactly.count: Invalid value: -1: must be greater than zero",
      '~.requests[4].exactly.tolerations[0].operator: Unsupported value: "Gt": supported values: "Equal", "Exists"',
      '~.requests[4].exactly.tolerations[0].effect: Unsupported value: "Go": supported values: "NoExecute", "NoSchedule", "None"',
      '~.requests[2]: Duplicate value: "a"',
      '~.requests[3]: Duplicate value: "a"',
      '~.requests[4]: Duplicate value: "a"',
      "~.constraints[0].requests[0]: Invalid value: \"x\": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'",
      "~.constraints[0].requests[1]: Invalid value: \"b/c/d\": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'",
      '~.constraints[0]: Required value: exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set',
      '~.constraints[1].matchAttribute: Invalid value: "model": a fully qualified name must be a domain and a name separated by a slash',
      "~.constraints[2].distinctAttribute: Invalid value: \"1\": a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is '[A-Za-z_][A-Za-z0-9_]*')",
      "~.config[0].opaque: Required value",
      "~.config[1].opaque.driver: Required value",
      '~.config[1].opaque.parameters: Invalid value: "<value omitted>": must be a valid JSON object',
      '~.config[2].requests[1]: Duplicate value: "a"',
      "~.config[2].opaque.parameters: Required value",
    ],
  );
  assert.deepEqual(of({ requests: Array.from({ length: 33 }, (_, index) => ({ ...exactly(), name: `r-${index}` })) }), [
    "~.requests: Too many: 33: must have at most 32 items",
  ]);
  const old = claim({ requests: [exactly()] });
  const [problem = ""] = problemsOf("resourceclaims", claim({ requests: [exactly({ count: 2 })] }), old);
  assert.match(problem, /^spec: Invalid value: .*: field is immutable$/);
  assert.deepEqual(problemsOf("resourceclaims", old, old), []);
});

test("selectors of devices are boolean expressions", () => {
  const of = (...expressions: string[]): readonly string[] =>
    problemsOf("deviceclasses", {
      spec: { selectors: expressions.map((expression) => ({ cel: { expression } })) },
    }).map((one) => one.replace("spec.selectors", "~"));
  assert.deepEqual(
    of(
      "device.attributes['a.io'].model == 'x' && device.capacity['a.io'].memory.compareTo(quantity('1Gi')) >= 0",
      "cel.bind(a, device.attributes['a.io'], a.on)",
    ),
    [],
  );
  assert.deepEqual(of("device.driver", "device.name == ''", `'${"x".repeat(10_240)}' == ''`), [
    '~[0].cel.expression: Invalid value: "device.driver": must evaluate to bool or the unknown type, not string',
    "~[1].cel.expression: Invalid value: \"device.name == ''\": compilation failed: ERROR: <input>:1:7: undefined field 'name'\n | device.name == ''\n | ......^",
    "~[2].cel.expression: Too long: may not be more than 10240 bytes",
  ]);
  assert.deepEqual(
    problemsOf("deviceclasses", { spec: { selectors: [{}], config: [{}], extendedResourceName: "gpu" } }),
    [
      "spec.selectors[0].cel: Required value",
      "spec.config[0].opaque: Required value",
      'spec.extendedResourceName: Invalid value: "gpu": must be a valid extended resource name',
    ],
  );
});

test("a template is a claim's, and never another's", () => {
  const of = (spec: JsonObject, metadata: JsonObject = {}): JsonObject => ({ spec: { metadata, spec } });
  const good = of({ devices: { requests: [exactly()] } });
  assert.deepEqual(problemsOf("resourceclaimtemplates", good), []);
  assert.deepEqual(
    problemsOf("resourceclaimtemplates", of({ devices: { requests: [{ name: "a" }] } }, { labels: { a: "b c" } })).map(
      (one) => one.split(": Invalid")[0]?.split(": Required")[0],
    ),
    ["spec.metadata.labels", "spec.spec.devices.requests[0]"],
  );
  const [problem = ""] = problemsOf("resourceclaimtemplates", of({ devices: {} }), good);
  assert.match(problem, /^spec: Invalid value: .*: field is immutable$/);
});

test("a claim's status is of devices that it was given, once", () => {
  const devices = { requests: [exactly()] };
  const result = { request: "a", driver: "a.io", pool: "p/q", device: "d" };
  const given = (more: JsonObject = {}): JsonObject => ({
    allocation: { devices: { results: [{ ...result, ...more }] } },
  });
  const of = (status: JsonObject, before: JsonObject = {}): readonly string[] =>
    problemsOf("resourceclaims", claim(devices, status), claim(devices, before), "status").map((one) =>
      one.replace("status.", "~"),
    );
  const user = { resource: "pods", name: "a", uid: "1" };
  const device = { driver: "a.io", pool: "p/q", device: "d", networkData: { ips: ["10.0.0.1/24"] } };
  assert.deepEqual(of({ ...given(), reservedFor: [user], devices: [device] }), []);
  assert.deepEqual(of({ reservedFor: [user, { uid: "1" }] }), [
    "~reservedFor[1].resource: Required value",
    "~reservedFor[1].name: Required value",
    '~reservedFor[1]: Duplicate value: "1"',
    "~reservedFor: Forbidden: may not be specified when `allocated` is not set",
  ]);
  const odd = given({ request: "b", driver: "", pool: "", shareID: "x", bindingConditions: ["c", "c"] });
  assert.deepEqual(of({ ...odd, devices: [{ ...device, networkData: { ips: ["10.0.0.1", "10.0.0.01/24"] } }] }), [
    '~devices[0]: Invalid value: "a.io/p/q/d": must be an allocated device in the claim',
    '~devices[0].networkData.ips[0]: Invalid value: "10.0.0.1": must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)',
    '~devices[0].networkData.ips[1]: Invalid value: "10.0.0.01/24": must be in canonical form ("10.0.0.1/24")',
    "~allocation.devices.results[0].request: Invalid value: \"b\": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'",
    "~allocation.devices.results[0].driver: Required value",
    "~allocation.devices.results[0].pool: Required value",
    '~allocation.devices.results[0].bindingConditions[1]: Duplicate value: "c"',
    "~allocation.devices.results[0].bindingFailureConditions: Invalid value: null: bindingFailureConditions are required to use bindingConditions",
    '~allocation.devices.results[0].shareID: Invalid value: "x": error validating uid: invalid UUID length: 1',
  ]);
  assert.match(of(given({ device: "e" }), given())[0] ?? "", /^~allocation: Invalid value: .*: field is immutable$/);
});

test("a slice is of one driver's pool, for nodes in one way, and its devices are whole", () => {
  const pool = { name: "p", generation: 1, resourceSliceCount: 1 };
  const of = (more: JsonObject, before?: JsonObject): readonly string[] =>
    problemsOf(
      "resourceslices",
      { spec: { driver: "a.io", pool, nodeName: "n", ...more } },
      before && { spec: { driver: "a.io", pool, nodeName: "n", ...before } },
    );
  const policy = (requestPolicy: JsonObject): JsonObject => ({ value: "8", requestPolicy });
  assert.deepEqual(
    of({
      devices: [
        {
          name: "d",
          attributes: { model: { string: "x" }, "a.io/version": { version: "1.2.3-a.1+b" } },
          allowMultipleAllocations: true,
          capacity: {
            memory: policy({ default: "2", validValues: ["1", "2"] }),
            cores: policy({ default: "4", validRange: { min: "2", max: "8", step: "2" } }),
          },
          taints: [{ key: "a", effect: "NoSchedule" }],
        },
      ],
    }),
    [],
  );
  assert.deepEqual(of({ driver: "", pool: { name: "", generation: -1 }, nodeName: "", allNodes: false }), [
    "spec.driver: Required value",
    "spec.pool.name: Required value",
    "spec.pool.resourceSliceCount: Invalid value: 0: must be greater than zero",
    "spec.pool.generation: Invalid value: -1: must be greater than or equal to zero",
    'spec.nodeName: Invalid value: "": must be either unset or set to a non-empty string',
    "spec.allNodes: Invalid value: false: must be either unset or set to true",
    "spec: Required value: exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required",
  ]);
  assert.deepEqual(
    of({ allNodes: true, sharedCounters: [{ name: "a" }, { name: "a", counters: { B: { value: "1" } } }] }),
    [
      'spec: Invalid value: "{`nodeName`, `allNodes`}": exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required, but multiple fields are set',
      "spec.sharedCounters[0].counters: Required value",
      `spec.sharedCounters[1].counters: Invalid value: "B": ${LABEL}`,
      'spec.sharedCounters[1]: Duplicate value: "a"',
    ],
  );
  const wrong = of({
    devices: [
      {
        name: "d",
        nodeName: "n",
        attributes: { a: {}, b: { bool: true, int: 1 }, c: { version: "1" } },
        capacity: { memory: policy({}) },
        taints: [{ key: "a" }],
        consumesCounters: [{ counterSet: "" }],
      },
      {
        name: "d",
        allowMultipleAllocations: true,
        capacity: {
          a: policy({ validValues: ["1"] }),
          b: policy({ default: "3", validValues: ["2", "1", "9"] }),
          c: policy({ default: "1", validRange: { min: "2", max: "9", step: "2" } }),
        },
      },
    ],
  }).map((one) => one.replace("spec.devices", "~"));
  assert.deepEqual(wrong, [
    '~[0].attributes[a]: Invalid value: "": exactly one value must be specified',
    '~[0].attributes[b]: Invalid value: {"bool":true,"int":1}: exactly one value must be specified',
    '~[0].attributes[c].version: Invalid value: "1": must be a string compatible with semver.org spec 2.0.0',
    "~[0].capacity[memory].requestPolicy: Forbidden: allowMultipleAllocations must be true",
    "~[0].taints[0].effect: Required value",
    "~[0].consumesCounters[0].counterSet: Required value",
    "~[0].consumesCounters[0].counters: Required value",
    "~[0]: Invalid value: null: `nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec",
    "~[1].capacity[a].requestPolicy.default: Required value: required when validValues is defined",
    '~[1].capacity[b].requestPolicy.validValues[1]: Invalid value: "1": values must be sorted in ascending order',
    '~[1].capacity[b].requestPolicy.validValues[2]: Invalid value: "9": option is larger than capacity value: 8',
    '~[1].capacity[b].requestPolicy.validValues: Invalid value: "3": default value is not valid according to the requestPolicy',
    '~[1].capacity[c].requestPolicy.validRange.min: Invalid value: "1": default is less than min: 2',
    '~[1].capacity[c].requestPolicy.validRange.max: Invalid value: "9": max is larger than capacity value: 8',
    '~[1].capacity[c].requestPolicy.validRange.step: Invalid value: "1": value is not a multiple of a given step (2) from (2)',
    '~[1].capacity[c].requestPolicy.validRange.step: Invalid value: "9": value is not a multiple of a given step (2) from (2)',
    '~[1]: Duplicate value: "d"',
  ]);
  assert.deepEqual(of({ nodeName: "m", driver: "b.io" }, {}), [
    'spec.driver: Invalid value: "b.io": field is immutable',
    'spec.nodeName: Invalid value: "m": field is immutable',
  ]);
});

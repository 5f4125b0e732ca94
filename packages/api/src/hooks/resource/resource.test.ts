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

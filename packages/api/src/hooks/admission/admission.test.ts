import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json, JsonObject } from "../../object/json.ts";
import { problemsOf } from "../../testing/problems-of.ts";

const rule = (more: JsonObject = {}): JsonObject => ({
  operations: ["CREATE"],
  apiGroups: [""],
  apiVersions: ["v1"],
  resources: ["pods"],
  ...more,
});
const hook = (more: JsonObject = {}): JsonObject => ({
  name: "a.example.com",
  clientConfig: { url: "https://a.example/x" },
  sideEffects: "None",
  admissionReviewVersions: ["v1"],
  ...more,
});
const hooks = (...webhooks: JsonObject[]): JsonObject => ({ webhooks });
const OF_WEBHOOKS = "validatingwebhookconfigurations";

test("a webhook has a whole name, rules, effects and versions, and is reached in one way", () => {
  assert.deepEqual(problemsOf(OF_WEBHOOKS, hooks(hook(), hook({ name: "b.example.com" }))), []);
  const wrong = hooks(
    hook({
      name: "a.com",
      failurePolicy: "Maybe",
      timeoutSeconds: 31,
      sideEffects: "Some",
      admissionReviewVersions: ["v2", "v2", "A"],
      objectSelector: { matchExpressions: [{ key: "a", operator: "Is" }] },
      rules: [rule({ operations: ["*", "READ"], apiVersions: [""], scope: "None" })],
    }),
    { name: "", clientConfig: {}, admissionReviewVersions: [] },
    hook(),
    hook(),
  );
  const label =
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
  assert.deepEqual(problemsOf(OF_WEBHOOKS, wrong), [
    'webhooks[0].name: Invalid value: "a.com": should be a domain with at least three segments separated by dots',
    'webhooks[0].rules[0].operations: Invalid value: ["*","READ"]: if \'*\' is present, must not specify other operations',
    'webhooks[0].rules[0].operations[1]: Unsupported value: "READ": supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE"',
    "webhooks[0].rules[0].apiVersions[0]: Required value",
    'webhooks[0].rules[0].scope: Unsupported value: "None": supported values: "*", "Cluster", "Namespaced"',
    'webhooks[0].failurePolicy: Unsupported value: "Maybe": supported values: "Fail", "Ignore"',
    'webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"',
    "webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds",
    'webhooks[0].objectSelector.matchExpressions[0].operator: Invalid value: "Is": not a valid selector operator',
    'webhooks[0].admissionReviewVersions[1]: Invalid value: "v2": duplicate version',
    `webhooks[0].admissionReviewVersions[2]: Invalid value: "A": ${label}`,
    'webhooks[0].admissionReviewVersions: Invalid value: ["v2","v2","A"]: must include at least one of v1, v1beta1',
    "webhooks[1].name: Required value",
    "webhooks[1].sideEffects: Required value: must specify one of None, NoneOnDryRun",
    "webhooks[1].clientConfig: Required value: exactly one of url or service is required",
    "webhooks[1].admissionReviewVersions: Required value: must specify one of v1, v1beta1",
    'webhooks[3].name: Duplicate value: "a.example.com"',
  ]);
  assert.deepEqual(
    problemsOf(
      OF_WEBHOOKS,
      hooks(hook({ timeoutSeconds: 40, sideEffects: "Some" })),
      hooks(hook({ sideEffects: "Some" })),
    ),
    ["webhooks[0].timeoutSeconds: Invalid value: 40: the timeout value must be between 1 and 30 seconds"],
    "what was allowed before stays so",
  );
});

test("a webhook's resources exclude each other, and its URL is plain HTTPS", () => {
  const resources = (...names: string[]): readonly string[] =>
    problemsOf(OF_WEBHOOKS, hooks(hook({ rules: [rule({ resources: names })] }))).map((one) =>
      one.replace("webhooks[0].rules[0].resources", "~"),
    );
  assert.deepEqual(resources(), ["~: Required value"]);
  assert.deepEqual(resources("pods/*", "pods/status", ""), [
    "~[1]: Invalid value: \"pods/status\": if 'pods/*' is present, must not specify pods/status",
    "~[2]: Required value",
  ]);
  assert.deepEqual(resources("*/scale", "pods/scale", "*/*"), [
    "~[1]: Invalid value: \"pods/scale\": if '*/scale' is present, must not specify pods/scale",
    '~: Invalid value: ["*/scale","pods/scale","*/*"]: if \'*/*\' is present, must not specify other resources',
  ]);
  assert.deepEqual(resources("*", "pods"), [
    '~: Invalid value: ["*","pods"]: if \'*\' is present, must not specify other resources without subresources',
  ]);
  const url = (text: string): readonly string[] =>
    problemsOf(OF_WEBHOOKS, hooks(hook({ clientConfig: { url: text } }))).map((one) =>
      one.replace("webhooks[0].clientConfig.url: ", "").replace("; desired format: https://host[/path]", "~"),
    );
  assert.deepEqual(url("http://u:p@a/x?y#z"), [
    "Invalid value: \"http\": 'https' is the only allowed URL scheme~",
    'Invalid value: "u:p": user information is not permitted in the URL',
    'Invalid value: "z": fragments are not permitted in the URL',
    'Invalid value: "y": query parameters are not permitted in the URL',
  ]);
  assert.deepEqual(url("https://"), ['Invalid value: "": host must be specified~']);
  assert.deepEqual(url("https://a:b"), [
    'Required value: url must be a valid URL: parse "https://a:b": invalid port ":b" after host~',
  ]);
  const service = (more: JsonObject): readonly string[] =>
    problemsOf(OF_WEBHOOKS, hooks(hook({ clientConfig: { service: { name: "a", namespace: "b", ...more } } })));
  assert.deepEqual(service({ path: "/x/y/" }), []);
  assert.deepEqual(service({ port: 70000, path: "//x" }), [
    "webhooks[0].clientConfig.service.port: Invalid value: 70000: port is not valid: must be between 1 and 65535, inclusive",
    'webhooks[0].clientConfig.service.path: Invalid value: "//x": segment[0] may not be empty',
  ]);
});

test("conditions have names once, and are boolean expressions without parameters", () => {
  const conditions = (...matchConditions: JsonObject[]): readonly string[] =>
    problemsOf("mutatingwebhookconfigurations", hooks(hook({ matchConditions }))).map((one) =>
      one.replace("webhooks[0].matchConditions", "~"),
    );
  assert.deepEqual(
    conditions(
      {
        name: "a",
        expression:
          "request.userInfo.username.startsWith('x') && authorizer.group('').resource('pods').check('get').allowed()",
      },
      { name: "b", expression: "object.spec.on" },
    ),
    [],
  );
  assert.deepEqual(
    conditions(
      { name: "a", expression: "1" },
      { name: "a", expression: " " },
      { name: "", expression: "params.x" },
      { name: "c", expression: "request.nothing == ''" },
      { name: "d", expression: "a +" },
    ),
    [
      '~[0].expression: Invalid value: "1": must evaluate to bool but got int',
      "~[1].expression: Required value",
      '~[1].name: Duplicate value: "a"',
      "~[2].expression: Invalid value: \"params.x\": compilation failed: ERROR: <input>:1:1: undeclared reference to 'params' (in container '')\n | params.x\n | ^",
      "~[2].name: Required value",
      "~[3].expression: Invalid value: \"request.nothing == ''\": compilation failed: ERROR: <input>:1:8: undefined field 'nothing'\n | request.nothing == ''\n | .......^",
      conditions({ name: "d", expression: "a +" })[0]?.replace("[0]", "[4]"),
    ],
  );
  assert.match(conditions({ name: "d", expression: "a +" })[0] ?? "", /compilation failed: ERROR: <input>:1:4: /);
});

const policy = (spec: JsonObject): JsonObject => ({
  spec: {
    matchConstraints: { resourceRules: [rule()] },
    validations: [{ expression: "object.spec.replicas > 1" }],
    ...spec,
  },
});
const OF_POLICIES = "validatingadmissionpolicies";

test("a validating policy says of what it is, and its expressions give what they must", () => {
  const good: JsonObject = {
    paramKind: { apiVersion: "rules.example/v1", kind: "Limit" },
    variables: [
      { name: "least", expression: "params.least" },
      { name: "big", expression: "variables.least > 3" },
    ],
    matchConditions: [{ name: "a", expression: "params.on == true" }],
    validations: [
      {
        expression: "variables.big || namespaceObject.metadata.name == 'x'",
        messageExpression: "'at least ' + string(1)",
      },
    ],
    auditAnnotations: [{ key: "k", valueExpression: "variables.big ? 'yes' : null" }],
  };
  assert.deepEqual(problemsOf(OF_POLICIES, policy(good)), []);
  const wrong = policy({
    failurePolicy: "Later",
    paramKind: { apiVersion: "A/v1/x", kind: "a b" },
    matchConstraints: { matchPolicy: "Some", resourceRules: [] },
    variables: [
      { name: "for", expression: "1" },
      { name: "x", expression: "variables.x" },
      { name: "", expression: "" },
    ],
    validations: [
      { expression: "'a'", message: " ", reason: "NotFound" },
      { expression: " ", messageExpression: "1", message: "a\nb" },
      { expression: "true", messageExpression: "authorizer.path('/').check('get').reason()" },
    ],
    auditAnnotations: [
      { key: "a b", valueExpression: "1" },
      { key: "a", valueExpression: "" },
      { key: "a", valueExpression: "'x'" },
    ],
  });
  const label =
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
  const qualified =
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
  assert.deepEqual(problemsOf(OF_POLICIES, wrong), [
    'spec.failurePolicy: Unsupported value: "Later": supported values: "Fail", "Ignore"',
    'spec.paramKind.apiVersion: Invalid value: "A/v1/x": unexpected GroupVersion string: A/v1/x',
    `spec.paramKind.kind: Invalid value: "a b": may have mixed case, but should otherwise match: ${label}`,
    'spec.matchConstraints.matchPolicy: Unsupported value: "Some": supported values: "Equivalent", "Exact"',
    "spec.matchConstraints.resourceRules: Required value",
    'spec.variables[0].name: Invalid value: "for": must be a valid CEL identifier',
    "spec.variables[1].expression: Invalid value: \"variables.x\": compilation failed: ERROR: <input>:1:10: undefined field 'x'\n | variables.x\n | .........^",
    "spec.variables[2].name: Required value: name is not specified",
    "spec.variables[2].expression: Required value: expression is not specified",
    "spec.validations[0].expression: Invalid value: \"'a'\": must evaluate to bool but got string",
    'spec.validations[0].message: Invalid value: " ": must be non-empty if specified',
    'spec.validations[0].reason: Unsupported value: "NotFound": supported values: "Forbidden", "Invalid", "RequestEntityTooLarge"',
    "spec.validations[1].expression: Required value: expression is not specified",
    'spec.validations[1].messageExpression: Invalid value: "1": must evaluate to string but got int',
    'spec.validations[1].message: Invalid value: "a\\nb": must not contain line breaks',
    "spec.validations[2].messageExpression: Invalid value: \"authorizer.path('/').check('get').reason()\": compilation failed: ERROR: <input>:1:1: undeclared reference to 'authorizer' (in container '')\n | authorizer.path('/').check('get').reason()\n | ^",
    `spec.auditAnnotations[0].key: Invalid value: "a/a b": ${qualified}`,
    'spec.auditAnnotations[0].valueExpression: Invalid value: "1": must evaluate to one of [string null_type] but got int',
    "spec.auditAnnotations[1].valueExpression: Required value: valueExpression is not specified",
    'spec.auditAnnotations[2].key: Duplicate value: "a"',
  ]);
  assert.deepEqual(problemsOf(OF_POLICIES, { spec: {} }), [
    "spec.matchConstraints: Required value",
    "spec.validations: Required value: validations or auditAnnotations must contain at least one item",
    "spec.auditAnnotations: Required value: validations or auditAnnotations must contain at least one item",
  ]);
  const status = { typeChecking: { expressionWarnings: [{ fieldRef: "", warning: "" }] } };
  assert.deepEqual(problemsOf(OF_POLICIES, { ...policy(good), status }, policy(good), "status"), [
    "status.typeChecking.expressionWarnings[0].warning: Required value",
    "status.typeChecking.expressionWarnings[0].fieldRef: Required value",
  ]);
});

test("a mutating policy makes objects or patches, of nothing that goes", () => {
  const mutating = (mutations: Json, more: JsonObject = {}): readonly string[] =>
    problemsOf("mutatingadmissionpolicies", {
      spec: {
        matchConstraints: { resourceRules: [rule()] },
        reinvocationPolicy: "Never",
        mutations,
        ...more,
      },
    });
  assert.deepEqual(
    mutating([
      { patchType: "ApplyConfiguration", applyConfiguration: { expression: "Object{spec: Object.spec{replicas: 3}}" } },
      {
        patchType: "JSONPatch",
        jsonPatch: { expression: "[JSONPatch{op: 'add', path: '/spec/' + jsonpatch.escapeKey('a/b'), value: 1}]" },
      },
    ]),
    [],
  );
  assert.deepEqual(
    mutating(
      [
        { patchType: "" },
        { patchType: "Merge" },
        { patchType: "JSONPatch", applyConfiguration: { expression: "x" } },
        { patchType: "JSONPatch", jsonPatch: { expression: "1" } },
        { patchType: "ApplyConfiguration", applyConfiguration: { expression: "true" } },
        { patchType: "ApplyConfiguration", applyConfiguration: { expression: " " } },
      ],
      { matchConstraints: { resourceRules: [rule({ operations: ["DELETE"] })] }, reinvocationPolicy: "Twice" },
    ),
    [
      'spec.matchConstraints.resourceRules.operations: Unsupported value: "DELETE": supported values: "*", "CONNECT", "CREATE", "UPDATE"',
      "spec.mutations[0].patchType: Required value",
      'spec.mutations[1].patchType: Unsupported value: "Merge": supported values: "ApplyConfiguration", "JSONPatch"',
      "spec.mutations[2].jsonPatch: Required value: must be specified when patchType is JSONPatch",
      'spec.mutations[2].applyConfiguration: Invalid value: "{applyConfiguration}": must not be specified when patchType is JSONPatch',
      'spec.mutations[3].jsonPatch.expression: Invalid value: "1": must evaluate to list(JSONPatch) but got int',
      'spec.mutations[4].applyConfiguration.expression: Invalid value: "true": must evaluate to Object but got bool',
      "spec.mutations[5].applyConfiguration.expression: Required value",
      'spec.reinvocationPolicy: Unsupported value: "Twice": supported values: "IfNeeded", "Never"',
    ],
  );
  assert.deepEqual(mutating([], { reinvocationPolicy: "" }), [
    "spec.mutations: Required value: mutations must contain at least one item",
    "spec.reinvocationPolicy: Required value",
  ]);
});

test("a binding names a policy, its parameters in one way, and what is done", () => {
  const good = { policyName: "a", validationActions: ["Deny", "Audit"] };
  const of = (spec: JsonObject): readonly string[] => problemsOf("validatingadmissionpolicybindings", { spec });
  assert.deepEqual(of(good), []);
  assert.deepEqual(
    of({
      paramRef: { name: "a/b", selector: {}, parameterNotFoundAction: "Ask" },
      validationActions: ["Deny", "Deny", "Warn", "Shout"],
    }),
    [
      "spec.policyName: Required value",
      "spec.paramRef.name: Invalid value: \"a/b\": may not contain '/'",
      "spec.paramRef.name: Forbidden: name and selector are mutually exclusive",
      "spec.paramRef.selector: Forbidden: name and selector are mutually exclusive",
      'spec.paramRef.parameterNotFoundAction: Unsupported value: "Ask": supported values: "Deny", "Allow"',
      'spec.validationActions[1]: Duplicate value: "Deny"',
      'spec.validationActions[3]: Unsupported value: "Shout": supported values: "Audit", "Deny", "Warn"',
      'spec.validationActions: Invalid value: ["Deny","Deny","Warn","Shout"]: must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
    ],
  );
  assert.deepEqual(of({ policyName: "a", paramRef: {} }), [
    "spec.paramRef: Required value: one of name or selector must be specified",
    "spec.paramRef.parameterNotFoundAction: Required value",
    "spec.validationActions: Required value: at least one validation action is required",
  ]);
  assert.deepEqual(
    problemsOf("mutatingadmissionpolicybindings", {
      spec: {
        policyName: "a",
        matchResources: { resourceRules: [rule({ operations: ["DELETE"], resourceNames: ["a", "a", "%"] })] },
      },
    }),
    [
      'spec.matchResources.resourceRules[0].resourceNames[1]: Duplicate value: "a"',
      "spec.matchResources.resourceRules[0].resourceNames[2]: Invalid value: \"%\": may not contain '%'",
      'spec.matchResources.resourceRules.operations: Unsupported value: "DELETE": supported values: "*", "CONNECT", "CREATE", "UPDATE"',
    ],
  );
});

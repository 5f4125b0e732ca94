import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { kubectl } from "@boxship/testkit";
import { type Answer, type ApiUnderTest, type Loose, startApi } from "../testing/api-under-test.ts";
import { startWebhook } from "../testing/webhook-under-test.ts";

const GROUP = "/apis/admissionregistration.k8s.io/v1";
const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const RULES = [{ operations: ["CREATE", "UPDATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"] }];

describe("expressions in CEL", () => {
  let api: ApiUnderTest;
  let count = 0;
  const send = (method: string, path: string, body?: object): Promise<Answer> => api.call(method, path, { body });
  const make = async (path: string, body: object): Promise<Loose> => {
    const made = await send("POST", path, body);
    assert.equal(made.status, 201, made.text);
    return made.json;
  };
  const namespace = async (labels: Record<string, string> = {}): Promise<string> => {
    const name = `ns-${count++}`;
    await make("/api/v1/namespaces", { metadata: { name, labels } });
    return name;
  };
  /** A policy that is bound to one namespace. */
  const policy = async (sort: "Mutating" | "Validating", at: string, spec: object, binding: object = {}) => {
    const name = `p-${count++}`;
    const plural = `${GROUP}/${sort.toLowerCase()}admissionpolic`;
    await make(`${plural}ies`, { metadata: { name }, spec: { matchConstraints: { resourceRules: RULES }, ...spec } });
    await make(`${plural}ybindings`, {
      metadata: { name: `${name}-bound` },
      spec: {
        policyName: name,
        ...(sort === "Validating" ? { validationActions: ["Deny"] } : {}),
        matchResources: { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": at } } },
        ...binding,
      },
    });
    return name;
  };
  const map = (at: string, data: Record<string, string> = {}, name = `m-${count++}`) =>
    send("POST", `/api/v1/namespaces/${at}/configmaps`, { metadata: { name }, data });
  /** Of a CRD with a schema for its spec; the path of its collection in the namespace default. */
  const define = async (plural: string, spec: object): Promise<string> => {
    const kind = plural[0]?.toUpperCase() + plural.slice(1);
    const made = await send("POST", CRDS, definition(plural, kind, spec));
    assert.equal(made.status, 201, made.text);
    const path = `/apis/rules.example.com/v1/namespaces/default/${plural}`;
    while ((await send("GET", path)).status !== 200);
    return path;
  };
  const definition = (plural: string, kind: string, spec: object) => ({
    metadata: { name: `${plural}.rules.example.com` },
    spec: {
      group: "rules.example.com",
      scope: "Namespaced",
      names: { plural, kind },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: "object", properties: { spec } } },
        },
      ],
    },
  });
  before(async () => {
    api = await startApi();
  });
  after(() => api?.[Symbol.asyncDispose]());

  test("rules of custom kinds hold, for new objects and for changes", async () => {
    const path = await define("widgets", {
      type: "object",
      "x-kubernetes-validations": [
        { rule: "self.min <= self.max", message: "min is above max", fieldPath: ".min" },
        { rule: "self.max < 100", messageExpression: "'max is ' + string(self.max)", reason: "FieldValueForbidden" },
        { rule: "!has(oldSelf.kept) || has(self.kept)", message: "kept stays" },
        { rule: "oldSelf.hasValue() || self.min == 1", optionalOldSelf: true, message: "begins with 1" },
      ],
      properties: {
        min: { type: "integer" },
        max: { type: "integer", default: 10 },
        kept: { type: "string" },
        "max-age": {
          type: "string",
          format: "duration",
          "x-kubernetes-validations": [{ rule: "self < duration('1h')" }],
        },
        fixed: {
          type: "string",
          "x-kubernetes-validations": [{ rule: "self == oldSelf", message: "fixed is immutable" }],
        },
        parts: {
          type: "array",
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": ["name"],
          items: {
            type: "object",
            required: ["name"],
            properties: { name: { type: "string" }, size: { type: "integer" } },
            "x-kubernetes-validations": [{ rule: "self.size >= oldSelf.size", message: "parts do not shrink" }],
          },
        },
        port: {
          "x-kubernetes-int-or-string": true,
          "x-kubernetes-validations": [{ rule: "type(self) != int || self > 0" }],
        },
      },
    });
    const cases: readonly [object, string][] = [
      [{ min: 20 }, 'spec.min: Invalid value: "object": min is above max'],
      [{ min: 1, max: 200 }, "spec: Forbidden: max is 200"],
      [{ min: 2 }, 'spec: Invalid value: "object": begins with 1'],
      [{ min: 1, "max-age": "2h" }, "spec.max-age: Invalid value: \"string\": failed rule: self < duration('1h')"],
      [{ min: 1, port: 0 }, "failed rule: type(self) != int || self > 0"],
      [{ min: "x" }, "some validation rules were not checked because the object was invalid"],
      [{ max: 5 }, "no such key: min evaluating rule: min is above max"],
    ];
    for (const [spec, words] of cases) {
      const answer = await send("POST", path, { ...type("Widgets"), metadata: { name: "w" }, spec });
      assert.deepEqual([answer.status, answer.json["message"]?.includes(words)], [422, true], answer.text);
    }
    const spec = { min: 1, kept: "yes", fixed: "a", parts: [{ name: "a", size: 2 }] };
    const made = await make(path, { ...type("Widgets"), metadata: { name: "w" }, spec });
    const changes: readonly [object, string | undefined][] = [
      [{ ...spec, kept: undefined }, "kept stays"],
      [{ ...spec, fixed: "b" }, 'spec.fixed: Invalid value: "string": fixed is immutable'],
      [
        {
          ...spec,
          parts: [
            { name: "b", size: 1 },
            { name: "a", size: 1 },
          ],
        },
        'spec.parts[1]: Invalid value: "object": parts do not shrink',
      ],
      [
        {
          ...spec,
          min: 3,
          parts: [
            { name: "b", size: 1 },
            { name: "a", size: 3 },
          ],
        },
        undefined,
      ],
    ];
    for (const [changed, words] of changes) {
      const metadata = { name: "w", resourceVersion: made.metadata.resourceVersion };
      const answer = await send("PUT", `${path}/w`, { ...made, metadata, spec: changed });
      if (words === undefined) assert.equal(answer.status, 200, answer.text);
      else assert.deepEqual([answer.status, answer.json["message"].includes(words)], [422, true], answer.text);
    }
  });
  const type = (kind: string) => ({ apiVersion: "rules.example.com/v1", kind });

  test("definitions whose rules are none are refused, and rules that cost too much end", async () => {
    const of = (rule: object, more: object = {}) => ({
      type: "object",
      properties: { a: { type: "integer" }, list: { type: "array", items: { type: "integer", ...more } } },
      "x-kubernetes-validations": [rule],
    });
    const cases: [object, string][] = [
      [of({ rule: "self.a +" }), "compilation failed: ERROR: <input>:1:9: Syntax error"],
      [
        of({ rule: "self.b == 1" }),
        "compilation failed: ERROR: <input>:1:5: undefined field 'b'\n | self.b == 1\n | ....^",
      ],
      [of({ rule: "self.a" }), "must evaluate to bool"],
      [of({ rule: "self.a == 'x'" }), "found no matching overload for '_==_' applied to '(int, string)'"],
      [of({ rule: "" }), "rule is not specified"],
      [of({ rule: "true", messageExpression: "1" }), "messageExpression"],
      [of({ rule: "true", reason: "Other" }), "Unsupported value"],
      [of({ rule: "true" }, { "x-kubernetes-validations": [{ rule: "self == oldSelf" }] }), "uncorrelatable portion"],
    ];
    cases.push([
      { type: "object", properties: { a: { type: "string", pattern: "(" } } },
      'properties[a].pattern: Invalid value: "(": must be a valid regular expression, but isn\'t: ',
    ]);
    for (const [spec, words] of cases) {
      const answer = await send("POST", CRDS, definition("wrong", "Wrong", spec));
      assert.deepEqual([answer.status, answer.json["message"]?.includes(words)], [422, true], answer.text);
    }
    const heavy = of({ rule: "self.list.all(a, self.list.all(b, self.list.all(c, a + b + c >= 0)))" });
    const refused = await send("POST", CRDS, definition("heavies", "Heavies", heavy));
    const words = "estimated rule cost exceeds budget by factor of more than 100x (try simplifying the rule, or adding";
    assert.deepEqual([refused.status, refused.json["message"]?.includes(words)], [422, true], refused.text);
    const [cause] = refused.json["details"].causes;
    assert.equal(cause.field, "spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule");
  });

  test("large definitions are served, and changed, and go, and others behind them", async () => {
    const fields = (of: string) => ({
      type: "object",
      properties: Object.fromEntries(Array.from({ length: 15_000 }, (_, index) => [`field${index}`, { type: of }])),
    });
    const wide = (of: string) => definition("wides", "Wide", fields(of));
    const [wides, smalls] = ["wides", "smalls"].map(
      (plural) => `/apis/rules.example.com/v1/namespaces/default/${plural}`,
    );
    const until = async (path: string, status: number) => {
      while ((await send("GET", path)).status !== status);
    };
    const object = (name: string, kind: string, spec: object) => ({
      apiVersion: "rules.example.com/v1",
      kind,
      metadata: { name },
      spec,
    });
    const [made] = await Promise.all([
      make(CRDS, wide("integer")),
      make(CRDS, definition("smalls", "Small", fields("string"))),
    ]);
    await until(wides as string, 200);
    await until(smalls as string, 200);
    const wrong = await send("POST", wides as string, object("a", "Wide", { field14999: "text" }));
    assert.equal(wrong.status, 422, wrong.text);
    await make(wides as string, object("a", "Wide", { field14999: 1 }));
    const { versions } = wide("string").spec;
    const patch = { body: { spec: { versions } }, headers: { "content-type": "application/merge-patch+json" } };
    assert.equal((await api.call("PATCH", `${CRDS}/${made.metadata.name}`, patch)).status, 200);
    while ((await send("POST", wides as string, object("b", "Wide", { field0: "text" }))).status !== 201);
    for (const plural of ["wides", "smalls"]) await send("DELETE", `${CRDS}/${plural}.rules.example.com`);
    await until(wides as string, 404);
    await until(smalls as string, 404);
  });

  test("a name that another definition of the group has is not given twice, and is given when it is free", async () => {
    const named = (plural: string, kind: string, names: object = {}) => {
      const made = definition(plural, kind, { type: "object" });
      return { ...made, spec: { ...made.spec, names: { ...made.spec.names, ...names } } };
    };
    const conditions = async (plural: string): Promise<Loose> => {
      const { json } = await send("GET", `${CRDS}/${plural}.rules.example.com`);
      const told = json.status?.conditions ?? [];
      return Object.fromEntries(told.map((one: Loose) => [one.type, [one.status, one.reason, one.message]]));
    };
    const until = async (plural: string, established: string): Promise<Loose> => {
      for (;;) {
        const found = await conditions(plural);
        if (found.Established?.[0] === established) return found;
      }
    };
    await make(CRDS, named("firsts", "First", { shortNames: ["fi"] }));
    await until("firsts", "True");
    await make(CRDS, named("seconds", "First", { shortNames: ["fi", "firsts", "se"] }));
    const refused = await until("seconds", "False");
    assert.deepEqual(refused, {
      NamesAccepted: ["False", "ListKindConflict", '"FirstList" is already in use'],
      Established: ["False", "NotAccepted", "not all names are accepted"],
    });
    const path = "/apis/rules.example.com/v1/namespaces/default/seconds";
    assert.equal((await send("GET", path)).status, 404);
    const { acceptedNames } = (await send("GET", `${CRDS}/seconds.rules.example.com`)).json.status;
    assert.deepEqual(acceptedNames, { kind: "", plural: "seconds" });
    const own = { singular: "second", listKind: "SecondList", shortNames: ["fi", "firsts", "se"] };
    const short = named("seconds", "Second", own);
    const patch = {
      body: { spec: { names: short.spec.names } },
      headers: { "content-type": "application/merge-patch+json" },
    };
    assert.equal((await api.call("PATCH", `${CRDS}/seconds.rules.example.com`, patch)).status, 200);
    for (let told = ""; told !== "ShortNamesConflict"; ) told = (await conditions("seconds")).NamesAccepted[1];
    assert.equal(
      (await conditions("seconds")).NamesAccepted[2],
      '["fi" is already in use, "firsts" is already in use]',
    );
    assert.equal((await send("DELETE", `${CRDS}/firsts.rules.example.com`)).status, 200);
    assert.deepEqual((await until("seconds", "True")).NamesAccepted, ["True", "NoConflicts", "no conflicts found"]);
    assert.equal((await send("GET", path)).json.kind, "SecondList");
    assert.equal((await send("DELETE", `${CRDS}/seconds.rules.example.com`)).status, 200);
  });

  test("validating policies deny and warn, by parameters, variables, conditions and what the user may", async () => {
    const at = await namespace({ tier: "gold" });
    await make(`/api/v1/namespaces/${at}/configmaps`, { metadata: { name: "limits" }, data: { most: "2" } });
    const name = await policy(
      "Validating",
      at,
      {
        paramKind: { apiVersion: "v1", kind: "ConfigMap" },
        matchConditions: [{ name: "not-limits", expression: "object.metadata.name != 'limits'" }],
        variables: [
          { name: "most", expression: "int(params.data.most)" },
          { name: "size", expression: "object.?data.orValue({}).size()" },
        ],
        validations: [
          {
            expression: "variables.size <= variables.most",
            messageExpression: "'has ' + string(variables.size) + ' of ' + string(variables.most)",
          },
          { expression: "namespaceObject.metadata.labels.tier == 'gold'", message: "only gold" },
          {
            expression:
              "!object.metadata.name.startsWith('x') || authorizer.group('').resource('secrets').namespace(request.namespace).check('delete').allowed()",
            reason: "Forbidden",
            message: "no x",
          },
        ],
      },
      { paramRef: { name: "limits", parameterNotFoundAction: "Deny" } },
    );
    assert.equal((await map(at, { a: "1", b: "2" })).status, 201);
    const refused = await map(at, { a: "1", b: "2", c: "3" }, "three");
    assert.deepEqual(
      [refused.status, refused.json["message"]],
      [
        422,
        `configmaps "three" is forbidden: ValidatingAdmissionPolicy '${name}' with binding '${name}-bound' denied request: has 3 of 2`,
      ],
    );
    assert.equal((await map(at, {}, "x-mine")).status, 201, "who may delete secrets");
    await make(`/apis/rbac.authorization.k8s.io/v1/namespaces/${at}/rolebindings`, {
      metadata: { name: "ann" },
      roleRef: { kind: "ClusterRole", name: "edit" },
      subjects: [{ kind: "User", name: "ann" }],
    });
    const as = (user: string) =>
      api.call("POST", `/api/v1/namespaces/${at}/configmaps`, {
        body: { metadata: { name: `x-${user}` } },
        headers: { "impersonate-user": user },
      });
    assert.equal((await as("ann")).status, 201);
    await make("/apis/rbac.authorization.k8s.io/v1/clusterroles", {
      metadata: { name: "maps" },
      rules: [{ apiGroups: [""], resources: ["configmaps"], verbs: ["create"] }],
    });
    await make(`/apis/rbac.authorization.k8s.io/v1/namespaces/${at}/rolebindings`, {
      metadata: { name: "eve" },
      roleRef: { kind: "ClusterRole", name: "maps" },
      subjects: [{ kind: "User", name: "eve" }],
    });
    const eve = await as("eve");
    assert.deepEqual(
      [eve.status, eve.json["reason"], eve.json["message"].endsWith("denied request: no x")],
      [403, "Forbidden", true],
    );
    assert.equal((await map(await namespace(), { a: "1", b: "2", c: "3" })).status, 201, "not bound there");
    await send("DELETE", `/api/v1/namespaces/${at}/configmaps/limits`);
    assert.match((await map(at)).json["message"], /no params found for policy binding with `Deny`/);
    const other = await namespace();
    const broken = { validations: [{ expression: "object.nothing == 1" }] };
    await policy("Validating", other, broken);
    assert.match(
      (await map(other)).json["message"],
      /expression 'object\.nothing == 1' resulted in error: no such key: nothing$/,
    );
    const lenient = await namespace();
    await policy("Validating", lenient, { ...broken, failurePolicy: "Ignore" });
    await policy(
      "Validating",
      lenient,
      { validations: [{ expression: "false", message: "just so" }] },
      { validationActions: ["Warn"] },
    );
    const warned = await map(lenient);
    assert.deepEqual(
      [
        warned.status,
        /Validation failed for ValidatingAdmissionPolicy '.*': just so/.test(String(warned.headers["warning"])),
      ],
      [201, true],
    );
  });

  test("the status of a policy says for which kinds its expressions are none", async () => {
    const rule = (group: string, ...resources: string[]) => [
      { operations: ["CREATE"], apiGroups: [group], apiVersions: ["v1"], resources },
    ];
    const checked = async (spec: object): Promise<Loose> => {
      const name = `checked-${count++}`;
      const path = `${GROUP}/validatingadmissionpolicies`;
      await make(path, { metadata: { name }, spec });
      for (;;) {
        const { metadata, status } = (await send("GET", `${path}/${name}`)).json;
        if (status?.observedGeneration === metadata.generation) return status.typeChecking;
      }
    };
    const wrong = await checked({
      matchConstraints: { resourceRules: [...rule("apps", "deployments", "statefulsets"), ...rule("", "pods")] },
      variables: [{ name: "many", expression: "object.spec.replicas" }],
      validations: [
        { expression: "object.spec.replicas > 1" },
        { expression: "variables.many > 1 && object.metadata.name != ''" },
        { expression: "object.metadata.labels.app == 'a'", messageExpression: "'no ' + object.metadata.nam" },
      ],
    });
    assert.deepEqual(wrong.expressionWarnings, [
      {
        fieldRef: "spec.validations[0].expression",
        warning:
          "/v1, Kind=Pod: ERROR: <input>:1:12: undefined field 'replicas'\n | object.spec.replicas > 1\n | ...........^",
      },
      {
        fieldRef: "spec.validations[2].messageExpression",
        warning: ["apps/v1, Kind=Deployment", "apps/v1, Kind=StatefulSet", "/v1, Kind=Pod"]
          .map(
            (kind) =>
              `${kind}: ERROR: <input>:1:24: undefined field 'nam'\n | 'no ' + object.metadata.nam\n | .......................^`,
          )
          .join("\n"),
      },
    ]);
    const right = await checked({
      matchConstraints: { resourceRules: rule("apiextensions.k8s.io", "customresourcedefinitions") },
      validations: [{ expression: "object.spec.versions.all(v, v.schema.openAPIV3Schema.type == 'object')" }],
    });
    assert.deepEqual(right, {});
    const everything = [{ operations: ["*"], apiGroups: ["*"], apiVersions: ["*"], resources: ["*"] }];
    const about = await checked({
      matchConstraints: { resourceRules: everything },
      validations: [{ expression: "object.nothing" }],
    });
    assert.deepEqual(about, {}, "what is about everything cannot be checked");
  });

  test("mutating policies change what is written, by objects and by patches", async () => {
    const at = await namespace();
    await policy("Mutating", at, {
      reinvocationPolicy: "IfNeeded",
      mutations: [
        {
          patchType: "ApplyConfiguration",
          applyConfiguration: {
            expression:
              "Object{metadata: Object.metadata{labels: {'seen': string(has(object.data) && 'late' in object.data)}}}",
          },
        },
      ],
    });
    await policy("Mutating", at, {
      reinvocationPolicy: "Never",
      matchConditions: [{ name: "new", expression: "request.operation == 'CREATE'" }],
      mutations: [
        {
          patchType: "JSONPatch",
          jsonPatch: {
            expression:
              "[JSONPatch{op: 'add', path: '/data/late', value: 'yes'}, JSONPatch{op: 'add', path: '/metadata/annotations', value: {'a/' + object.metadata.name: 'b'}}]",
          },
        },
      ],
    });
    const made = (await map(at, { early: "1" }, "changed")).json;
    assert.deepEqual([made.data, made.metadata.labels], [{ early: "1", late: "yes" }, { seen: "true" }]);
    assert.deepEqual(made.metadata.annotations, { "a/changed": "b" });
    const broken = await namespace();
    await policy("Mutating", broken, {
      reinvocationPolicy: "Never",
      mutations: [{ patchType: "JSONPatch", jsonPatch: { expression: "[JSONPatch{op: 'remove', path: '/nothing'}]" } }],
    });
    assert.ok((await map(broken)).status >= 400);
  });

  test("policies and webhooks whose expressions are none are refused", async () => {
    const spec = (more: object) => ({ matchConstraints: { resourceRules: RULES }, ...more });
    const cases: readonly [string, object, string][] = [
      [
        "validatingadmissionpolicies",
        spec({ validations: [{ expression: "object." }] }),
        "spec.validations[0].expression",
      ],
      [
        "validatingadmissionpolicies",
        spec({ validations: [{ expression: "other == 1" }] }),
        "undeclared reference to 'other'",
      ],
      ["validatingadmissionpolicies", spec({}), "validations or auditAnnotations must contain at least one item"],
      [
        "validatingadmissionpolicies",
        { validations: [{ expression: "true" }] },
        "spec.matchConstraints: Required value",
      ],
      [
        "mutatingadmissionpolicies",
        spec({ mutations: [{ patchType: "Other" }] }),
        "spec.mutations[0].patchType: Unsupported value",
      ],
      [
        "validatingadmissionpolicybindings",
        { policyName: "x", validationActions: ["Deny", "Warn"] },
        "must not contain both Deny and Warn",
      ],
    ];
    for (const [plural, body, words] of cases) {
      const answer = await send("POST", `${GROUP}/${plural}`, { metadata: { name: "wrong" }, spec: body });
      assert.deepEqual([answer.status, answer.json["message"]?.includes(words)], [422, true], answer.text);
    }
  });

  test("webhooks are asked where their conditions hold", async () => {
    await using hook = await startWebhook();
    const at = await namespace();
    const webhook = (path: string, expression: string, more: object = {}) => ({
      name: `${path}.example.com`,
      clientConfig: { url: `https://localhost:${hook.port}/${path}`, caBundle: hook.caBundle },
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": at } },
      rules: RULES,
      sideEffects: "None",
      admissionReviewVersions: ["v1"],
      matchConditions: [{ name: "c", expression }],
      ...more,
    });
    const configurations = `${GROUP}/validatingwebhookconfigurations`;
    await make(configurations, {
      metadata: { name: "conditions" },
      webhooks: [
        webhook("deny", "object.metadata.name.startsWith('bad') && request.userInfo.username != 'nobody'"),
        webhook("allow", "object.data.nothing == '1'", { failurePolicy: "Ignore" }),
      ],
    });
    assert.equal((await map(at, {}, "good")).status, 201);
    assert.equal((await map(at, {}, "bad")).status, 403);
    assert.deepEqual(
      hook.received.map(({ path }) => path),
      ["/deny"],
    );
    const wrong = { metadata: { name: "wrong" }, webhooks: [webhook("deny", "object ==")] };
    assert.match(
      (await send("POST", configurations, wrong)).json["message"],
      /webhooks\[0\]\.matchConditions\[0\]\.expression/,
    );
    await send("DELETE", `${configurations}/conditions`);
  });

  test("kubectl says what a policy denies", async (t) => {
    const run = kubectl(api.kubeconfig, api.directory.join("home"));
    if (run === undefined) return t.skip("kubectl cannot be had here");
    const at = await namespace();
    const name = await policy("Validating", at, { validations: [{ expression: "false", message: "never" }] });
    const refused = await run(["create", "configmap", "c", "-n", at]);
    assert.match(
      refused.stderr,
      new RegExp(`ValidatingAdmissionPolicy '${name}' with binding '${name}-bound' denied request: never`),
    );
  });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { atOnce } from "@boxship/base";
import { asText } from "../status/field-error.ts";
import { validateDefinition } from "./validate-definition.ts";

test("a large definition is checked in turns", () => {
  const definition = (spec: object) => ({
    metadata: { name: "things.example.com" },
    spec: {
      group: "example.com",
      names: { plural: "things", singular: "thing", kind: "Thing", listKind: "ThingList" },
      scope: "Namespaced",
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
  const check = (spec: object) => {
    const work = validateDefinition(definition(spec) as never);
    for (let turns = 0; ; turns++) {
      const { done, value } = work.next();
      if (done === true) return { turns, errors: value };
    }
  };
  const fields = (count: number, of: object) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${index}`, of]));
  const rules = Array.from({ length: 300 }, (_, index) => ({ rule: `self.f${index} != 'x'` }));
  const ruled = check({
    type: "object",
    properties: fields(300, { type: "string", maxLength: 9 }),
    "x-kubernetes-validations": [...rules, { rule: "self.missing" }],
  });
  assert.ok(ruled.turns >= 300);
  assert.deepEqual(
    ruled.errors.map(({ field }) => field),
    ["spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[300].rule"],
  );
  const wide = check({ type: "object", properties: fields(20_000, { type: "string" }) });
  assert.ok(wide.turns >= 8);
  assert.deepEqual(wide.errors.map(asText), []);
  const patterns = check({ type: "object", properties: fields(500, { type: "string", pattern: "^a$" }) });
  assert.ok(patterns.turns >= 10);
});

const spec = (more: object = {}, version: object = {}) => ({
  group: "example.com",
  names: { plural: "things", singular: "thing", kind: "Thing", listKind: "ThingList" },
  scope: "Namespaced",
  versions: [
    {
      name: "v1",
      served: true,
      storage: true,
      schema: { openAPIV3Schema: { type: "object", properties: { spec: { type: "object", properties: FIELDS } } } },
      ...version,
    },
  ],
  ...more,
});
const FIELDS = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`f${index}`, { type: "string" }]));
const definition = (of: object, annotations: object = {}) => {
  const { group, names } = of as ReturnType<typeof spec>;
  return { metadata: { name: `${names.plural}.${group}`, annotations }, spec: of } as never;
};
const LABEL =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const names = (more: object) => spec({ names: { ...spec().names, ...more } });
const selectable = (...paths: readonly string[]) =>
  spec({}, { selectableFields: paths.map((jsonPath) => ({ jsonPath })) });

const cases: readonly (readonly [string, object, readonly string[]])[] = [
  ["a good one", spec(), []],
  [
    "nothing said",
    { names: {}, versions: [] },
    [
      'metadata.name: Invalid value: "undefined.undefined": must be spec.names.plural+"."+spec.group',
      "spec.group: Required value",
      "spec.scope: Required value",
      "spec.versions: Invalid value: []: must have exactly one version marked as storage version",
      ...["plural", "singular", "kind", "listKind"].map((name) => `spec.names.${name}: Required value`),
    ],
  ],
  [
    "a short group",
    spec({ group: "com" }),
    ['spec.group: Invalid value: "com": should be a domain with at least one dot'],
  ],
  [
    "odd names",
    names({ singular: "T", kind: "a_b", listKind: "a_b", shortNames: ["ok", "1"], categories: ["A"] }),
    [
      `spec.names.singular: Invalid value: "T": ${LABEL}`,
      `spec.names.kind: Invalid value: "a_b": may have mixed case, but should otherwise match: ${LABEL}`,
      `spec.names.listKind: Invalid value: "a_b": may have mixed case, but should otherwise match: ${LABEL}`,
      `spec.names.shortNames[1]: Invalid value: "1": ${LABEL}`,
      'spec.names.listKind: Invalid value: "a_b": kind and listKind may not be the same',
      `spec.names.categories[0]: Invalid value: "A": ${LABEL}`,
    ],
  ],
  ["no schema", spec({}, { schema: undefined }), ["spec.versions[0].schema.openAPIV3Schema: Required value"]],
  [
    "a warning of what goes on",
    spec({}, { deprecationWarning: "no more" }),
    ['spec.versions[0].deprecationWarning: Invalid value: "no more": can only be set for deprecated versions'],
  ],
  [
    "a warning of two lines",
    spec({}, { deprecated: true, deprecationWarning: "é\n" }),
    [
      'spec.versions[0].deprecationWarning: Invalid value: "é\\n": must only contain printable UTF-8 characters; non-printable character found at index 2',
    ],
  ],
  [
    "paths of scale",
    spec({}, { subresources: { scale: { specReplicasPath: "spec.n", labelSelectorPath: ".metadata.x" } } }),
    [
      'spec.subresources.scale.specReplicasPath: Invalid value: "spec.n": must be a simple json path starting with .',
      "spec.subresources.scale.statusReplicasPath: Required value",
      'spec.subresources.scale.labelSelectorPath: Invalid value: ".metadata.x": should be a json path under either .spec or .status',
    ],
  ],
  [
    "paths of scale elsewhere",
    spec({}, { subresources: { scale: { specReplicasPath: ".status.n", statusReplicasPath: ".spec.n" } } }),
    [
      'spec.subresources.scale.specReplicasPath: Invalid value: ".status.n": should be a json path under .spec',
      'spec.subresources.scale.statusReplicasPath: Invalid value: ".spec.n": should be a json path under .status',
    ],
  ],
  [
    "columns",
    spec({}, { additionalPrinterColumns: [{ type: "text", format: "x", jsonPath: "a" }, { name: "n" }] }),
    [
      "[0].name: Required value",
      '[0].type: Invalid value: "text": must be one of boolean,date,integer,number,string',
      '[0].format: Invalid value: "x": must be one of byte,date,date-time,double,float,int32,int64,password',
      '[0].JSONPath: Invalid value: "a": must be a simple json path starting with .',
      "[1].type: Required value: must be one of boolean,date,integer,number,string",
      "[1].JSONPath: Required value",
    ].map((one) => `spec.additionalPrinterColumns${one}`),
  ],
  ["fields to select by", selectable(".spec.f1", ".spec.f2"), []],
  [
    "odd fields to select by",
    selectable("", "spec", ".spec.x", ".spec", ".spec['f1']", ".spec.f1", ".spec.f1"),
    [
      "[0].jsonPath: Required value",
      '[1].jsonPath: Invalid value: "spec": is an invalid path: expected [ or . but got: spec',
      '[2].jsonPath: Invalid value: ".spec.x": is an invalid path: does not refer to a valid field',
      '[3].jsonPath: Invalid value: ".spec": must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.',
      `[4].jsonPath: Invalid value: ".spec['f1']": is an invalid path: array notation is not allowed`,
      '[6].jsonPath: Duplicate value: ".spec.f1"',
    ].map((one) => `spec.selectableFields${one}`),
  ],
  [
    "too many fields to select by",
    selectable(...Object.keys(FIELDS).map((name) => `.spec.${name}`)),
    ["spec.selectableFields: Too many: 9: must have at most 8 items"],
  ],
  [
    "unknown fields that are kept",
    spec({ preserveUnknownFields: true, conversion: { strategy: "Webhook" } }),
    [
      'spec.conversion.strategy: Invalid value: "Webhook": must be None if spec.preserveUnknownFields is true',
      "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook",
      "spec.conversion.conversionReviewVersions: Required value",
      "spec.preserveUnknownFields: Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
    ],
  ],
  [
    "a webhook for nothing",
    spec({ conversion: { strategy: "None", webhook: { clientConfig: {}, conversionReviewVersions: ["v1"] } } }),
    ["webhookClientConfig", "conversionReviewVersions"].map(
      (field) => `spec.conversion.${field}: Forbidden: should not be set when strategy is not set to Webhook`,
    ),
  ],
  [
    "two versions that differ",
    spec({
      versions: [
        { ...spec().versions[0], schema: { openAPIV3Schema: { type: "array" } } },
        { ...spec().versions[0], name: "v2", schema: { openAPIV3Schema: {} } },
      ],
    }),
    [
      // The versions themselves are shown.
      "spec.versions: …: must have exactly one version marked as storage version",
      "spec.versions[0].schema.openAPIV3Schema.items: Required value: must be specified",
      'spec.versions[0].schema.openAPIV3Schema.type: Invalid value: "array": must be object at the root',
      "spec.versions[1].schema.openAPIV3Schema.type: Required value: must not be empty at the root",
    ],
  ],
];

for (const [name, of, wanted] of cases)
  test(`a definition: ${name}`, () => {
    const found = atOnce(validateDefinition(definition(of))).map(asText);
    assert.deepEqual(
      found.map((one) => one.replace(/(?<=^spec\.versions: )Invalid value: \[\{.*\}\](?=:)/, "…")),
      wanted,
    );
  });

test("a group of the community is for what it has approved", () => {
  const check = (text: string | undefined, old?: string) => {
    const made = (approval: string | undefined) =>
      definition(spec({ group: "a.k8s.io" }), approval === undefined ? {} : { "api-approved.kubernetes.io": approval });
    return atOnce(validateDefinition(made(text), old === undefined ? undefined : made(old))).map(asText);
  };
  const at = "metadata.annotations[api-approved.kubernetes.io]";
  const must = 'protected groups must have approval annotation "api-approved.kubernetes.io"';
  const see = "see https://github.com/kubernetes/enhancements/pull/1111";
  assert.deepEqual(check(undefined), [`${at}: Required value: ${must}, ${see}`]);
  assert.deepEqual(check("yes"), [
    `${at}: Invalid value: "yes": ${must} with either a URL or a reason starting with "unapproved", ${see}`,
  ]);
  assert.deepEqual(
    [check("unapproved, experimental"), check("https://example.com/1"), check("no", "yes")],
    [[], [], []],
  );
});

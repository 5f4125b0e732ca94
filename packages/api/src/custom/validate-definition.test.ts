import assert from "node:assert/strict";
import { test } from "node:test";
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
    ["spec.versions[0].schema.openAPIV3Schema.properties[spec].x-kubernetes-validations[300].rule"],
  );
  const wide = check({ type: "object", properties: fields(20_000, { type: "string" }) });
  assert.ok(wide.turns >= 8);
  assert.deepEqual(wide.errors.map(asText), []);
  const patterns = check({ type: "object", properties: fields(500, { type: "string", pattern: "^a$" }) });
  assert.ok(patterns.turns >= 10);
});

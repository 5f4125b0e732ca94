import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { atOnce } from "@boxship/base";
import { validateRuleTexts } from "./validate-rule-texts.ts";

const PATH = "spec.validation.openAPIV3Schema";
const text = (more: object = {}) => ({ type: "string", ...more });
const list = (items: object, more: object = {}) => ({ type: "array", items, ...more });
const withRule = (schema: object, rule: string, more: object = {}) => ({
  ...schema,
  "x-kubernetes-validations": [{ rule, ...more }],
});
const object = (properties: object, more: object = {}) => ({ type: "object", properties, ...more });

/** What is said of the schema of a field `spec`. */
function errorsOf(spec: object): readonly string[] {
  return atOnce(validateRuleTexts(object({ spec }) as never, PATH)).map(({ field, message }) => `${field}: ${message}`);
}

const AT = `${PATH}.properties[spec].x-kubernetes-validations[0].rule`;
const exceeded = (factor: string) =>
  `Forbidden: estimated rule cost exceeds budget by factor of ${factor} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`;

describe("the cost of rules", () => {
  test("rules as they are written every day are within it", () => {
    const usual: readonly object[] = [
      withRule(object({ min: { type: "integer" }, max: { type: "integer" } }), "self.min <= self.max"),
      withRule(text(), "self == oldSelf"),
      withRule(text(), "self.startsWith('http')"),
      withRule(text({ maxLength: 253 }), "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')"),
      withRule(text(), "self.matches('^[a-z0-9]+$')"),
      withRule(text(), "quantity(self).isGreaterThan(quantity('1Gi'))"),
      withRule(object({ a: text(), b: text() }), "has(self.a) || has(self.b)"),
      withRule(object({ a: text(), b: text() }), "has(self.a) != has(self.b)"),
      withRule(list(text({ maxLength: 64 }), { maxItems: 16 }), "self.all(a, self.exists_one(b, a == b))"),
      withRule(list(text()), "self.all(one, one != '')"),
      withRule(list(object({ name: text() }), { maxItems: 100 }), "self.filter(one, one.name == 'a').size() <= 1"),
      withRule(object({ type: text({ enum: ["A", "B"] }) }), "self.type in ['A', 'B']"),
      withRule(object({ keys: list(text(), { maxItems: 8 }) }), "sets.contains(['a', 'b'], self.keys)"),
      withRule(object({ when: text({ format: "date-time" }) }), "self.when > timestamp('2020-01-01T00:00:00Z')"),
      withRule(
        object({ port: { "x-kubernetes-int-or-string": true } }),
        "type(self.port) == int ? self.port > 0 : true",
      ),
    ];
    for (const schema of usual) assert.deepEqual(errorsOf(schema), [], JSON.stringify(schema));
  });

  test("rules that go over lists without limits again and again are refused, in upstream's words", () => {
    const nested = withRule(list(text()), "self.all(a, self.exists_one(b, a == b))");
    assert.deepEqual(errorsOf(nested)[0], `${AT}: ${exceeded("more than 100x")}`);
    // Of all that a schema's rules cost, too.
    const all = errorsOf(nested);
    assert.match(all.at(-1) ?? "", /^spec.validation.openAPIV3Schema: Forbidden: x-kubernetes-validations estimated/);
    assert.match(all[1] ?? "", /contributed to estimated rule & messageExpression cost total exceeding cost limit/);
    const texts = withRule(object({ a: text(), b: text() }), "self.a.contains(self.b)");
    assert.match(errorsOf(texts)[0] ?? "", /more than 100x/);
    const patterns = withRule(object({ a: text(), b: text() }), "self.a.matches(self.b)");
    assert.match(errorsOf(patterns)[0] ?? "", /more than 100x/);
  });

  test("how often a value can be there counts, and limits make a rule cheaper", () => {
    const inner = (limits: object) => list(withRule(text(limits), "self.contains('abcdefghij')"), limits);
    assert.ok(errorsOf(inner({})).length > 0);
    assert.deepEqual(errorsOf(inner({ maxItems: 100, maxLength: 100 })), []);
    const map = (limits: object) => ({
      type: "object",
      ...limits,
      additionalProperties: withRule(list(text(limits), limits), "self.all(one, one.startsWith('abcdefghijkl'))"),
    });
    assert.ok(errorsOf(map({})).length > 0);
    assert.deepEqual(errorsOf(map({ maxItems: 10, maxProperties: 10, maxLength: 10 })), []);
  });

  test("a message that is computed has a cost of its own", () => {
    const more = { messageExpression: "self.map(a, self.filter(b, a == b).size()).size() > 3 ? 'a' : 'b'" };
    const found = errorsOf(withRule(list(text()), "self.size() < 5", more));
    assert.match(found[0] ?? "", /messageExpression: Forbidden: estimated messageExpression cost exceeds budget/);
  });
});

import { deepEqual, equal, throws } from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseJson, toJson } from "./json.ts";
import { boolType, intType, mapOf, pointerTo, stringMapType, stringSliceType, stringType, structOf } from "./types.ts";
import { typed } from "./value.ts";

test("integers stay integers, whatever their size", () => {
  deepEqual(parseJson('{"a":1,"b":1.0,"c":1e2,"d":9223372036854775807,"e":[-3]}'), {
    a: 1n,
    b: 1,
    c: 100,
    d: 9223372036854775807n,
    e: [-3n],
  });
});

test("values are written as Go writes them", () => {
  const cases: readonly [unknown, string][] = [
    [{ b: 1n, a: [1.5, null, true, "x<y>&\u2028"] }, '{"a":[1.5,null,true,"x<y>&\\u2028"],"b":1}'],
    [1e21, "1e+21"],
    [1e20, "100000000000000000000"],
    [1e-7, "1e-7"],
    [Buffer.from("hi"), '"aGk="'],
    [typed(stringSliceType, null), "null"],
    [typed(stringMapType, { b: "2", a: "1" }), '{"a":"1","b":"2"}'],
    [
      typed(
        mapOf(intType, boolType),
        new Map([
          [10n, true],
          [9n, false],
        ]),
      ),
      '{"10":true,"9":false}',
    ],
  ];
  for (const [value, want] of cases) equal(toJson(value), want);
  equal(toJson("<&>", { escapeHtml: true }), '"\\u003c\\u0026\\u003e"');
  throws(() => toJson(Number.NaN), /unsupported value/);
});

test("struct fields keep their order; empty ones are left out where the type says so", () => {
  const type = structOf("x.T", [
    { name: "ID", key: "Id", type: stringType },
    { name: "Tags", type: stringSliceType, omitEmpty: true },
    { name: "On", type: boolType },
    { name: "Next", type: pointerTo(stringType) },
  ]);
  equal(toJson(typed(type, { On: true, Id: "a", Tags: [], Extra: 1 })), '{"Id":"a","On":true,"Next":null}');
});

test("an integer beyond 64 bits keeps its sign and size as a float", () => {
  for (const text of ["-9223372036854775808", "9223372036854775807"]) equal(toJson(parseJson(text)), text);
  equal(toJson(parseJson("-9223372036854776000")), "-9223372036854776000");
  equal(toJson(parseJson("9223372036854775808")), "9223372036854776000");
});

test("what JSON can say comes back", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = toJson(parseJson(JSON.stringify(value)));
      deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
    }),
  );
});

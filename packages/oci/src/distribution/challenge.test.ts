import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseChallenges } from "./challenge.ts";

const CASES: readonly (readonly [header: string, challenges: unknown])[] = [
  ["", []],
  ["Basic", [{ scheme: "basic", parameters: {} }]],
  [`Basic realm="a b"`, [{ scheme: "basic", parameters: { realm: "a b" } }]],
  [
    `Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push"`,
    [
      {
        scheme: "bearer",
        parameters: {
          realm: "https://auth.example/token",
          service: "registry.example",
          scope: "repository:a/b:pull,push",
        },
      },
    ],
  ],
  [
    `Basic realm="x", Bearer realm = "y" , error=insufficient_scope`,
    [
      { scheme: "basic", parameters: { realm: "x" } },
      { scheme: "bearer", parameters: { realm: "y", error: "insufficient_scope" } },
    ],
  ],
  [`Bearer realm="a\\"b\\\\c"`, [{ scheme: "bearer", parameters: { realm: `a"b\\c` } }]],
  [
    `Negotiate, Basic REALM=x`,
    [
      { scheme: "negotiate", parameters: {} },
      { scheme: "basic", parameters: { realm: "x" } },
    ],
  ],
  [`Bearer realm="a", realm="b"`, [{ scheme: "bearer", parameters: { realm: "a" } }]],
  [",, ,Basic realm=x,,", [{ scheme: "basic", parameters: { realm: "x" } }]],
];

for (const [header, challenges] of CASES) {
  test(`challenge ${header}`, () => assert.deepEqual(parseChallenges(header), challenges));
}

test("several header values are one list", () => {
  assert.equal(parseChallenges([`Basic realm="x"`, "Negotiate"]).length, 2);
  assert.deepEqual(parseChallenges(undefined), []);
});

const token = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,10}$/);
const challenge = fc.record(
  {
    scheme: token.map((text) => text.toLowerCase()),
    parameters: fc.dictionary(
      token.map((text) => text.toLowerCase()),
      fc.string({ unit: "binary-ascii" }),
      { minKeys: 1, maxKeys: 4, noNullPrototype: true },
    ),
  },
  { noNullPrototype: true },
);

test("whatever is written is read", () => {
  fc.assert(
    fc.property(fc.array(challenge, { maxLength: 3 }), (challenges) => {
      const header = challenges
        .map(({ scheme, parameters }) => {
          const parts = Object.entries(parameters).map(([k, v]) => `${k}="${v.replace(/(["\\])/g, "\\$1")}"`);
          return `${scheme} ${parts.join(", ")}`;
        })
        .join(", ");
      assert.deepEqual(parseChallenges(header), challenges);
    }),
  );
});

test("any text is read without failing, and quickly", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => Array.isArray(parseChallenges(text))));
  const start = performance.now();
  for (const text of [`a="`.repeat(20_000), "a,".repeat(50_000), `x ${"a=b,".repeat(50_000)}`, " ".repeat(100_000)]) {
    parseChallenges(text);
  }
  assert.ok(performance.now() - start < 5000);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidArgument } from "@boxship/base";
import { parseAuthenticationFile } from "./authentication-file.ts";

const rule = (more: object) => ({
  issuer: { url: "https://issuer", audiences: ["a"] },
  claimMappings: { username: { claim: "sub", prefix: "" } },
  ...more,
});
const file = (jwt: object) =>
  JSON.stringify({ apiVersion: "apiserver.config.k8s.io/v1", kind: "AuthenticationConfiguration", jwt: [jwt] });
const mapped = (claimMappings: object) =>
  rule({ claimMappings: { username: { claim: "sub", prefix: "" }, ...claimMappings } });

test("expressions that are none, and fields that may not be beside each other, are refused by name", () => {
  const extra = (key: string) => mapped({ extra: [{ key, valueExpression: "claims.a" }] });
  const wrong: readonly [object, RegExp][] = [
    [
      rule({ userValidationRules: [{ expression: "user.nam == 'x'" }] }),
      /userValidationRules\[0\]\.expression cannot be compiled/,
    ],
    [rule({ userValidationRules: [{ message: "x" }] }), /userValidationRules\[0\]\.expression is required/],
    [rule({ claimValidationRules: [{ expression: "'text'" }] }), /must evaluate to bool/],
    [rule({ claimValidationRules: [{ claim: "a", expression: "true" }] }), /both a claim and an expression/],
    [rule({ claimValidationRules: [{}] }), /needs a claim or an expression/],
    [rule({ claimValidationRules: [{ claim: "a", message: "m" }] }), /message may not be beside a claim/],
    [mapped({ username: { expression: "claims.sub", prefix: "p" } }), /prefix may not be beside an expression/],
    [mapped({ username: { expression: "claims.email" } }), /nothing looks at claims\.email_verified/],
    [mapped({ username: { expression: "claims." } }), /username\.expression cannot be compiled/],
    [extra("plain"), /extra\[0\]\.key is no path of a domain/],
    [extra("Example.com/a"), /extra\[0\]\.key is no path of a domain/],
    [extra("sub.kubernetes.io/a"), /extra\[0\]\.key is Kubernetes' own/],
    [mapped({ extra: [{ key: "a.b/c" }] }), /valueExpression is required/],
  ];
  for (const [jwt, words] of wrong) {
    assert.throws(
      () => parseAuthenticationFile(file(jwt)),
      (error: unknown) => {
        return error instanceof InvalidArgument && words.test(error.message);
      },
      JSON.stringify(jwt),
    );
  }
  parseAuthenticationFile(
    file(
      mapped({
        username: { expression: "claims.email" },
        extra: [{ key: "a.b/c", valueExpression: "string(claims.email_verified)" }],
      }),
    ),
  );
});

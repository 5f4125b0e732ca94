import assert from "node:assert/strict";
import { test } from "node:test";
import { atOnce } from "@boxship/base";
import { fromJsonSchema } from "../custom/from-json-schema.ts";
import { hasFormat } from "./string-formats.ts";
import { validateSchema } from "./validate-schema.ts";

const UUID = "123e4567-e89b-42d3-a456-426614174000";

const cases: readonly (readonly [format: string, right: readonly string[], wrong: readonly string[]])[] = [
  ["bsonobjectid", ["507f1f77bcf86cd799439011"], ["507f1f77bcf86cd79943901", "z07f1f77bcf86cd799439011"]],
  ["byte", ["", "YWJj"], ["YWJ", "%"]],
  ["cidr", ["10.0.0.0/8", "fd00::/64"], ["10.0.0.0", "10.0.0.0/33", "fd00::/129"]],
  ["creditcard", ["4111 1111 1111 1111"], ["4111 1111 1111 1112", "1"]],
  ["date", ["2024-02-29"], ["2023-02-29", "2024-2-9", "today"]],
  ["date-time", ["2024-02-29T10:00:00Z", "2024-02-29t10:00:00.5+01:00"], ["2024-02-29", "2024-02-29T24:00:00Z"]],
  ["duration", ["1h30m", "-1.5s", "0", "3 weeks", "100ms"], ["", "1", "h", "1 fortnight"]],
  ["email", ["a@b.example", "Ann <a@b.example>"], ["a", "@b", "a b@c d"]],
  ["hexcolor", ["#fff", "FFaa00"], ["#ffff", "red"]],
  ["hostname", ["example.com", "a-b", "example.com."], ["-a", "a..b", "a_b", "a".repeat(64)]],
  ["ipv4", ["10.0.0.1", "::ffff:10.0.0.1"], ["10.0.0", "10.0.0.256", "::1"]],
  ["ipv6", ["::1", "fe80::1"], ["10.0.0.1", ":::", "g::"]],
  ["isbn", ["0-306-40615-2", "978-3-16-148410-0"], ["0-306-40615-3", "978-3-16-148410-1"]],
  ["mac", ["00:1b:44:11:3a:b7", "001b.4411.3ab7"], ["00:1b:44:11:3a", "00:1b-44:11:3a:b7"]],
  ["password", ["", "anything"], []],
  ["rgbcolor", ["rgb(0, 128,255)"], ["rgb(0,0,256)", "0,0,0"]],
  ["ssn", ["123-45-6789"], ["12-345-6789"]],
  ["uri", ["https://example.com/a?b", "/path", "urn:x"], ["example.com", "http://a b", "/%zz", ""]],
  ["uuid", [UUID, UUID.toUpperCase()], ["123e4567", `${UUID}0`]],
  ["uuid4", [UUID], [UUID.replace("-42d3", "-12d3")]],
  ["nobody-knows", ["anything"], []],
];

test("texts are what the format of a custom resource's schema says", () => {
  for (const [format, right, wrong] of cases) {
    for (const text of right) assert.ok(hasFormat(format, text), `${format} ${text}`);
    for (const text of wrong) assert.ok(!hasFormat(format, text), `${format} ${text}`);
  }
});

test("one that is not is told in upstream's words; what is no text has no format", () => {
  const properties = {
    ip: { type: "string", format: "ipv4" },
    count: { type: "integer", format: "int32" },
    any: { "x-kubernetes-int-or-string": true, format: "ipv4" },
  };
  const schema = fromJsonSchema({ type: "object", properties });
  const told = atOnce(validateSchema(schema, { ip: "here", count: 1, any: "x" })).map(({ field, message }) => [
    field,
    message,
  ]);
  assert.deepEqual(told, [["ip", 'Invalid value: "here": ip in body must be of type ipv4: "here"']]);
});

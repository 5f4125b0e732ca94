import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { kubernetesProgram, runProgram } from "@boxship/testkit";
import fc from "fast-check";
import { toYaml } from "./to-yaml.ts";

const SIGNS = [" ", "a", "\n", ":", "#", "-", "'", '"', "\t", "0", "1", ".", "e", "é", "{", "]", "|", "\r", "😀", "_"];
const WORDS =
  "yes No ~ null 1e3 0x1f 0o17 1_000 12:30 2001-01-01 2001-01-01T00:00:00Z .5 - ... = << +1 1. 0b11 0777 09 on .inf 1.2.3 ? %x @x !x &a *a";

const text = fc.oneof(
  fc.string({ maxLength: 30 }),
  fc.string({ unit: fc.constantFrom(...SIGNS), maxLength: 14 }),
  fc.string({ unit: fc.constantFrom("word", " ", "x", ", "), minLength: 30, maxLength: 60 }),
  fc.constantFrom("", " ", "? a", "a: b", "a #b", "- a", "--- a", ...WORDS.split(" ")),
);

const program = kubernetesProgram("kubectl");

test("texts of any form are written as kubectl writes them", { skip: program === undefined }, async () => {
  const data: Record<string, string> = {};
  const names = ["k", "app.k8s-", "X_", "a.b", "yes"];
  for (const [index, value] of fc.sample(text, 800).entries()) data[`${names[index % names.length]}${index}`] = value;
  const numbers = [0.5, 1234567.25, 999999.5, 0.0001, 0.00001234, 1e21, 12345678, -1e-9];
  const object = {
    apiVersion: "example.com/v1",
    kind: "Thing",
    metadata: { labels: { a: "b" }, name: "x" },
    data,
    numbers,
  };
  const words = ["label", "--local", "-f", "-", "a=b", "-o", "yaml"];
  const ran = await runProgram([program ?? "", ...words], { input: JSON.stringify(object) });
  deepEqual(toYaml(object).split("\n"), ran.stdout.split("\n"));
});

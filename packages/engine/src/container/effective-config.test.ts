import assert from "node:assert/strict";
import { test } from "node:test";
import { effectiveConfig, mergeEnv } from "./effective-config.ts";

const image = {
  entrypoint: ["/entry"],
  cmd: ["serve"],
  env: ["PATH=/bin", "A=1"],
  user: "web",
  labels: { a: "1", b: "1" },
};

test("a command replaces the image's, an entrypoint drops its command too", () => {
  const run = (config: object) => effectiveConfig({ image: "i", ...config }, image, "short");
  assert.deepEqual([run({}).entrypoint, run({}).cmd], [["/entry"], ["serve"]]);
  assert.deepEqual(run({ cmd: ["x"] }).cmd, ["x"]);
  assert.deepEqual([run({ entrypoint: ["/e"] }).entrypoint, run({ entrypoint: ["/e"] }).cmd], [["/e"], []]);
  assert.deepEqual(run({ entrypoint: [], cmd: ["sh"] }).entrypoint, []);
  assert.throws(() => run({ entrypoint: [] }), /no command specified/);
});

test("environment, user, labels and hostname are completed", () => {
  const got = effectiveConfig({ image: "i", env: ["A=2", "B"], labels: { b: "2" } }, image, "short");
  assert.deepEqual(got.env, ["PATH=/bin", "A=2"]);
  assert.deepEqual([got.user, got.hostname, got.labels], ["web", "short", { a: "1", b: "2" }]);
  assert.equal(effectiveConfig({ image: "i", cmd: ["x"] }, {}, "s").env[0]?.startsWith("PATH=/usr/local/sbin"), true);
});

test("a bare key removes a variable, order of appearance is kept", () => {
  assert.deepEqual(mergeEnv(["A=1", "B=2", "C=3"], ["B", "A=9", "D=4"]), ["A=9", "C=3", "D=4"]);
});

test("health settings of the user go over the image's, its test stays", () => {
  const health = { test: ["CMD", "probe"], intervalMs: 1000, retries: 5 };
  const got = effectiveConfig({ image: "i", healthcheck: { retries: 2 } }, { ...image, healthcheck: health }, "s");
  assert.deepEqual(got.healthcheck, { test: ["CMD", "probe"], intervalMs: 1000, retries: 2 });
});

import assert from "node:assert/strict";
import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Json, JsonObject } from "@boxship/api";
import { kubernetesProgram, runProgram } from "@boxship/testkit";
import fc from "fast-check";
import { buildKustomization } from "../build.ts";

const program = kubernetesProgram("kubectl");

const name = fc.constantFrom("a", "b", "c", "d");
const scalar = fc.constantFrom<Json>("x", "y", "1", 1, 2, true, "", "yes", "0x1");
const maybe = <T extends Json>(one: fc.Arbitrary<T>) => fc.option(one, { nil: undefined, freq: 3 });
const byName = (fields: Record<string, fc.Arbitrary<Json | undefined>>) =>
  fc.uniqueArray(fc.record({ name, ...fields }), { selector: (item) => item.name, maxLength: 4 }) as fc.Arbitrary<Json>;

const port = fc.record({
  containerPort: fc.constantFrom(80, 81, 82),
  protocol: maybe(fc.constantFrom("TCP", "UDP")),
  name: maybe(name),
});
const ports = fc.uniqueArray(port, {
  selector: ({ containerPort, protocol }) => `${containerPort}${protocol ?? ""}`,
  maxLength: 3,
}) as fc.Arbitrary<Json>;
const directive = maybe(fc.constantFrom("delete", "merge"));

const container = (patch: boolean) => ({
  image: maybe(fc.constantFrom("i:1", "i:2")),
  args: maybe(fc.array(scalar, { maxLength: 3 })),
  env: maybe(byName({ value: maybe(scalar), ...(patch ? { $patch: directive } : {}) })),
  ports: maybe(ports),
  resources: maybe(fc.dictionary(name, scalar, { maxKeys: 3 }) as fc.Arbitrary<Json>),
});

const spec = (patch: boolean) =>
  fc.record({
    replicas: maybe(fc.nat(3)),
    paused: maybe(fc.constantFrom<Json>(null, true)),
    template: maybe(
      fc.record({
        metadata: maybe(
          fc.record({
            annotations: fc.dictionary(name, fc.constantFrom<Json>("1", "t", null), { maxKeys: 3 }),
          }) as fc.Arbitrary<Json>,
        ),
        spec: maybe(
          fc.record({
            containers: maybe(byName({ ...container(patch), ...(patch ? { $patch: directive } : {}) })),
            volumes: maybe(byName({ emptyDir: maybe(fc.constantFrom<Json>({}, null, { medium: "Memory" })) })),
            tolerations: maybe(fc.array(fc.record({ key: name }) as fc.Arbitrary<Json>, { maxLength: 2 })),
            imagePullSecrets: maybe(byName({})),
          }) as fc.Arbitrary<Json>,
        ),
      }) as fc.Arbitrary<Json>,
    ),
  }) as fc.Arbitrary<Json>;

const deployment = (at: number, body: Json, more: JsonObject = {}): Json => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: `d${at}`, ...more },
  spec: body,
});

test("random patches come out as kubectl's merge has them", { skip: program === undefined }, async () => {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "boxship-kustomize-")));
  try {
    const seed = Math.trunc(Math.random() * 2 ** 31);
    const pairs = fc.sample(fc.tuple(spec(false), spec(true)), { numRuns: 60, seed });
    const write = (file: string, objects: readonly Json[]): Promise<void> =>
      writeFile(join(folder, file), objects.map((one) => JSON.stringify(one)).join("\n---\n"));
    await write(
      "all.yaml",
      pairs.map(([body], at) => deployment(at, body)),
    );
    await write(
      "patches.yaml",
      pairs.map(([, body], at) => deployment(at, body, { labels: { patched: "yes" } })),
    );
    await writeFile(join(folder, "kustomization.yaml"), "resources: [all.yaml]\npatches: [{path: patches.yaml}]\n");
    const { stdout, stderr } = await runProgram([program ?? "", "kustomize", folder]);
    assert.equal(stderr, "", `seed ${seed}`);
    assert.deepEqual((await buildKustomization(folder)).split("---\n"), stdout.split("---\n"), `seed ${seed}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

import { deepEqual, rejects, throws } from "node:assert/strict";
import { symlinkSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { bytesOf, tarEntry, writeTar } from "@boxship/oci/tar";
import { tempDir } from "@boxship/testkit";
import { loadArchive, loadChart } from "./chart/load-chart.ts";
import { makeChart } from "./chart/make-chart.ts";
import { defaultCapabilities } from "./engine/capabilities.ts";
import { render } from "./engine/render.ts";
import { writeFiles } from "./testing/chart-cases.ts";
import { validate } from "./values/json-schema.ts";

type Member = { readonly name: string; readonly text?: string; readonly link?: string; readonly size?: number };

async function archive(members: readonly Member[]): Promise<Buffer> {
  const inputs = members.map(({ name, text = "", link, size }) => {
    const body = size === undefined ? Buffer.from(text) : Buffer.alloc(size);
    const entry =
      link === undefined
        ? tarEntry({ type: "file", name: bytesOf(name), size: body.length })
        : tarEntry({ type: "symlink", name: bytesOf(name), linkName: bytesOf(link) });
    return { entry, body };
  });
  const chunks: Buffer[] = [];
  for await (const chunk of writeTar(inputs)) chunks.push(chunk);
  return gzipSync(Buffer.concat(chunks));
}

const CHART = { name: "c/Chart.yaml", text: "{apiVersion: v2, name: c, version: 1.0.0}" };

for (const [what, members, message] of [
  ["a name that leads outside", [CHART, { name: "c/../../etc/x" }], /leads outside/],
  ["an absolute name", [CHART, { name: "/etc/x" }], /absolute name/],
  ["a name of another system", [CHART, { name: "c\\..\\x" }], /backslash/],
  ["a link", [CHART, { name: "c/templates/x.yaml", link: "/etc/passwd" }], /is no file/],
  ["a file that is too large", [CHART, { name: "c/x", size: 6 * 1024 * 1024 }], /is larger than/],
  ["a name twice", [CHART, { name: "c/values.yaml" }, { name: "c/values.yaml" }], /holds "values\.yaml" twice/],
  ["two charts", [CHART, { name: "d/Chart.yaml", text: CHART.text }], /holds "Chart\.yaml" twice/],
  ["nothing", [], /no files in chart archive/],
] as const) {
  test(`an archive with ${what} is refused`, async () => rejects(loadArchive(await archive(members)), message));
}

test("a bomb is cut off", async () => {
  const bomb = Array.from({ length: 24 }, (_, at) => ({ name: `c/f${at}`, size: 5 * 1024 * 1024 }));
  await rejects(loadArchive(await archive([CHART, ...bomb])), /unpacks to more than/);
});

test("what is cut off or no archive is told", async () => {
  const whole = await archive([CHART]);
  await rejects(loadArchive(whole.subarray(0, 40)), /damaged|truncated|no files/);
  await rejects(loadArchive(Buffer.from("not gzip")), /gzipped archive/);
});

test("a folder that is a link to itself ends", async () => {
  await using home = tempDir("helm");
  writeFiles(home.path, new Map([["Chart.yaml", CHART.text]]));
  symlinkSync(home.path, home.join("loop"));
  await rejects(loadChart(home.path), /a link to a folder that it is in/);
});

test("charts in charts end somewhere", async () => {
  const prefix = (depth: number): string => "charts/c/".repeat(depth);
  const files = Array.from({ length: 30 }, (_, depth) => ({
    name: `${prefix(depth)}Chart.yaml`,
    data: Buffer.from(CHART.text),
  }));
  await rejects(
    makeChart(files, async () => []),
    /nested more than 20 deep/,
  );
});

test("templates that go on for ever end", async () => {
  const text = "{{ range until 1000000 }}{{ range until 1000 }}{{ end }}{{ end }}";
  const files = [
    { name: "Chart.yaml", data: Buffer.from(CHART.text) },
    { name: "templates/x.yaml", data: Buffer.from(text) },
  ];
  const chart = await makeChart(files, async () => []);
  const release = { name: "r", namespace: "n", revision: 1, isUpgrade: false };
  throws(
    () => render(chart, {}, { release, capabilities: defaultCapabilities, maxSteps: 100_000 }),
    /maximum number of steps/,
  );
});

test("patterns of a schema end, and are Go's", async () => {
  const check = (schema: unknown, value: unknown) => validate(Buffer.from(JSON.stringify(schema)), value, "c");
  const schema = { properties: { a: { pattern: "^(a+)+$" }, b: { pattern: "^b$" }, c: { pattern: "^c$" } } };
  deepEqual(await check(schema, { a: `${"a".repeat(5_000)}b`, b: "c", c: "c" }), [
    'a: must match pattern "^(a+)+$"',
    'b: must match pattern "^b$"',
  ]);
  const round = { $ref: "#/definitions/a", definitions: { a: { $ref: "#/definitions/a" } } };
  await rejects(check(round, "a"), /values\.schema\.json of c: it refers to itself without an end/);
  await rejects(check({ pattern: "(?=a)" }, "a"), /values\.schema\.json of c: error parsing regexp: .*\(\?=/);
});

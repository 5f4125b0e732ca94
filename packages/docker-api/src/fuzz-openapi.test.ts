import assert from "node:assert/strict";
import { test } from "node:test";
import { NotFound } from "@boxship/base";
import type { EngineApi } from "@boxship/engine";
import fc from "fast-check";
import { dockerRequests, type Parameter, resolveSchema, type Schema } from "./docs/requests.ts";
import { scriptedEngine } from "./testing/scripted-engine.ts";
import { serve } from "./testing/serve.ts";

const requests = dockerRequests();

/** An engine in which nothing is: what comes through the decoders ends there, as an ordinary error. */
function emptyEngine(): EngineApi {
  const known = scriptedEngine();
  const nothing = () => Promise.reject(new NotFound("there is nothing"));
  const empty = (section: object, kept: readonly string[]) =>
    new Proxy(section, {
      get: (target, name) => (kept.includes(String(name)) ? (Reflect.get(target, name) as unknown) : nothing),
    });
  return {
    ...known,
    containers: empty(known.containers, ["list"]) as EngineApi["containers"],
    execs: empty(known.execs, []) as EngineApi["execs"],
    images: empty(known.images, ["list"]) as EngineApi["images"],
    networks: empty(known.networks, ["list"]) as EngineApi["networks"],
    volumes: empty(known.volumes, ["list"]) as EngineApi["volumes"],
    system: empty(known.system, ["info", "layersSize"]) as EngineApi["system"],
  };
}

const odd = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    0,
    -1,
    1.5,
    2 ** 53,
    -(2 ** 63),
    1e300,
    "",
    "\0",
    "a",
    "é",
    "-1",
    "../..",
    {},
    [],
  ),
  fc.jsonValue({ maxDepth: 2 }),
);

const ofType = (schema: Schema): fc.Arbitrary<unknown> => {
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case "string":
      return fc.oneof(
        fc.string(),
        fc.constantFrom("", "a", "80/tcp", "a=b", "/x:/y", "container:x", "host", "1.2.3.4/8"),
      );
    case "integer":
    case "number":
      return fc.oneof(fc.integer(), fc.constantFrom(0, -1, 1, 2 ** 53, 1e20));
    case "boolean":
      return fc.boolean();
    default:
      return odd;
  }
};

/** A value as the schema has it, in which now and then something is of another type, missing or unknown. */
function valueOf(schema: Schema, depth = 0): fc.Arbitrary<unknown> {
  const whole = resolveSchema(schema, requests);
  const right = depth > 5 ? odd : rightValue(whole, depth);
  return fc.oneof({ weight: 9, arbitrary: right }, { weight: 1, arbitrary: odd });
}

function rightValue(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  if (schema.type === "array") return fc.array(valueOf(schema.items ?? {}, depth + 1), { maxLength: 3 });
  if (schema.properties !== undefined) {
    const model = Object.fromEntries(Object.entries(schema.properties).map(([k, v]) => [k, valueOf(v, depth + 1)]));
    return fc.record({ ...model, Unknown: odd }, { requiredKeys: [] });
  }
  const values = schema.additionalProperties;
  if (values === undefined || typeof values === "boolean") return ofType(schema);
  const key = fc.oneof(fc.string(), fc.constantFrom("80/tcp", "net", "__proto__", "constructor", "a"));
  return fc.dictionary(key, valueOf(values, depth + 1), { maxKeys: 3 });
}

interface Shape {
  readonly method: string;
  readonly path: string;
  readonly query: readonly Parameter[];
  readonly body: Schema | undefined;
}

const shapes: readonly Shape[] = Object.entries(requests.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, parameters]) => ({
    method: method.toUpperCase(),
    path,
    query: parameters.filter((parameter) => parameter.in === "query"),
    body: parameters.find((parameter) => parameter.in === "body")?.schema,
  })),
);

const asText = (value: unknown): string => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""));

function requestOf({ method, path, query, body }: Shape) {
  const values = Object.fromEntries(
    query.map((parameter) => {
      const wrong = fc.oneof(fc.string(), odd.map(asText));
      return [
        parameter.name,
        fc.oneof({ weight: 3, arbitrary: ofType(parameter).map(asText) }, { weight: 1, arbitrary: wrong }),
      ];
    }),
  );
  const name = fc.oneof(
    fc.constantFrom("x", "a/b", "%2F", "..%2f..", "%00", "%C3%A9", "x:y@sha256:z"),
    fc.string().map(encodeURIComponent),
  );
  return fc.record({
    method: fc.constant(method),
    path: name.map((text) => path.replaceAll(/\{\w+\}/g, () => text || "x")),
    version: fc.integer({ min: 24, max: 51 }),
    // Events and statistics without an end would never answer.
    query: fc
      .record(values, { requiredKeys: [] })
      .map((chosen) => ({ ...chosen, ...(path === "/events" ? { since: "0", until: "1" } : {}) })),
    body: body === undefined ? fc.constant(undefined) : valueOf(body),
  });
}

test("no request that is made of Docker's own parameters and fields, right or wrong, gives a 500 or a crash", {
  timeout: 120_000,
}, async () => {
  await using served = await serve(emptyEngine());
  for (const shape of shapes) {
    const property = fc.asyncProperty(requestOf(shape), async ({ method, path, version, query, body }) => {
      const text = new URLSearchParams(query).toString();
      const answer = await served.call(
        method,
        `/v1.${version}${path}?${text}`,
        body === undefined ? undefined : JSON.stringify(body),
      );
      assert.notEqual(answer.status, 500, answer.text);
      if (answer.status < 400 || method === "HEAD") return;
      const { message } = JSON.parse(answer.text) as { readonly message: unknown };
      assert.ok(typeof message === "string" && message !== "", answer.text);
    });
    await fc.assert(property, { numRuns: shape.body === undefined ? 30 : 250 });
  }
  assert.deepEqual(served.errors, []);
});

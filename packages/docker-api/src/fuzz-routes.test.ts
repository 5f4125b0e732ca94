import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { AlreadyExists, NotFound } from "@boxship/base";
import type { EngineApi } from "@boxship/engine";
import fc from "fast-check";
import { parseRole, type Role } from "./access/role.ts";
import type { BuildDoor } from "./build-door.ts";
import { dockerRequests } from "./docs/requests.ts";
import { RecordedQuery } from "./http/query.ts";
import type { Route } from "./http/route.ts";
import type { DockerApiOptions, SocketsApi } from "./options.ts";
import { ROUTES } from "./routes/index.ts";
import { scriptedEngine } from "./testing/scripted-engine.ts";
import { serve } from "./testing/serve.ts";

/**
 * Every route of the router, by what its own decoders ask for: the names of parameters are learned from them, so that
 * none is forgotten. Docker's own bodies are in `fuzz-openapi.test.ts`; those of extensions are here.
 */

/** Bodies that Docker's description does not have, with what is in them. */
const EXTENSIONS: Readonly<Record<string, readonly string[]>> = {
  "/boxship/containers/{id}/mounts": ["Bind", "Mount", "Type", "Source", "Target", "TmpfsOptions", "VolumeOptions"],
  "/boxship/containers/{id}/ports": ["Port", "HostIp", "HostPort"],
  "/boxship/volumes/{name}/clone": ["Name", "Labels", "Snapshot"],
  "/containers/{id}/checkpoints": ["CheckpointID", "CheckpointDir", "Exit"],
  // Passed on as they are: the builder decodes them, and its own test is beside that.
  "/boxship/working-containers": ["from", "name", "settings"],
  "/boxship/working-containers/{name}/config": ["env", "labels", "ports", "clear", "cmd"],
  "/boxship/working-containers/{name}/commit": ["names", "squash", "timestamp"],
  "/boxship/working-containers/{name}/runs": ["args", "env", "mounts", "terminal"],
  "/boxship/sockets": ["Name", "Role", "Label", "Mounts", "Images", "Path", "Group"],
};

const nothing = () => Promise.reject(new NotFound("there is nothing"));

/** An engine in which nothing is, whichever method is called: what comes through the decoders ends there. */
function emptyEngine(): EngineApi {
  const known = scriptedEngine();
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

const sockets: SocketsApi = {
  list: () => [],
  create: (request) =>
    // In the order of the real one: first what it asks for, then whether it can be had.
    Promise.resolve(parseRole(request)).then((role) => {
      throw new AlreadyExists(`socket ${role.name} exists`);
    }),
  remove: nothing,
};

/** Reads what it is sent, and has nothing. */
const build: BuildDoor = {
  build: async ({ body }) => {
    for await (const _ of body);
    await nothing();
  },
  remote: async (body) => {
    for await (const _ of body);
    await nothing();
  },
  prune: () => Promise.resolve({ removed: [], reclaimed: 0 }),
  cancel: () => {},
  list: () => Promise.resolve([]),
  stream: () => undefined,
  mounts: {
    list: () => Promise.resolve([]),
    export: () => {
      throw new NotFound("there is nothing");
    },
    import: async (_id, archive) => {
      for await (const _ of archive);
      await nothing();
    },
  },
};

/** The parameters that a route's decoder looks for, given that those which it wants are there. */
function parametersOf({ query: decode }: Route): readonly string[] {
  const asked = new Set<string>();
  // One that is refused must not hide what comes after it.
  for (const value of [undefined, "1", "x", "{}", "80/tcp", "busybox", "linux/amd64"]) {
    for (let round = 0; round < 4; round++) {
      const query = new RecordedQuery(value === undefined ? [] : [...asked].map((name) => [name, value]));
      try {
        decode?.(query, 51);
      } catch {
        // What it asked for until then counts.
      }
      for (const name of query.asked) asked.add(name);
    }
  }
  return [...asked];
}

const FIELDS = Object.values(EXTENSIONS).flat();
const odd = fc.oneof(
  fc.constantFrom<unknown>(null, true, 0, -1, 2 ** 53, 1e300, "", "\0", "a", "/a:/b", "80/tcp", "8000-8001", [], {}),
  fc.constantFrom<unknown>("bind", "volume", "tmpfs", "read-only", "confined", "/x", "a=b", "1.2.3.4", "é"),
  fc.jsonValue({ maxDepth: 2 }),
);
const value = fc.letrec<{ value: unknown; object: unknown }>((tie) => ({
  value: fc.oneof({ depthSize: "small" }, odd, fc.array(tie("value"), { maxLength: 3 }), tie("object")),
  object: fc.dictionary(fc.oneof(fc.constantFrom(...FIELDS, "__proto__", "toString"), fc.string()), tie("value"), {
    maxKeys: 6,
  }),
}));

const text = fc.oneof(
  fc.string(),
  fc.constantFrom("", "0", "1", "-1", "true", "1.5", "99999999999999999999", "\0", "../..", "all", "[", "(a+)+$"),
  fc.constantFrom("24h", "512m", "80/tcp", "80-90/tcp", "/etc", "x:y@sha256:z", "linux/amd64", "{}", "[]"),
  fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 1 })).map((map) => JSON.stringify(map)),
);
const name = fc.oneof(
  fc.constantFrom("x", "a/b", "%2F", "..%2f..", "%00", "%C3%A9", "%ff", "%", "x:y@sha256:z", "x".repeat(3000)),
  fc.string().map(encodeURIComponent),
);

/** A body: what the decoder knows, whatever else, or no JSON at all, as routes that take archives get it. */
const body = fc.oneof(
  { weight: 6, arbitrary: value.object.map((found) => JSON.stringify(found)) },
  { weight: 1, arbitrary: value.value.map((found) => JSON.stringify(found)) },
  { weight: 1, arbitrary: fc.constantFrom("", "{", "[[[[", '{"a":', "\u0000", '"\ud800"', "x".repeat(600)) },
);

function requestOf(route: Route) {
  const parameters = parametersOf(route);
  return fc.record({
    path: fc.array(name, { minLength: 3, maxLength: 3 }).map((names) => {
      let at = 0;
      return route.path.replaceAll(/\{\w+\*?\}/g, () => names[at++ % names.length] || "x");
    }),
    version: fc.integer({ min: route.minVersion, max: 51 }),
    query: fc.array(fc.tuple(fc.constantFrom("unknown", ...parameters), text), { maxLength: parameters.length + 1 }),
    body: route.method === "GET" || route.method === "HEAD" ? fc.constant(undefined) : body,
  });
}

/** Far more than any answer takes. */
const ANSWER_MS = 30_000;

async function fuzz(role: Role | undefined, runs: number): Promise<void> {
  const options: Partial<DockerApiOptions> = { sockets, build, shutdown: () => {}, ...(role && { role }) };
  await using served = await serve(emptyEngine(), options);
  for (const route of ROUTES) {
    const property = fc.asyncProperty(requestOf(route), async ({ path, version, query, body: sent }) => {
      // Events without an end would never answer.
      const end = route.path === "/events" ? [["until", "1"] as [string, string]] : [];
      const parameters = new URLSearchParams([...end, ...query]).toString();
      const target = `/v1.${version}${path}?${parameters}`;
      const late = delay(ANSWER_MS, undefined, { ref: false });
      const answer = await Promise.race([served.call(route.method, target, sent), late]);
      assert.ok(answer !== undefined, `${route.method} ${target} is not answered: ${sent?.slice(0, 200)}`);
      assert.notEqual(answer.status, 500, `${route.method} ${path}: ${answer.text}`);
      assert.ok(answer.status < 500 || answer.status === 501 || answer.status === 503, answer.text);
      if (answer.status < 400 || route.method === "HEAD") return;
      const { message } = JSON.parse(answer.text) as { readonly message: unknown };
      assert.ok(typeof message === "string" && message !== "", answer.text);
    });
    await fc.assert(property, { numRuns: runs });
  }
  assert.deepEqual(served.errors, []);
}

test("no route answers anything with a 500 or a crash", { timeout: 300_000 }, () => fuzz(undefined, 60));

test("nor does it on a socket of a role", { timeout: 300_000 }, () =>
  fuzz(parseRole({ name: "ci", role: "confined", label: "team=a", images: ["ci/*"] }), 15),
);

test("every body that is decoded is described here or by Docker", () => {
  const { paths } = dockerRequests();
  const described = ({ path, method }: Route) =>
    paths[path.replaceAll("*}", "}")]?.[method.toLowerCase()]?.some((parameter) => parameter.in === "body") === true;
  const forgotten = ROUTES.filter((route) => route.body !== undefined && !described(route) && !EXTENSIONS[route.path]);
  assert.deepEqual(
    forgotten.map(({ method, path }) => `${method} ${path}`),
    [],
  );
});

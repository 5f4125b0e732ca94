import assert from "node:assert/strict";
import { test } from "node:test";
import { NotFound } from "@boxship/base";
import fc from "fast-check";
import { containerView, scriptedEngine } from "./testing/scripted-engine.ts";
import { serve } from "./testing/serve.ts";

const NAMES = [
  "Image",
  "Cmd",
  "Entrypoint",
  "Env",
  "HostConfig",
  "NetworkingConfig",
  "EndpointsConfig",
  "Labels",
  "Healthcheck",
  "Test",
  "Interval",
  "ExposedPorts",
  "Volumes",
  "Binds",
  "Mounts",
  "Type",
  "Target",
  "Source",
  "TmpfsOptions",
  "VolumeOptions",
  "DriverConfig",
  "PortBindings",
  "80/tcp",
  "HostPort",
  "RestartPolicy",
  "Name",
  "MaximumRetryCount",
  "Ulimits",
  "Devices",
  "Memory",
  "MemorySwappiness",
  "PidsLimit",
  "ConsoleSize",
  "LogConfig",
  "Config",
  "IPAM",
  "IPAMConfig",
  "Options",
  "Driver",
  "Container",
  "EndpointConfig",
  "User",
  "Tty",
  "Detach",
  "DriverOpts",
  "username",
  "serveraddress",
  "__proto__",
  "constructor",
  "toString",
  "",
] as const;

/** JSON that is made of the names and values that the decoders look for, and of whatever else. */
const body = fc.letrec<{ value: unknown; object: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom(null, true, false, 0, -1, 1.5, 2 ** 53, 1e300, "", "a", "no", "80", "/x", "bind", "container:x"),
    fc.jsonValue({ maxDepth: 2 }),
    fc.array(tie("value"), { maxLength: 3 }),
    tie("object"),
  ),
  object: fc.dictionary(fc.oneof(fc.constantFrom(...NAMES), fc.string()), tie("value"), { maxKeys: 6 }),
}));

const engine = scriptedEngine({
  containers: {
    create: () => Promise.resolve({ id: "c", warnings: [] }),
    get: () => Promise.resolve(containerView()),
    update: () => Promise.resolve({ warnings: [] }),
    logs: () => Promise.resolve((async function* () {})()),
    logAttributes: () => Promise.resolve({}),
    remove: () => Promise.resolve(),
    stop: () => Promise.resolve(true),
    resize: () => Promise.resolve(),
    top: () => Promise.resolve({ titles: [], rows: [] }),
    wait: () => Promise.resolve({ exitCode: 0 }),
    prune: () => Promise.resolve({ removed: [], reclaimed: 0 }),
  },
  execs: {
    create: () => Promise.resolve("e"),
    startDetached: () => Promise.resolve(),
    start: () => Promise.reject(new RangeError()),
  },
  networks: {
    create: () => Promise.resolve({ id: "n", warning: "" }),
    connect: () => Promise.resolve(),
    disconnect: () => Promise.resolve(),
    prune: () => Promise.resolve([]),
  },
  volumes: {
    create: (request) =>
      Promise.resolve({
        name: request.name ?? "v",
        driver: "local",
        mountpoint: "/",
        created: 0,
        labels: {},
        options: {},
        anonymous: false,
      }),
    prune: () => Promise.resolve({ removed: [], reclaimed: 0 }),
  },
  system: { login: () => Promise.resolve({ status: "ok" }) },
  images: {
    get: (ref) => Promise.reject(new NotFound(`No such image: ${ref}`)),
    prune: () => Promise.resolve({ removed: [], reclaimed: 0 }),
  },
});

const BODIES = [
  "/containers/create",
  "/containers/x/update",
  "/containers/x/exec",
  "/networks/create",
  "/networks/x/connect",
  "/networks/x/disconnect",
  "/volumes/create",
  "/auth",
];

test("no body gives a 500", async () => {
  await using served = await serve(engine);
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...BODIES),
      fc.integer({ min: 24, max: 51 }),
      body.object,
      async (path, version, value) => {
        const answer = await served.call("POST", `/v1.${version}${path}`, value);
        assert.ok(answer.status < 500 || answer.status === 501, `${answer.status} ${answer.text}`);
        if (answer.status >= 400)
          assert.equal(typeof (JSON.parse(answer.text) as { message: unknown }).message, "string");
      },
    ),
    { numRuns: 1500 },
  );
  assert.deepEqual(served.errors, []);
});

const QUERIES: readonly [string, string, readonly string[]][] = [
  ["GET", "/containers/json", ["all", "limit", "size", "filters"]],
  ["GET", "/containers/x/logs", ["stdout", "stderr", "since", "until", "tail", "timestamps", "details"]],
  ["GET", "/containers/x/top", ["ps_args"]],
  ["GET", "/events", ["since", "until", "filters"]],
  ["GET", "/images/json", ["all", "filters", "filter", "shared-size"]],
  ["GET", "/networks", ["filters"]],
  ["GET", "/volumes", ["filters"]],
  ["GET", "/system/df", ["type"]],
  ["POST", "/containers/x/resize", ["h", "w"]],
  ["POST", "/containers/x/stop", ["t", "signal"]],
  ["POST", "/containers/x/wait", ["condition"]],
  ["POST", "/images/prune", ["filters"]],
  ["POST", "/networks/prune", ["filters"]],
  ["POST", "/volumes/prune", ["filters"]],
  ["POST", "/containers/prune", ["filters"]],
];

const filterKeys = fc.constantFrom(
  "label",
  "label!",
  "name",
  "id",
  "status",
  "exited",
  "before",
  "health",
  "publish",
  "expose",
  "until",
  "dangling",
  "reference",
  "type",
  "is-task",
  "all",
  "driver",
  "network",
);
const filters = fc.dictionary(
  filterKeys,
  fc.oneof(
    fc.array(fc.oneof(fc.string(), fc.constantFrom("true", "0", "(a+)+$", "[", "24h", "80-90/tcp"))),
    fc.dictionary(fc.string(), fc.boolean()),
    fc.jsonValue({ maxDepth: 1 }),
  ),
);
const queryValue = fc.oneof(
  fc.string(),
  fc.constantFrom("1", "0", "true", "-1", "all", "1.5", "99999999999999999999"),
  filters.map((value) => JSON.stringify(value)),
);

test("no query gives a 500", async () => {
  await using served = await serve(engine);
  const request = fc.constantFrom(...QUERIES).chain(([method, path, names]) =>
    fc.record({
      method: fc.constant(method),
      path: fc.constant(path),
      query: fc.array(fc.tuple(fc.constantFrom(...names, "unknown"), queryValue), { maxLength: 4 }),
    }),
  );
  await fc.assert(
    fc.asyncProperty(request, async ({ method, path, query }) => {
      // A stream without an end would never answer.
      const end = path === "/events" ? "until=1&" : "";
      const answer = await served.call(
        method,
        `${path}?${end}${new URLSearchParams(query.map(([k, v]) => [k, v])).toString()}`,
      );
      assert.ok(answer.status < 500, `${method} ${path} ${JSON.stringify(query)}: ${answer.status} ${answer.text}`);
    }),
    { numRuns: 1500 },
  );
  assert.deepEqual(served.errors, []);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { NotFound } from "@boxship/base";
import type { ContainerView, ImageView, NetworkView } from "@boxship/engine";
import { containerView, imageView, noSuchContainer, scriptedEngine } from "../testing/scripted-engine.ts";
import { serve } from "../testing/serve.ts";

const SECOND = 1000;
const id = (digit: string) => digit.repeat(64);

function named(name: string, digit: string, change: Partial<ContainerView> = {}): ContainerView {
  return containerView({ name, id: id(digit), created: Number.parseInt(digit, 16) * SECOND, ...change });
}

const ended = { exitCode: 3, startedAt: SECOND, finishedAt: 2 * SECOND, oomKilled: false };
const base = containerView().effective;

/** Newest first, as the engine lists them. */
const CONTAINERS: readonly ContainerView[] = [
  named("web-1", "4", {
    ports: [{ protocol: "tcp", containerPort: 80, hostIp: "0.0.0.0", hostPort: 8080 }],
    endpoints: [{ networkName: "front", networkId: id("f"), request: {} }],
    health: { status: "healthy", failingStreak: 0, log: [] },
  }),
  named("db", "3", {
    imageId: "sha256:child",
    imageName: "child:1",
    config: { image: "child:1" },
    effective: { ...base, labels: { x: "z", tier: "back" }, exposedPorts: ["5432/tcp"] },
    mounts: [
      {
        type: "volume",
        name: "data",
        source: "/v/data",
        destination: "/var/lib/db",
        mode: "z",
        readWrite: true,
        propagation: "",
        driver: "local",
        spec: "bind",
      },
    ],
  }),
  named("old", "2", { state: { ...ended, status: "exited" } }),
  named("web-0", "1", { state: { status: "created", exitCode: 0 } }),
];

const IMAGES: readonly ImageView[] = [
  imageView(),
  imageView({
    id: "sha256:child",
    repoTags: ["child:1", "host:5000/team/child:2"],
    diffIds: [`sha256:${"d".repeat(64)}`, "sha256:e"],
    created: "2026-02-02T00:00:00Z",
  }),
  imageView({
    id: "sha256:dangling",
    repoTags: [],
    diffIds: ["sha256:q"],
    created: "2026-03-03T00:00:00Z",
    config: {},
  }),
];

const NETWORKS: readonly NetworkView[] = ["bridge", "front"].map((name, index) => ({
  id: id(String(index)),
  name,
  created: 0,
  driver: "bridge",
  internal: false,
  attachable: false,
  enableIPv4: true,
  enableIPv6: false,
  ipam: { driver: "default", options: {}, config: [{ subnet: "172.17.0.0/16", gateway: "172.17.0.1" }] },
  options: {},
  labels: {},
  containers:
    index === 0
      ? []
      : [
          {
            id: id("4"),
            name: "web-1",
            endpointId: "e",
            macAddress: "02:42:ac:11:00:02",
            ipv4Address: "172.18.0.2/16",
            ipv6Address: "",
          },
        ],
}));

const engine = scriptedEngine({
  containers: {
    list: ({ all = false } = {}) =>
      Promise.resolve(CONTAINERS.filter(({ state }) => all || state.status === "running")),
    get: (ref) => {
      const found = CONTAINERS.find((view) => view.name === ref || view.id.startsWith(ref));
      return found === undefined ? Promise.reject(noSuchContainer(ref)) : Promise.resolve(found);
    },
  },
  images: {
    list: () => Promise.resolve(IMAGES),
    get: (ref) => {
      const found = IMAGES.find((image) => image.id === ref || image.repoTags.includes(ref));
      return found === undefined ? Promise.reject(new NotFound("no image")) : Promise.resolve(found);
    },
  },
  networks: { list: () => Promise.resolve(NETWORKS), get: () => Promise.resolve(NETWORKS[1] as NetworkView) },
});

const encode = (filters: object) => encodeURIComponent(JSON.stringify(filters));

test("the list of containers and its filters", async () => {
  await using served = await serve(engine);
  const names = async (query: string) => {
    const answer = await served.call("GET", `/containers/json?${query}`);
    assert.equal(answer.status, 200, answer.text);
    return (JSON.parse(answer.text) as { Names: string[] }[]).map(({ Names }) => Names[0]?.slice(1));
  };
  const filtered = (filters: object, all = "1") => names(`all=${all}&filters=${encode(filters)}`);
  assert.deepEqual(await names(""), ["web-1", "db"]);
  assert.deepEqual(await names("all=1"), ["web-1", "db", "old", "web-0"]);
  assert.deepEqual(await names("limit=3"), ["web-1", "db", "old"]);
  const cases: readonly [object, readonly string[]][] = [
    [{ name: ["web"] }, ["web-1", "web-0"]],
    [{ name: ["^/?web-[0-9]$"] }, ["web-1", "web-0"]],
    [{ name: { db: true, old: true } }, ["db", "old"]],
    [{ id: ["33"] }, ["db"]],
    [{ label: ["x=y"] }, ["web-1", "old", "web-0"]],
    [{ label: ["x", "tier=back"] }, ["db"]],
    [{ "label!": ["tier"] }, ["web-1", "old", "web-0"]],
    [{ status: ["exited", "created"] }, ["old", "web-0"]],
    [{ exited: ["3"] }, ["old"]],
    [{ exited: ["0"] }, []],
    [{ health: ["healthy"] }, ["web-1"]],
    [{ health: ["none"] }, ["db", "old", "web-0"]],
    [{ before: ["db"] }, ["old", "web-0"]],
    [{ since: ["old"] }, ["web-1", "db"]],
    [{ network: ["front"] }, ["web-1"]],
    [{ network: ["fff"] }, ["web-1"]],
    [{ volume: ["data"] }, ["db"]],
    [{ volume: ["/var/lib/db"] }, ["db"]],
    [{ publish: ["8000-9000"] }, ["web-1"]],
    [{ publish: ["8080/udp"] }, []],
    [{ expose: ["5432"] }, ["db"]],
    [{ ancestor: ["bb:1"] }, ["web-1", "db", "old", "web-0"]],
    [{ ancestor: ["child:1"] }, ["db"]],
    [{ "is-task": ["true"] }, []],
    [{ "is-task": ["false"], status: ["running"] }, ["web-1", "db"]],
  ];
  for (const [filters, want] of cases) assert.deepEqual(await filtered(filters), want, JSON.stringify(filters));
  assert.deepEqual(await filtered({ status: ["exited"] }, "0"), ["old"]);
  assert.deepEqual(await filtered({ before: ["web-1"] }, "0"), ["db"]);
  for (const bad of [
    { foo: ["a"] },
    { status: ["a"] },
    { exited: ["a"] },
    { health: ["a"] },
    { publish: ["a"] },
    { name: ["("] },
    { "is-task": ["x"] },
    { label: "x" },
  ]) {
    assert.equal(
      (await served.call("GET", `/containers/json?filters=${encode(bad)}`)).status,
      400,
      JSON.stringify(bad),
    );
  }
  assert.equal((await served.call("GET", `/containers/json?filters=${encode({ before: ["nope"] })}`)).status, 404);
  assert.equal((await served.call("GET", "/containers/json?filters=foo")).status, 400);
  assert.equal((await served.call("GET", "/containers/json?limit=a")).status, 400);
});

test("one entry of the list", async () => {
  await using served = await serve(engine);
  const [first, second] = JSON.parse((await served.call("GET", "/v1.47/containers/json")).text) as Record<
    string,
    unknown
  >[];
  assert.deepEqual(first?.["Ports"], [{ IP: "0.0.0.0", PrivatePort: 80, PublicPort: 8080, Type: "tcp" }]);
  assert.deepEqual(second?.["Ports"], [{ PrivatePort: 5432, Type: "tcp" }]);
  assert.deepEqual(second?.["Mounts"], [
    {
      Type: "volume",
      Name: "data",
      Source: "/v/data",
      Destination: "/var/lib/db",
      Driver: "local",
      Mode: "z",
      RW: true,
      Propagation: "",
    },
  ]);
  assert.equal(first?.["Command"], "sleep 1000");
  assert.equal(first?.["Created"], 4);
  assert.equal(first?.["State"], "running");
  assert.match(String(first?.["Status"]), /^Up .* \(healthy\)$/);
  assert.deepEqual(first?.["HostConfig"], { NetworkMode: "default" });
});

test("networks of a container as each version has them", async () => {
  await using served = await serve(engine);
  const network = async (version: number) => {
    const { text } = await served.call("GET", `/v1.${version}/containers/web-1/json`);
    const { NetworkSettings } = JSON.parse(text) as {
      NetworkSettings: { Networks: Record<string, Record<string, unknown>> };
    };
    return NetworkSettings.Networks["front"] ?? {};
  };
  assert.deepEqual((await network(43))["Aliases"], ["444444444444"]);
  assert.equal((await network(45))["Aliases"], null);
  assert.equal(Object.hasOwn(await network(43), "DNSNames"), false);
  assert.equal(Object.hasOwn(await network(44), "DNSNames"), true);
  assert.equal(Object.hasOwn(await network(47), "GwPriority"), false);
  assert.equal((await network(48))["GwPriority"], 0);
});

test("images: filters and versions", async () => {
  await using served = await serve(engine);
  const list = async (filters: object, version = 51) => {
    const { status, text } = await served.call("GET", `/v1.${version}/images/json?filters=${encode(filters)}`);
    assert.equal(status, 200, text);
    return JSON.parse(text) as Record<string, unknown>[];
  };
  const tags = async (filters: object) => (await list(filters)).map((image) => (image["RepoTags"] as string[]).join());
  assert.deepEqual(await tags({ dangling: ["true"] }), [""]);
  assert.deepEqual(await tags({ dangling: ["false"] }), ["bb:1", "child:1,host:5000/team/child:2"]);
  assert.deepEqual(await tags({ reference: ["bb"] }), ["bb:1"]);
  assert.deepEqual(await tags({ reference: ["c*:1"] }), ["child:1"]);
  assert.deepEqual(await tags({ reference: ["host:5000/*/child"] }), ["host:5000/team/child:2"]);
  assert.deepEqual(await tags({ reference: ["*/child:2"] }), []);
  assert.deepEqual(await tags({ before: ["child:1"] }), ["bb:1"]);
  assert.deepEqual(await tags({ since: ["bb:1"] }), ["child:1,host:5000/team/child:2", ""]);
  assert.deepEqual(await tags({ label: ["x=y"] }), ["bb:1", "child:1,host:5000/team/child:2"]);
  assert.equal(Object.hasOwn((await list({}, 43))[0] ?? {}, "VirtualSize"), true);
  assert.equal(Object.hasOwn((await list({}, 44))[0] ?? {}, "VirtualSize"), false);
  assert.deepEqual((await list({}, 40))[2]?.["RepoTags"], ["<none>:<none>"]);
  const inspect = async (version: number) =>
    JSON.parse((await served.call("GET", `/v1.${version}/images/bb:1/json`)).text) as Record<
      string,
      Record<string, unknown>
    >;
  assert.equal(Object.hasOwn(await inspect(44), "ContainerConfig"), true);
  assert.equal(Object.hasOwn(await inspect(45), "ContainerConfig"), false);
  assert.equal((await inspect(49))["Config"]?.["Hostname"], "");
  assert.deepEqual((await inspect(51))["Config"], {
    ExposedPorts: { "80/tcp": {} },
    Env: ["A=b"],
    Cmd: ["sh"],
    Volumes: { "/data": {} },
    WorkingDir: "",
    User: "",
    Labels: { x: "y" },
  });
});

test("volumes: names are regular expressions found anywhere", async () => {
  const view = { driver: "local", mountpoint: "/v", created: 0, labels: {}, options: {}, anonymous: false };
  const list = () => Promise.resolve(["web-data", "web-logs", "db.data"].map((name) => ({ ...view, name })));
  await using served = await serve(scriptedEngine({ volumes: { list } }));
  const names = async (name: readonly string[]) => {
    const { text } = await served.call("GET", `/volumes?filters=${encode({ name })}`);
    return (JSON.parse(text) as { Volumes: { Name: string }[] }).Volumes.map(({ Name }) => Name);
  };
  assert.deepEqual(await names(["data"]), ["web-data", "db.data"]);
  assert.deepEqual(await names(["^web-(?:logs|x)$", "b[.]d"]), ["web-logs", "db.data"]);
  assert.deepEqual(await names(["^data"]), []);
});

test("networks: filters and shape", async () => {
  await using served = await serve(engine);
  const names = async (filters: object) => {
    const { text } = await served.call("GET", `/networks?filters=${encode(filters)}`);
    return (JSON.parse(text) as { Name: string }[]).map(({ Name }) => Name);
  };
  assert.deepEqual(await names({}), ["bridge", "front"]);
  assert.deepEqual(await names({ type: ["custom"] }), ["front"]);
  assert.deepEqual(await names({ name: ["fro"] }), ["front"]);
  assert.deepEqual(await names({ name: ["^fro"] }), ["front"]);
  assert.deepEqual(await names({ name: ["^fro$"] }), []);
  assert.deepEqual(await names({ name: ["^front$", "^bridge$"] }), ["bridge", "front"]);
  assert.deepEqual(await names({ driver: ["macvlan"] }), []);
  assert.deepEqual(await names({ dangling: ["true"] }), []);
  const { text } = await served.call("GET", "/networks/front");
  assert.deepEqual((JSON.parse(text) as { Containers: unknown }).Containers, {
    [id("4")]: {
      Name: "web-1",
      EndpointID: "e",
      MacAddress: "02:42:ac:11:00:02",
      IPv4Address: "172.18.0.2/16",
      IPv6Address: "",
    },
  });
  assert.equal((await served.call("GET", "/networks/front?scope=swarm")).status, 404);
});

test("what is refused is refused as Docker does, or by name", async () => {
  await using served = await serve(engine);
  const cases: readonly [string, string, number, RegExp][] = [
    ["GET", "/services", 503, /not a swarm manager/],
    ["POST", "/secrets/create", 503, /not a swarm manager/],
    ["POST", "/swarm/leave", 503, /not part of a swarm/],
    ["POST", "/swarm/init", 501, /swarm mode is not supported/],
    ["POST", "/build", 501, /building images is not supported/],
    ["POST", "/session", 501, /building images is not supported/],
    ["POST", "/plugins/pull", 501, /plugins/],
    ["PUT", "/volumes/x", 503, /swarm/],
  ];
  for (const [method, path, status, message] of cases) {
    const answer = await served.call(method, path);
    assert.equal(answer.status, status, path);
    assert.match(answer.text, message);
  }
  assert.equal((await served.call("GET", "/plugins")).text, "[]\n");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { EngineClient } from "@boxship/testkit";
import { type EngineUnderTest, IMAGE, startEngineUnderTest } from "../testing/engine-under-test.ts";

/** Fields of Docker 20.10's answers that are deliberately not ours, and why. */
const NOT_OURS: Readonly<Record<string, string>> = {
  "stats.memory_stats": "the counters are the kernel's, and differ by its version",
  "stats.networks": "named after interfaces",
  "inspect.ExecIDs": "those that have ended are gone at once",
  "inspect.GraphDriver.Data": "the storage driver's own",
  "image.GraphDriver.Data": "the storage driver's own",
  "info.Runtimes": "by name of the runtime",
  "info.RegistryConfig.IndexConfigs": "by host",
  "info.RegistryConfig.AllowNondistributableArtifactsCIDRs": "removed in 1.49, was never used",
  "info.RegistryConfig.AllowNondistributableArtifactsHostnames": "removed in 1.49, was never used",
  "stopped.State.Health.Log": "probes are kept while the container runs",
  "networks[].Labels": "of whichever network comes first",
  "networks[].Options": "the default bridge's are its driver's",
  "version.Components": "by engine",
};

/** What a client sees of one engine, by answer. */
async function look(engine: EngineUnderTest): Promise<Readonly<Record<string, unknown>>> {
  const { client } = engine;
  const get = (path: string) => client.json("GET", `/v1.41${path}`);
  const post = <T>(path: string, body?: unknown) => client.json<T>("POST", `/v1.41${path}`, body);
  await post("/networks/create", { Name: "compared", Labels: { a: "b" } });
  await post("/volumes/create", { Name: "compared", Labels: { a: "b" } });
  const { Id } = await post<{ Id: string }>("/containers/create?name=compared", {
    Image: IMAGE,
    Cmd: ["sleep", "100"],
    Labels: { a: "b" },
    ExposedPorts: { "80/tcp": {}, "81/tcp": {} },
    Healthcheck: { Test: ["CMD", "true"], Interval: 100_000_000 },
    HostConfig: {
      Binds: ["compared:/data"],
      PortBindings: { "80/tcp": [{ HostIp: "127.0.0.1" }] },
      NetworkMode: "compared",
    },
    NetworkingConfig: { EndpointsConfig: { compared: { Aliases: ["other"] } } },
  });
  await post(`/containers/${Id}/start`);
  const exec = await post<{ Id: string }>(`/containers/${Id}/exec`, { Cmd: ["true"], AttachStdout: true });
  await post(`/exec/${exec.Id}/start`, { Detach: true });
  await untilProbed(client, Id);
  const answers = {
    list: await get("/containers/json?size=1"),
    inspect: await get(`/containers/${Id}/json?size=1`),
    top: await get(`/containers/${Id}/top`),
    stats: await get(`/containers/${Id}/stats?stream=0`),
    exec: await get(`/exec/${exec.Id}/json`),
    images: await get("/images/json"),
    image: await get(`/images/${IMAGE}/json`),
    history: await get(`/images/${IMAGE}/history`),
    networks: await get("/networks"),
    network: await get("/networks/compared"),
    volumes: await get("/volumes"),
    volume: await get("/volumes/compared"),
    df: await get("/system/df"),
    info: await get("/info"),
    version: await get("/version"),
    event: firstEvent((await client.call("GET", "/v1.41/events?since=1&until=9&filters={}")).text),
    stop: await post(`/containers/${Id}/stop?t=0`),
    stopped: await get(`/containers/${Id}/json`),
    wait: await post(`/containers/${Id}/wait`),
  };
  await client.json("DELETE", `/v1.41/containers/${Id}?v=1`);
  return answers;
}

async function untilProbed(client: EngineClient, id: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const { State } = await client.json<{ State: { Health: { Log: unknown[] } } }>("GET", `/containers/${id}/json`);
    if (State.Health.Log.length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function firstEvent(text: string): unknown {
  const [line = ""] = text.split("\n");
  return line === "" ? {} : JSON.parse(line);
}

const kind = (value: unknown) => (Array.isArray(value) ? "list" : value === null ? "null" : typeof value);

/** Paths at which `ours` lacks what Docker has, or has another type. */
function differences(docker: unknown, ours: unknown, path: string): readonly string[] {
  if (Object.hasOwn(NOT_OURS, path) || docker === null || docker === undefined) return [];
  if (ours === undefined) return [`${path} is missing`];
  if (ours === null) return isEmpty(docker) ? [] : [`${path} is null`];
  if (kind(docker) !== kind(ours)) return [`${path} is a ${kind(ours)}, not a ${kind(docker)}`];
  if (Array.isArray(docker) && Array.isArray(ours)) {
    if (docker.length > 0 && ours.length === 0) return [`${path} is empty`];
    return docker.length === 0 ? [] : differences(fullest(docker), fullest(ours), `${path}[]`);
  }
  if (typeof docker !== "object") return [];
  return Object.entries(docker).flatMap(([key, value]) =>
    differences(value, (ours as Record<string, unknown>)[key], `${path}.${key}`),
  );
}

/** The element with the most fields: lists come in any order. */
function fullest(list: readonly unknown[]): unknown {
  const size = (value: unknown) => (typeof value === "object" && value !== null ? Object.keys(value).length : 0);
  return list.reduce((best, item) => (size(item) > size(best) ? item : best), list[0]);
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" ? value === null || Object.keys(value).length === 0 : value === "";
}

/** Keys that are made up anew on each engine get the same name. */
function withoutIds(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutIds);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [/^[0-9a-f]{64}$/.test(key) ? "ID" : key, withoutIds(inner)]),
  );
}

test("every answer has the fields and types of Docker's own", {
  timeout: 120_000,
  skip: process.env["BOXSHIP_TEST_REFERENCE"] === "dockerd" ? "it compares both" : false,
}, async () => {
  process.env["BOXSHIP_TEST_REFERENCE"] = "dockerd";
  const docker = await (async () => {
    await using engine = await startEngineUnderTest();
    return withoutIds(await look(engine));
  })();
  process.env["BOXSHIP_TEST_REFERENCE"] = "";
  await using engine = await startEngineUnderTest();
  const ours = withoutIds(await look(engine)) as Record<string, unknown>;
  const found = Object.entries(docker as object).flatMap(([name, answer]) => differences(answer, ours[name], name));
  assert.deepEqual(found, []);
});

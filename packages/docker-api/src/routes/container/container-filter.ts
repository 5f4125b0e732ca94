import { InvalidArgument } from "@boxship/base";
import { type ContainerView, type EngineApi, isAlive } from "@boxship/engine";
import type { Filters } from "../../http/filters.ts";
import { compilePattern } from "../../http/pattern.ts";

/** Filters of `GET /containers/json`. */
export const CONTAINER_FILTERS = [
  "ancestor",
  "before",
  "exited",
  "expose",
  "health",
  "id",
  "is-task",
  "isolation",
  "label",
  "label!",
  "name",
  "network",
  "publish",
  "since",
  "status",
  "volume",
] as const;

const STATUSES = ["created", "running", "paused", "restarting", "removing", "exited", "dead"];
const HEALTHS = ["starting", "healthy", "unhealthy", "none"];

type Test = (view: ContainerView) => boolean;

/**
 * The containers of `listed` (newest first) that the filters want.
 *
 * @param options.all without it only those that run, or will again
 */
export async function filterContainers(
  engine: EngineApi,
  listed: readonly ContainerView[],
  filters: Filters,
  options: { readonly all: boolean },
): Promise<readonly ContainerView[]> {
  const tests: Test[] = [];
  if (!options.all) tests.push(({ state }) => isAlive(state) || state.status === "restarting");
  if (!filters.isEmpty) {
    tests.push(...(await nameTests(filters)), ...stateTests(filters), ...placeTests(filters), ...portTests(filters));
    if (filters.has("ancestor")) tests.push(await ancestorTest(engine, filters.get("ancestor")));
    tests.push(...(await orderTests(engine, listed, filters)));
  }
  return listed.filter((view) => tests.every((test) => test(view)));
}

async function nameTests(filters: Filters): Promise<readonly Test[]> {
  const names = await Promise.all(filters.get("name").map(compilePattern));
  const ids = await Promise.all(filters.get("id").map(compilePattern));
  const tests: Test[] = [];
  if (names.length > 0) {
    tests.push(({ name }) => names.some((pattern) => pattern(name) || pattern(`/${name}`)));
  }
  if (ids.length > 0) tests.push(({ id }) => ids.some((pattern) => pattern(id)));
  if (filters.has("label") || filters.has("label!")) tests.push(({ effective }) => filters.labels(effective.labels));
  return tests;
}

function stateTests(filters: Filters): readonly Test[] {
  for (const status of filters.get("status")) {
    if (!STATUSES.includes(status)) throw new InvalidArgument(`invalid filter 'status=${status}'`);
  }
  for (const health of filters.get("health")) {
    if (!HEALTHS.includes(health)) throw new InvalidArgument(`unrecognised filter value for health: ${health}`);
  }
  const codes = filters.get("exited").map((text) => {
    if (!/^\d{1,3}$/.test(text)) throw new InvalidArgument(`invalid filter 'exited=${text}': not an exit code`);
    return Number(text);
  });
  const task = filters.flag("is-task");
  return [
    ({ state }) => filters.any("status", (status) => status === state.status),
    ({ health }) => filters.any("health", (wanted) => wanted === (health?.status ?? "none")),
    ({ state }) => codes.length === 0 || (state.status === "exited" && codes.includes(state.exitCode)),
    () => task !== true,
    () => filters.any("isolation", (isolation) => isolation === "default" || isolation === ""),
  ];
}

function placeTests(filters: Filters): readonly Test[] {
  return [
    ({ mounts }) =>
      filters.any("volume", (wanted) =>
        mounts.some((m) => m.destination === wanted || m.name === wanted || m.source === wanted),
      ),
    ({ endpoints }) =>
      filters.any("network", (wanted) =>
        endpoints.some((e) => e.networkName === wanted || (wanted !== "" && e.networkId.startsWith(wanted))),
      ),
  ];
}

interface PortRange {
  readonly first: number;
  readonly last: number;
  readonly protocol: string;
}

function portRange(filter: string, text: string): PortRange {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/.exec(text);
  if (match === null) throw new InvalidArgument(`invalid filter '${filter}=${text}': not a port, nor a range of ports`);
  const first = Number(match[1]);
  return { first, last: Number(match[2] ?? first), protocol: match[3] ?? "tcp" };
}

function inRange(range: PortRange, port: number, protocol: string): boolean {
  return port >= range.first && port <= range.last && protocol === range.protocol;
}

function portTests(filters: Filters): readonly Test[] {
  const published = filters.get("publish").map((text) => portRange("publish", text));
  const exposed = filters.get("expose").map((text) => portRange("expose", text));
  return [
    ({ ports }) =>
      published.length === 0 || published.some((range) => ports.some((p) => inRange(range, p.hostPort, p.protocol))),
    ({ effective }) =>
      exposed.length === 0 || exposed.some((range) => effective.exposedPorts.some((port) => exposes(range, port))),
  ];
}

function exposes(range: PortRange, exposedPort: string): boolean {
  const [port = "", protocol = "tcp"] = exposedPort.split("/", 2);
  return inRange(range, Number.parseInt(port, 10), protocol);
}

/** Of the image itself, or of one built on its layers. */
async function ancestorTest(engine: EngineApi, refs: readonly string[]): Promise<Test> {
  const images = await engine.images.list();
  const wanted = new Set<string>();
  for (const ref of refs) {
    const ancestor = await engine.images.get(ref).catch(() => undefined);
    if (ancestor === undefined) continue;
    wanted.add(ancestor.id);
    const { diffIds } = ancestor;
    for (const image of images) {
      if (diffIds.length > 0 && diffIds.every((id, index) => image.diffIds[index] === id)) wanted.add(image.id);
    }
  }
  return ({ imageId, config }) => wanted.has(imageId) || refs.includes(config.image);
}

async function orderTests(
  engine: EngineApi,
  listed: readonly ContainerView[],
  filters: Filters,
): Promise<readonly Test[]> {
  const position = new Map(listed.map((view, index) => [view.id, index]));
  const place = async (ref: string) => position.get((await engine.containers.get(ref)).id) ?? listed.length;
  const before = await Promise.all(filters.get("before").map(place));
  const since = await Promise.all(filters.get("since").map(place));
  const at = (view: ContainerView) => position.get(view.id) ?? listed.length;
  return [(view) => before.every((index) => at(view) > index), (view) => since.every((index) => at(view) < index)];
}

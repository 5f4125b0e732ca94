import { createHash } from "node:crypto";
import { mkdir, readdir, rm } from "node:fs/promises";
import { isAbsolute, join, resolve } from "node:path";
import { isObject, type JsonObject, listAt, parseJson, textAt } from "@boxship/api";
import { toYaml } from "@boxship/api/yaml";
import { writeFileAtomic } from "@boxship/base";
import { FailedPrecondition, InvalidArgument } from "@boxship/base/errors";
import { toJson } from "@boxship/template";
import type { Chart, Dependency } from "../chart/chart.ts";
import { verifyFetched } from "../chart/find-chart.ts";
import { loadArchive, loadChart, readFolder } from "../chart/load-chart.ts";
import { packChart } from "../chart/pack-chart.ts";
import { defineCommand, type Surroundings } from "../command.ts";
import { bool } from "../flags.ts";
import { chartFlags } from "../render-flags.ts";
import { type ArchiveFlags, fetchArchive } from "../repository/find-archive.ts";
import { parseConstraint } from "../version/constraint.ts";
import { parseVersion } from "../version/version.ts";

/** One dependency, fetched. */
interface Resolved {
  readonly dependency: Dependency;
  readonly version: string;
  /** Undefined for charts that stand in `charts/` already. */
  readonly archive: Buffer | undefined;
}

/** Dependencies say themselves where they are. */
const { devel: _devel, repo: _repo, version: _version, "pass-credentials": _pass, ...placedFlags } = chartFlags;
const NO_PLACE = { devel: false, repo: "", version: "", "pass-credentials": false };

/** @param build whether exactly what the lock says is fetched */
function dependencyCommand(build: boolean) {
  return defineCommand({
    usage: "CHART [flags]",
    summary: build
      ? "Fetch the dependencies that the lock names"
      : "Fetch the newest dependencies that fit, and lock them",
    operands: { min: 0, max: 1 },
    flags: { ...placedFlags, "skip-refresh": bool() },
    async run(surroundings, { flags, operands }) {
      const saved = await fetchDependencies(operands[0] ?? ".", build, { ...flags, ...NO_PLACE }, surroundings);
      surroundings.print(`Saved ${saved} charts`);
    },
  });
}

/**
 * Brings a chart's dependencies to its `charts/`, and locks them.
 *
 * @param build whether exactly what the lock says is fetched
 * @returns how many were fetched
 */
export async function fetchDependencies(
  folder: string,
  build: boolean,
  flags: ArchiveFlags,
  surroundings: Surroundings,
): Promise<number> {
  const chart = await loadChart(folder);
  const isFirst = chart.metadata.apiVersion === "v1";
  const locked = build ? lockedVersions(chart) : undefined;
  const all: Resolved[] = [];
  for (const [at, dependency] of chart.metadata.dependencies.entries()) {
    const wanted = locked?.[at] ?? dependency.version;
    all.push(await fetchDependency(dependency, wanted, { folder, chart, flags, surroundings }));
  }
  await writeCharts(join(folder, "charts"), all);
  const lock = lockOf(all);
  const digest = lockDigest(chart, lock);
  // One that says the same keeps its date.
  if (
    locked === undefined &&
    (chart.lock === undefined || textAt(parseJson(toJson(chart.lock)), "digest") !== digest)
  ) {
    const text = toYaml({ dependencies: lock, digest, generated: new Date().toISOString() });
    await writeFileAtomic(join(folder, isFirst ? "requirements.lock" : "Chart.lock"), text, { mode: 0o644 });
  }
  return all.filter(({ archive }) => archive !== undefined).length;
}

export const build = dependencyCommand(true);
export const update = dependencyCommand(false);

/** In the order in which Helm writes fields, with the signs of HTML escaped. */
const goJson = (value: unknown): string =>
  JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

/** What the lock remembers: what `Chart.yaml` wants and what was found, as Helm's JSON has them. */
function lockDigest({ metadata }: Chart, lock: readonly JsonObject[]): string {
  const wanted = metadata.dependencies.map(
    ({ name, version, repository, condition, tags, importValues, alias }): JsonObject => ({
      name,
      ...(version !== "" && { version }),
      repository,
      ...(condition !== "" && { condition }),
      ...(tags.length > 0 && { tags: [...tags] }),
      ...(importValues.length > 0 && { "import-values": parseJson(toJson(importValues)) }),
      ...(alias !== "" && { alias }),
    }),
  );
  const found = lock.map(({ name, version, repository }) => ({ name, version, repository }));
  return `sha256:${createHash("sha256")
    .update(goJson([wanted, found]))
    .digest("hex")}`;
}

/** Versions of the lock in the order of `Chart.yaml`; undefined where there is none. @throws FailedPrecondition where it is of another `Chart.yaml` */
function lockedVersions(chart: Chart): readonly string[] | undefined {
  if (chart.lock === undefined) return undefined;
  const lock = parseJson(toJson(chart.lock));
  const locked = listAt(lock, "dependencies").map((one) => ({
    name: textAt(one, "name"),
    version: textAt(one, "version"),
  }));
  const wanted = chart.metadata.dependencies;
  const fits = wanted.every(({ name, version }, at) => {
    const parsed = parseVersion(locked[at]?.version ?? "");
    return locked[at]?.name === name && parsed !== undefined && parseConstraint(version).allows(parsed);
  });
  const found = listAt(lock, "dependencies").filter(isObject);
  const digest = textAt(lock, "digest");
  // Locks of Helm 2 have another digest: the versions in them are looked at.
  const isSame = chart.metadata.apiVersion === "v1" || digest === "" || digest === lockDigest(chart, found);
  if (fits && isSame && locked.length === wanted.length) return locked.map(({ version }) => version);
  throw new FailedPrecondition("the lock file (Chart.lock) is out of sync with the dependencies file (Chart.yaml)", {
    remedy: "run 'helm dependency update'",
  });
}

const lockOf = (all: readonly Resolved[]): JsonObject[] =>
  all.map(({ dependency: { name, repository, version: wanted }, version, archive }) => ({
    name,
    repository,
    // What stands in `charts/` already is not looked up.
    version: archive === undefined ? wanted : version,
  }));

interface Place {
  readonly folder: string;
  readonly chart: Chart;
  readonly flags: ArchiveFlags;
  readonly surroundings: Surroundings;
}

async function fetchDependency(dependency: Dependency, version: string, place: Place): Promise<Resolved> {
  const { name, repository } = dependency;
  const { folder, chart, flags, surroundings } = place;
  if (repository === "") {
    const there = chart.dependencies.find(({ metadata }) => metadata.name === name);
    if (there === undefined)
      throw new FailedPrecondition(`dependency ${name} has no repository, and is not below charts/`);
    return { dependency, version: check(there, dependency), archive: undefined };
  }
  if (repository.startsWith("file://")) {
    const path = repository.slice("file://".length);
    const own = isAbsolute(path) ? path : resolve(folder, path);
    const found = await loadChart(own);
    return {
      dependency,
      version: check(found, dependency),
      archive: await packChart(found.metadata.name, await readFolder(own)),
    };
  }
  const alias = /^(?:@|alias:)(.+)$/.exec(repository)?.[1];
  const remote = { ...flags, version };
  const address =
    alias !== undefined
      ? `${alias}/${name}`
      : repository.startsWith("oci://")
        ? `${repository.replace(/\/+$/, "")}/${name}`
        : undefined;
  const fetched = await (address === undefined
    ? fetchArchive(name, { ...remote, repo: repository }, surroundings)
    : fetchArchive(address, remote, surroundings));
  if (flags.verify) await verifyFetched(fetched, flags, surroundings);
  const { archive } = fetched;
  return { dependency, version: check(await loadArchive(archive), dependency), archive };
}

/** A repository may give another chart than it says. @returns its version */
function check({ metadata }: Chart, { name, version }: Dependency): string {
  const parsed = parseVersion(metadata.version);
  if (metadata.name !== name) throw new InvalidArgument(`dependency ${name}: what was found is chart ${metadata.name}`);
  if (parsed === undefined || !parseConstraint(version).allows(parsed)) {
    throw new InvalidArgument(`dependency ${name}: version ${metadata.version} does not fit ${version}`);
  }
  return metadata.version;
}

/** New archives first: a command that is cut off leaves a chart that works. */
async function writeCharts(folder: string, all: readonly Resolved[]): Promise<void> {
  await mkdir(folder, { recursive: true });
  const written = new Set<string>();
  for (const { dependency, version, archive } of all) {
    if (archive === undefined) continue;
    const file = `${dependency.name}-${version}.tgz`;
    await writeFileAtomic(join(folder, file), archive, { mode: 0o644 });
    written.add(file);
  }
  const names = all.filter(({ archive }) => archive !== undefined).map(({ dependency }) => dependency.name);
  for (const file of await readdir(folder)) {
    const isOld = names.some(
      (name) => file.startsWith(`${name}-`) && /^\d/.test(file.slice(name.length + 1)) && file.endsWith(".tgz"),
    );
    if (isOld && !written.has(file)) await rm(join(folder, file));
  }
}

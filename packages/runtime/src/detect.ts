import { mkdirSync, mkdtempSync, statSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { release } from "node:os";
import { basename, join } from "node:path";
import { errorMessage, FailedPrecondition, findProgram, isExecutable, writeFileAtomic } from "@boxship/base";
import { RUNTIME_ENVIRONMENT, type RuntimeBinary, runRuntime, runtimeOptions, specFor } from "./container/context.ts";
import type { Launcher } from "./container/launcher.ts";
import { readSmallFile } from "./container/record.ts";
import { cleanMessage } from "./container/runtime-error.ts";
import type { RuntimeDescription, RuntimeOptions } from "./contract.ts";
import { smallestProgram } from "./smallest-program.ts";
import { buildSpec } from "./spec/build-spec.ts";
import type { HostFacts } from "./spec/host.ts";

/** Fastest first. */
const KNOWN = ["crun", "runc"];
const PROBE_TIMEOUT_MS = 15_000;

export interface Detected {
  readonly descriptions: readonly RuntimeDescription[];
  readonly usable: ReadonlyMap<string, RuntimeBinary>;
  readonly default: string;
  readonly conmon: string;
  readonly conmonVersion: string;
}

/** What was seen of a binary, kept for as long as neither it nor the kernel changes. */
interface Finding {
  readonly version: string;
  readonly kind: RuntimeBinary["kind"];
  readonly needsLauncher: boolean;
}

/**
 * Finds conmon and the OCI runtimes, and runs a real container under each that was not seen working before; the results
 * are kept in `runDir`.
 *
 * @throws FailedPrecondition with the package to install
 */
export async function detectRuntimes(options: RuntimeOptions, host: HostFacts, launcher: Launcher): Promise<Detected> {
  const cache = new FindingCache(options.runDir);
  const conmon = options.conmon ?? findProgram("conmon");
  if (conmon === undefined || !isExecutable(conmon)) throw missing("conmon is not installed", "conmon");
  const [conmonVersion, ...probes] = await Promise.all([
    cache.text(`conmon ${conmon}`, conmon, () => conmonVersionOf(conmon)),
    ...candidates(options).map(([name, path]) => probe({ name, path }, { options, host, launcher, cache })),
  ]);
  await cache.save();
  const usable = new Map(
    probes.flatMap(({ binary }) => (binary === undefined ? [] : [[binary.name, binary] as const])),
  );
  const descriptions = probes.map(({ description }) => description);
  return { descriptions, usable, default: chooseDefault(options, usable, descriptions), conmon, conmonVersion };
}

function missing(message: string, what: string): FailedPrecondition {
  return new FailedPrecondition(message, { remedy: `install the package ${what}, e.g. apt-get install ${what}` });
}

function candidates(options: RuntimeOptions): readonly (readonly [string, string])[] {
  const { runtimes = knownRuntimes(), moreRuntimes = {} } = options;
  return Object.entries({ ...runtimes, ...moreRuntimes }).map(([name, { path }]) => [name, path]);
}

function knownRuntimes(): Readonly<Record<string, { readonly path: string }>> {
  const found = KNOWN.map((name) => [name, findProgram(name)] as const);
  return Object.fromEntries(found.flatMap(([name, path]) => (path === undefined ? [] : [[name, { path }]])));
}

function chooseDefault(
  options: RuntimeOptions,
  usable: ReadonlyMap<string, RuntimeBinary>,
  descriptions: readonly RuntimeDescription[],
): string {
  const wanted = options.defaultRuntime;
  if (wanted !== undefined) {
    if (usable.has(wanted)) return wanted;
    const reason = descriptions.find(({ name }) => name === wanted)?.reason ?? "not installed";
    throw new FailedPrecondition(`runtime ${wanted} cannot be used: ${reason}`, {
      subject: { kind: "runtime", name: wanted },
    });
  }
  const ranked = [...usable.values()].sort((a, b) => rank(a) - rank(b));
  if (ranked[0] !== undefined) return ranked[0].name;
  if (descriptions.length === 0) throw missing("no OCI runtime is installed", "crun");
  const reasons = descriptions.map(({ name, reason }) => `${name}: ${reason}`).join("; ");
  throw new FailedPrecondition(`no OCI runtime runs a container here (${reasons})`);
}

function rank({ kind }: RuntimeBinary): number {
  const place = KNOWN.indexOf(kind);
  return place === -1 ? KNOWN.length : place;
}

interface ProbeHost {
  readonly options: RuntimeOptions;
  readonly host: HostFacts;
  readonly launcher: Launcher;
  readonly cache: FindingCache;
}

interface Probed {
  readonly description: RuntimeDescription;
  readonly binary?: RuntimeBinary;
}

async function probe(candidate: { readonly name: string; readonly path: string }, on: ProbeHost): Promise<Probed> {
  const { name, path } = candidate;
  try {
    const key = `runtime ${path} ${on.host.cgroup.version} ${[...on.host.cgroup.controllers].sort().join(",")}`;
    const finding = await on.cache.finding(key, path, () => examine(candidate, on));
    const givesDevicesAway = finding.kind === "crun" && isBefore(finding.version, FIRST_THAT_KEEPS_DEVICES);
    const first = FIRST_WITH_RECURSIVE_READ_ONLY[finding.kind];
    const mountsRecursiveReadOnly = first !== undefined && !isBefore(finding.version, first);
    return {
      description: {
        name,
        path,
        version: finding.version,
        usable: true,
        ...(givesDevicesAway ? { givesDevicesAway } : {}),
        ...(mountsRecursiveReadOnly ? { mountsRecursiveReadOnly } : {}),
      },
      binary: { name, path, kind: finding.kind, needsLauncher: finding.needsLauncher, givesDevicesAway },
    };
  } catch (error) {
    on.options.logger.debug("runtime is not usable", { runtime: name, error });
    return { description: { name, path, version: "", usable: false, reason: errorMessage(error) } };
  }
}

/** The first crun that never changes the owner of a device. */
const FIRST_THAT_KEEPS_DEVICES = [1, 24] as const;

const FIRST_WITH_RECURSIVE_READ_ONLY: Readonly<Record<string, readonly [number, number]>> = {
  crun: [1, 4],
  runc: [1, 1],
};

function isBefore(version: string, [major, minor]: readonly [number, number]): boolean {
  const [, own = "0", part = "0"] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  return Number(own) < major || (Number(own) === major && Number(part) < minor);
}

async function examine(candidate: { readonly name: string; readonly path: string }, on: ProbeHost): Promise<Finding> {
  const { name, path } = candidate;
  const version = await runRuntime(undefined, { file: path, args: ["--version"], env: RUNTIME_ENVIRONMENT });
  const words = version.stdout.toString().split(/\s+/);
  const kind = words[0] === "crun" || words[0] === "runc" ? words[0] : "other";
  const finding = { version: words[2] ?? "", kind } as const;
  const binary: RuntimeBinary = { name, path, kind, needsLauncher: false, givesDevicesAway: false };
  const complaint = await tryContainer(binary, on);
  if (complaint === undefined) return { ...finding, needsLauncher: false };
  if (!["hybrid", "none"].includes(on.host.cgroup.version)) throw new FailedPrecondition(complaint);
  const hidden = await tryContainer({ ...binary, needsLauncher: true }, on);
  if (hidden !== undefined) throw new FailedPrecondition(on.host.cgroup.version === "none" ? hidden : complaint);
  return { ...finding, needsLauncher: true };
}

/** Runs a container that exits at once; returns what went wrong. */
async function tryContainer(
  binary: RuntimeBinary,
  { options, host, launcher }: ProbeHost,
): Promise<string | undefined> {
  const program = smallestProgram();
  if (program === undefined) return undefined;
  const bundle = mkdtempSync(join(options.probeDir ?? options.runDir, "probe-"));
  try {
    const rootfs = join(bundle, "rootfs");
    for (const directory of ["proc", "dev", "sys", "etc"]) mkdirSync(join(rootfs, directory), { recursive: true });
    writeFileSync(join(rootfs, "exit"), program, { mode: 0o755 });
    const id = basename(bundle);
    const { spec } = buildSpec(
      {
        args: ["/exit"],
        env: [],
        cwd: "/",
        user: { uid: 0, gid: 0 },
        rootfs,
        cgroupsPath: join(options.cgroupParent, id),
      },
      host,
    );
    writeFileSync(join(bundle, "config.json"), specFor(binary, spec));
    const result = await runRuntime(binary.needsLauncher ? launcher : undefined, {
      file: binary.path,
      args: [...runtimeOptions(binary, join(bundle, "state")), "run", "--bundle", bundle, id],
      env: RUNTIME_ENVIRONMENT,
      timeout: PROBE_TIMEOUT_MS,
      clock: options.clock,
    });
    if (result.code === 0) return undefined;
    return cleanMessage(result.stderr.toString()) || `it ended with ${result.code ?? result.signal}`;
  } finally {
    await rm(bundle, { recursive: true, force: true });
  }
}

async function conmonVersionOf(path: string): Promise<string> {
  const { stdout } = await runRuntime(undefined, { file: path, args: ["--version"], env: RUNTIME_ENVIRONMENT });
  return /conmon version (\S+)/.exec(stdout.toString())?.[1] ?? "unknown";
}

/** Findings by what was asked and the state of the binary; failures are not kept, they may pass. */
class FindingCache {
  readonly #path: string;
  readonly #known: Map<string, unknown>;
  #changed = false;

  constructor(runDir: string) {
    this.#path = join(runDir, "runtimes.json");
    this.#known = new Map(parseCache(readSmallFile(this.#path)));
  }

  finding(question: string, binary: string, look: () => Promise<Finding>): Promise<Finding> {
    return this.#ask(question, binary, look, isFinding);
  }

  text(question: string, binary: string, look: () => Promise<string>): Promise<string> {
    return this.#ask(question, binary, look, (value) => typeof value === "string");
  }

  async #ask<Value>(
    question: string,
    binary: string,
    look: () => Promise<Value>,
    fits: (value: unknown) => value is Value,
  ): Promise<Value> {
    const { mtimeMs, size, ino } = statSync(binary);
    const key = `${question} ${mtimeMs} ${size} ${ino} ${release()}`;
    const known = this.#known.get(key);
    if (fits(known)) return known;
    const value = await look();
    this.#known.set(key, value);
    this.#changed = true;
    return value;
  }

  async save(): Promise<void> {
    if (this.#changed) await writeFileAtomic(this.#path, JSON.stringify([...this.#known]));
  }
}

function parseCache(text: string | undefined): readonly (readonly [string, unknown])[] {
  try {
    const value: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(value) ? (value as readonly (readonly [string, unknown])[]) : [];
  } catch {
    // Only a cache: what cannot be read is found out again.
    return [];
  }
}

function isFinding(value: unknown): value is Finding {
  return (
    typeof value === "object" && value !== null && "version" in value && "kind" in value && "needsLauncher" in value
  );
}

import { writeFile } from "node:fs/promises";
import type { RemoteBuild } from "@boxship/build";
import { parseUlimit, type Ulimit } from "../container-options/limits.ts";
import type { Context } from "../context.ts";
import { findAuth } from "../credentials/registry-auth.ts";
import { FlagError } from "../failure.ts";
import {
  bool,
  bytes,
  bytesOrUnlimited,
  commaList,
  custom,
  type FlagValues,
  integer,
  list,
  text,
} from "../flags/flag.ts";
import { parseAttestations } from "./attestations.ts";
import { annotationsOf, checkHosts, namedContexts, pairsOf } from "./build-options.ts";
import { parseCacheFrom, parseCacheTo } from "./caches.ts";
import { type BuildOutput, parseOutput } from "./outputs.ts";
import type { BuildProgress } from "./progress.ts";
import { type BuildSources, readSources } from "./read-sources.ts";
import { type BuildAnswer, runBuild } from "./run-build.ts";
import { readSecrets } from "./secrets.ts";
import { readAgents } from "./ssh-agents.ts";

/** Flags of `build`. */
export const BUILD_FLAGS = {
  "add-host": list("Add a custom host-to-IP mapping (format: host:ip)"),
  allow: commaList('Allow extra privileged entitlement (e.g., "network.host", "security.insecure")'),
  annotation: list("Add annotation to the image"),
  attest: list('Attestation parameters (format: "type=provenance,mode=max")'),
  "build-arg": list("Set build-time variables"),
  "build-context": list("Additional build contexts (e.g., name=path)"),
  "cache-from": list('External cache sources (e.g., "user/app:cache", "type=local,src=path/to/dir")'),
  "cache-to": list('Cache export destinations (e.g., "type=inline", "type=registry,ref=user/app:cache")'),
  call: text('Set method for evaluating build ("check", "outline", "targets")', { initial: "build" }),
  "cgroup-parent": text("Set the parent cgroup for the RUN instructions during build"),
  check: bool('Shorthand for "--call=check"'),
  "cpu-period": integer("Limit the CPU CFS (Completely Fair Scheduler) period"),
  "cpu-quota": integer("Limit the CPU CFS (Completely Fair Scheduler) quota"),
  "cpu-shares": integer("CPU shares (relative weight)", { short: "c" }),
  "cpuset-cpus": text("CPUs in which to allow execution (0-3, 0,1)"),
  "cpuset-mems": text("MEMs in which to allow execution (0-3, 0,1)"),
  file: text('Name of the Dockerfile (default: "PATH/Dockerfile")', { short: "f" }),
  "force-rm": bool("Always remove intermediate containers (there are none)", { hidden: true }),
  iidfile: text("Write the image ID to a file"),
  label: list("Set metadata for an image"),
  load: bool('Shorthand for "--output=type=docker"'),
  memory: bytes("Memory limit", { short: "m" }),
  "memory-swap": bytesOrUnlimited("Swap limit equal to memory plus swap: '-1' to enable unlimited swap"),
  "metadata-file": text("Write build result metadata to a file"),
  network: text('Set the networking mode for the "RUN" instructions during build', { initial: "default" }),
  "no-cache": bool("Do not use cache when building the image"),
  "no-cache-filter": commaList("Do not cache specified stages"),
  "on-error": text('What to do when a command fails: "shell" opens one in what it left', { choices: ["shell"] }),
  output: list('Output destination (format: "type=local,dest=path")', { short: "o" }),
  platform: commaList("Set target platform for build"),
  progress: text('Set type of progress output ("auto", "none", "plain", "quiet", "rawjson", "tty")', {
    initial: "auto",
  }),
  provenance: text('Shorthand for "--attest=type=provenance"'),
  pull: bool("Always attempt to pull all referenced images"),
  push: bool('Shorthand for "--output=type=registry"'),
  quiet: bool("Suppress the build output and print image ID on success", { short: "q" }),
  rm: bool("Remove intermediate containers after a successful build (there are none)", { hidden: true, initial: true }),
  sbom: text('Shorthand for "--attest=type=sbom"'),
  secret: list('Secret to expose to the build (format: "id=mysecret[,src=/local/secret]")'),
  "shm-size": bytes("Shared memory size for build containers"),
  ssh: list('SSH agent socket or keys to expose to the build (format: "default|<id>[=<socket>|<key>[,<key>]]")'),
  squash: bool("Squash newly built layers into a single new layer"),
  tag: list('Name and optionally a tag (format: "name:tag")', { short: "t" }),
  target: text("Set the target build stage to build"),
  ulimit: custom<readonly Ulimit[]>("Ulimit options", {
    hint: "ulimit",
    initial: [],
    parse: (value, before) => [...before, parseUlimit(value)],
  }),
};

export type BuildFlags = FlagValues<typeof BUILD_FLAGS>;

/** What no flag of `build` says. */
export interface ExecuteOptions {
  readonly progress: BuildProgress;
  /** Seconds since the epoch: every time in the result is at most this one. */
  readonly sourceDateEpoch?: number;
  /** A question about the file, instead of a build. */
  readonly call?: string;
  /** What `--squash` joins. @default "new" */
  readonly squash?: NonNullable<RemoteBuild["squash"]>;
}

/**
 * Builds as the flags say, and writes what is to be written on this side.
 *
 * @throws BuildFailed
 */
export async function executeBuild(
  context: Context,
  flags: BuildFlags,
  operand: string,
  options: ExecuteOptions,
): Promise<BuildAnswer> {
  const own = await readSources(context, operand, flags.file);
  const named = namedContexts(flags["build-context"]);
  const imports = parseCacheFrom(flags["cache-from"]);
  const exports = await parseCacheTo(flags["cache-to"]);
  const files = [...own.directories, ...named.directories, ...imports.directories];
  const directories = options.call === undefined || includesFiles(own) ? files : [];
  const sources: BuildSources = { ...own, directories };
  const outputs = outputsOf(flags);
  const agents = await readAgents(flags.ssh, context.env);
  const attestations = parseAttestations(flags);
  const build: RemoteBuild = {
    ...(attestations === undefined ? {} : { attestations }),
    file: sources.file,
    ...(sources.filePath === undefined ? {} : { filePath: sources.filePath }),
    context: sources.context,
    contexts: named.contexts,
    args: pairsOf(flags["build-arg"], (name) => context.env[name] ?? null),
    labels: pairsOf(flags.label, () => ""),
    ...annotationsOf(flags.annotation),
    platforms: flags.platform,
    noCache: flags["no-cache"] || flags["no-cache-filter"],
    pull: flags.pull,
    network: flags.network,
    extraHosts: checkHosts(flags["add-host"]),
    ulimits: flags.ulimit.map(({ Name, Soft, Hard }) => ({ name: Name, soft: Soft, hard: Hard })),
    resources: resourcesOf(flags),
    entitlements: ["network.host", ...entitlementsOf(flags.allow)],
    ...(agents.size === 0 ? {} : { ssh: [...agents.keys()] }),
    secrets: await readSecrets(flags.secret, context.env),
    credentials: await credentialsOf(context),
    outputs: outputs.map(({ remote }) => remote),
    ...Object.assign({}, ...outputs.map(({ options: chosen }) => chosen)),
    cacheFrom: imports.caches,
    cacheTo: exports.map(({ remote }) => remote),
    keepFailed: flags["on-error"] === "shell",
    ...(flags.squash ? { squash: options.squash ?? "new" } : {}),
    ...(options.sourceDateEpoch === undefined ? {} : { sourceDateEpoch: options.sourceDateEpoch }),
    ...(options.call === undefined ? {} : { call: options.call }),
    ...(flags.target === "" ? {} : { target: flags.target }),
    ...(flags["shm-size"] === 0 ? {} : { shmSize: flags["shm-size"] }),
    ...(flags["cgroup-parent"] === "" ? {} : { cgroupParent: flags["cgroup-parent"] }),
  };
  if (options.call !== undefined)
    return runBuild(context, build, sources, [], { caches: [], agents: new Map(), progress: options.progress });
  const result = await runBuild(context, build, sources, outputs, {
    caches: exports,
    agents,
    progress: options.progress,
  });
  const id = result.imageId ?? "";
  if (flags.iidfile !== "") await writeFile(flags.iidfile, id);
  if (flags["metadata-file"] !== "") {
    await writeFile(flags["metadata-file"], `${JSON.stringify(result.metadata, undefined, 2)}\n`);
  }
  return result;
}

/** Whether the Containerfile is more than one file; nothing else is read for a question about it. */
function includesFiles({ file }: BuildSources): boolean {
  return file !== undefined && /^\s*INCLUDE\s/im.test(Buffer.from(file.bytes, "base64").toString("latin1"));
}

function outputsOf({ output: texts, tag: names, push, load }: BuildFlags): readonly BuildOutput[] {
  if (push && texts.length > 0) throw new FlagError("push and output cannot be used together");
  const outputs = texts.map((output) => parseOutput(output, names));
  if (texts.length === 0 || load) outputs.push({ remote: { kind: "image", names, push }, directory: false });
  for (const { remote } of outputs) {
    if (remote.kind !== "image" || remote.push !== true || (remote.names ?? []).length > 0) continue;
    throw new FlagError("tag is needed when pushing to registry");
  }
  return outputs;
}

function entitlementsOf(texts: readonly string[]): readonly ("network.host" | "security.insecure")[] {
  return texts.map((entitlement) => {
    if (entitlement === "network.host" || entitlement === "security.insecure") return entitlement;
    throw new FlagError(`invalid entitlement: ${entitlement}`);
  });
}

function resourcesOf(flags: {
  readonly memory: number;
  readonly "memory-swap": number;
  readonly "cpu-shares": number;
  readonly "cpu-quota": number;
  readonly "cpu-period": number;
  readonly "cpuset-cpus": string;
  readonly "cpuset-mems": string;
}): Readonly<Record<string, string | number>> {
  const all = {
    memory: flags.memory,
    memorySwap: flags["memory-swap"],
    cpuShares: flags["cpu-shares"],
    cpuQuota: flags["cpu-quota"],
    cpuPeriod: flags["cpu-period"],
    cpusetCpus: flags["cpuset-cpus"],
    cpusetMems: flags["cpuset-mems"],
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== 0 && value !== ""));
}

/** Everything that the user's configuration knows: which registries a file names is found out by the engine. */
async function credentialsOf(context: Context): Promise<NonNullable<RemoteBuild["credentials"]>> {
  const config = await context.config();
  const servers = Object.keys({ ...config.content.auths, ...config.content.credHelpers });
  const found: Record<string, { username?: string; password?: string; identityToken?: string }> = {};
  for (const server of servers) {
    const auth = await findAuth(config, server);
    if (auth === undefined) continue;
    const host = server.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
    found[host === "index.docker.io" ? "docker.io" : host] = {
      ...(auth.username === undefined ? {} : { username: auth.username }),
      ...(auth.password === undefined ? {} : { password: auth.password }),
      ...(auth.identitytoken === undefined ? {} : { identityToken: auth.identitytoken }),
    };
  }
  return found;
}

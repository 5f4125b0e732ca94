import { errorMessage, InvalidArgument, Unsupported } from "@boxship/base/errors";
import {
  allTags,
  copyImage,
  directorySource,
  imageOf,
  openDestination,
  openSource,
  parseFormat,
  parseSyncFile,
  repositorySource,
  type SyncRegistry,
  type SyncSource,
  syncDestination,
  syncReference,
} from "@boxship/images";
import { print } from "../context.ts";
import { Failure } from "../failure.ts";
import { bool, type FlagValues, text } from "../flags/flag.ts";
import { parseFlags } from "../flags/parse-flags.ts";
import { refuseSigning, retrying } from "./copy.ts";
import { type ImageValues, prefixed, sideOf, transferFlags } from "./flags.ts";
import { readNamedFile } from "./go-words.ts";
import { policyCheck } from "./policy.ts";
import type { SkopeoSession } from "./session.ts";
import { type OpenedSurroundings, surroundings } from "./surroundings.ts";
import { UsageError } from "./usage.ts";

const flagSet = {
  ...transferFlags,
  ...prefixed("src"),
  ...prefixed("dest"),
  dest: text("DESTINATION transport type", { short: "d" }),
  "dry-run": bool("Run without actually copying data"),
  "keep-going": bool("Do not abort the sync if any image copy fails"),
  scoped: bool("Images at DESTINATION are prefix using the full source image path as scope"),
  src: text("SOURCE transport type", { short: "s" }),
} as const;

type SyncFlags = FlagValues<typeof flagSet>;

/** Images with what is needed to reach them. */
interface Reachable {
  readonly source: SyncSource;
  readonly side: ImageValues;
}

export async function sync(session: SkopeoSession, args: readonly string[]): Promise<void> {
  const { values: flags, operands } = parseFlags(flagSet, args);
  const [from, to, ...others] = operands;
  if (from === undefined || to === undefined || others.length > 0) throw new UsageError("sync", flagSet);
  const transport = check(flags);
  const sources = await findSources(session, flags, from);
  if (flags["dry-run"]) session.log("warning", "Running in dry-run mode");
  let copied = 0;
  let failed = 0;
  for (const reachable of sources) {
    const { done, missed } = await syncSource(session, flags, reachable, { transport, root: to });
    copied += done;
    failed += missed;
  }
  const verb = flags["dry-run"] ? "Would have synced" : "Synced";
  session.log("info", `${verb} ${copied} images from ${sources.length} sources`);
  if (failed > 0) throw new Failure(`${failed} images could not be synced`);
}

function check(flags: SyncFlags): "docker" | "dir" {
  refuseSigning(flags);
  const { src, dest } = flags;
  if (src === "") throw new InvalidArgument("A source transport must be specified");
  if (!["docker", "dir", "yaml"].includes(src)) {
    throw new InvalidArgument(`${JSON.stringify(src)} is not a valid source transport`);
  }
  if (dest === "") throw new InvalidArgument("A destination transport must be specified");
  if (dest !== "docker" && dest !== "dir") {
    throw new InvalidArgument(`${JSON.stringify(dest)} is not a valid destination transport`);
  }
  if (src === "dir" && dest === "dir")
    throw new Unsupported("sync from 'dir' to 'dir' not implemented, consider using rsync instead");
  return dest;
}

async function findSources(session: SkopeoSession, flags: SyncFlags, from: string): Promise<readonly Reachable[]> {
  const side = sideOf(flags, "src");
  const log = (message: string, fields?: Readonly<Record<string, string>>) => session.log("info", message, fields);
  if (flags.src === "dir") return [{ source: await directorySource(from), side }];
  if (flags.src === "docker") {
    await using around = surroundings(session.context, side, syncReference(from).domain);
    return [{ source: await repositorySource(around.client, from, log), side }];
  }
  const found: Reachable[] = [];
  for (const registry of parseSyncFile(readNamedFile(from).toString(), from))
    found.push(...(await fromFile(session, side, registry)));
  return found;
}

async function fromFile(session: SkopeoSession, flags: ImageValues, file: SyncRegistry): Promise<readonly Reachable[]> {
  const { registry, credentials, tlsVerify, certDir } = file;
  const side: ImageValues = {
    ...flags,
    ...(credentials !== undefined && { creds: `${credentials.username}:${credentials.password}` }),
    ...(tlsVerify !== undefined && { "tls-verify": tlsVerify }),
    ...(certDir !== undefined && { "cert-dir": certDir }),
  };
  const log = (message: string, fields?: Readonly<Record<string, string>>) => session.log("info", message, fields);
  await using around = surroundings(session.context, side, registry);
  const found: Reachable[] = [];
  const add = (images: SyncSource["images"]) => void found.push({ source: { images, registry }, side });
  for (const { repository, references } of file.images) {
    log("Processing repo", { registry, repo: repository.path });
    add(references.map(imageOf));
  }
  for (const repository of file.repositories) {
    log("Processing repo", { registry, repo: repository.path });
    log("Querying registry for image tags", { registry, repo: repository.path });
    add(await allTags(around.client, repository, log));
  }
  for (const { repository, tags } of file.matching) {
    log("Processing repo", { registry, repo: repository.path });
    const all = await allTags(around.client, repository, log);
    add(all.filter(({ name }) => name.transport === "docker" && tags.test(name.reference.tag ?? "")));
  }
  return found;
}

async function syncSource(
  session: SkopeoSession,
  flags: SyncFlags,
  { source, side }: Reachable,
  destination: { readonly transport: "docker" | "dir"; readonly root: string },
): Promise<{ done: number; missed: number }> {
  const { context, log } = session;
  const target = destination.transport === "docker" ? destination.root.split("/")[0] : undefined;
  await using near = surroundings(context, side, source.registry);
  await using far = surroundings(context, sideOf(flags, "dest"), target);
  let done = 0;
  let missed = 0;
  for (const [index, { name, path }] of source.images.entries()) {
    const to = await syncDestination({ ...destination, scoped: flags.scoped }, path);
    const described = { from: describe(name), to: describe(to) };
    const verb = flags["dry-run"] ? "Would have copied image ref" : "Copying image ref";
    log("info", `${verb} ${index + 1}/${source.images.length}`, described);
    try {
      if (!flags["dry-run"]) await retrying(flags["retry-times"], () => copyOne(session, flags, name, to, near, far));
      done++;
    } catch (error) {
      if (!flags["keep-going"]) throw error;
      log("warning", `Error copying ref ${JSON.stringify(describe(name))}: ${errorMessage(error)}`);
      missed++;
    }
  }
  return { done, missed };
}

type Name = Parameters<typeof openSource>[0];

async function copyOne(
  session: SkopeoSession,
  flags: SyncFlags,
  from: Name,
  to: Name,
  near: OpenedSurroundings,
  far: OpenedSurroundings,
): Promise<void> {
  const admit = await policyCheck(session, from, near.client);
  await using input = await openSource(from, near);
  const mount = from.transport === "docker" ? from.reference : undefined;
  await using output = await openDestination(to, { ...far, from: mount });
  await copyImage({
    source: input,
    destination: output,
    select: flags.all ? "all" : "system",
    platform: session.platform,
    ...(flags.format !== "" && { format: parseFormat(flags.format) }),
    preserveDigests: flags["preserve-digests"],
    admit,
    onProgress: (line) => print(session.context, line),
  });
}

function describe(name: Name): string {
  if (name.transport === "docker") {
    const { domain, path, tag, digest } = name.reference;
    return `docker://${domain}/${path}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
  }
  return name.transport === "dir" ? `dir:${name.path}` : name.transport;
}

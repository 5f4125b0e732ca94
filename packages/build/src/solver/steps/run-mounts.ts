import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join, posix } from "node:path";
import { FailedPrecondition, NotFound, systemCode } from "@boxship/base";
import type { EngineContext } from "@boxship/engine";
import { CurrentDirectory, descriptorPath, OpenFlag, openInRoot, readlinkat } from "@boxship/kernel";
import { type OciMount, resolveUser } from "@boxship/runtime";
import { copyFiles, digestFiles } from "../../files/files.ts";
import { parseMount, type RunInstruction, type RunMount, refuse } from "../../language/index.ts";
import { keyOf } from "../keys.ts";
import type { BuildSession } from "../session.ts";
import { chainOf, type StageState } from "../state.ts";
import { withRoot } from "../working-layer.ts";
import type { FindRoot } from "./copy.ts";
import { expander } from "./metadata.ts";

/** A mount whose words are final, and what of it counts for the cache. */
export interface PlannedMount {
  readonly mount: RunMount;
  /** Absolute. */
  readonly target: string;
  readonly key: unknown;
  readonly from: { readonly context: string | undefined } | { readonly layers: StageState["layers"] } | undefined;
}

/** What a command gets from its mounts. */
export interface OpenMounts {
  readonly mounts: readonly OciMount[];
  readonly env: readonly string[];
  /** Values that its output must not show. */
  readonly secrets: readonly Buffer[];
}

/** Reads the mounts of a `RUN` and finds out what they stand for. */
export async function planMounts(
  session: BuildSession,
  instruction: RunInstruction,
  state: StageState,
  findRoot: FindRoot,
): Promise<readonly PlannedMount[]> {
  const expand = expander(state, instruction, session.file.escape);
  const planned: PlannedMount[] = [];
  for (const text of instruction.mounts) {
    const mount = parseMount(text.includes("$") ? expand(text) : text, instruction.place);
    planned.push(await planMount(session, instruction, state, mount, findRoot));
  }
  return planned;
}

async function planMount(
  session: BuildSession,
  { place }: RunInstruction,
  state: StageState,
  mount: RunMount,
  findRoot: FindRoot,
): Promise<PlannedMount> {
  const target = posix.resolve("/", state.config.WorkingDir ?? "/", mount.target ?? defaultTarget(mount));
  if (target === "/" && mount.type !== "secret") refuse(place, "invalid mount target '/'", "mount below the root");
  const other = mount.from === undefined ? undefined : await findRoot(mount.from);
  const from = other !== undefined && "layers" in other ? other : { context: other?.context };
  if (mount.type !== "bind")
    return { mount, target, key: { ...mount, target }, from: other === undefined ? undefined : from };
  const digest = await bindDigest(session, mount, from);
  return { mount, target, key: { type: "bind", target, digest, readOnly: mount.readOnly }, from };
}

function defaultTarget(mount: RunMount): string {
  if (mount.type === "ssh") return "/run/buildkit/ssh_agent.0";
  return `/run/secrets/${mount.id ?? "secret"}`;
}

async function bindDigest(
  session: BuildSession,
  mount: RunMount,
  from: NonNullable<PlannedMount["from"]>,
): Promise<string> {
  const sources = [mount.source ?? "/"];
  try {
    if ("context" in from) {
      const { path: root, ignore } =
        from.context === undefined ? await session.contexts.main(sources) : await session.contexts.named(from.context);
      const { digest } = await digestFiles({ root, ignore, sources }, { owners: false, names: true }, session.signal);
      return digest;
    }
    const fact = keyOf("bind", chainOf(from.layers) ?? "", sources);
    const known = session.fact(fact);
    if (known !== undefined) return known;
    return await withRoot(
      session,
      from.layers,
      async ({ path: root }) => {
        const { digest } = await digestFiles({ root, sources }, { owners: true, names: true }, session.signal);
        session.learn(fact, digest);
        return digest;
      },
      { readOnly: true },
    );
  } catch (error) {
    if (!(error instanceof NotFound)) throw error;
    throw new FailedPrecondition(`RUN failed: ${error.message}`, {
      cause: error,
      remedy: error.remedy ?? "check source=",
    });
  }
}

/**
 * Opens the mounts for one run of the command; `owned` takes them back.
 *
 * @param directory of this run, in memory: secrets are never written to a disk
 */
export async function openMounts(
  session: BuildSession,
  planned: readonly PlannedMount[],
  rootPath: string,
  directory: string,
  owned: AsyncDisposableStack,
): Promise<OpenMounts> {
  const mounts: OciMount[] = [];
  const env: string[] = [];
  const secrets: Buffer[] = [];
  for (const [index, plan] of planned.entries()) {
    const mapped = session.parts.engine.remap !== undefined;
    const place: Place = { session, rootPath, directory: join(directory, `mount-${index}`), owned, mapped };
    const opened = await openMount(place, plan);
    if (opened === undefined) continue;
    if (opened.mount !== undefined) mounts.push(opened.mount);
    env.push(...(opened.env ?? []));
    if (opened.secret !== undefined) secrets.push(opened.secret);
  }
  return { mounts, env, secrets };
}

interface Place {
  readonly session: BuildSession;
  readonly rootPath: string;
  readonly directory: string;
  readonly owned: AsyncDisposableStack;
  /** The command is in the engine's user namespace. */
  readonly mapped: boolean;
}

interface OpenMount {
  readonly mount?: OciMount;
  readonly env?: readonly string[];
  readonly secret?: Buffer;
}

function openMount(place: Place, plan: PlannedMount): Promise<OpenMount | undefined> {
  switch (plan.mount.type) {
    case "bind":
      return openBind(place, plan);
    case "cache":
      return openCache(place, plan);
    case "tmpfs": {
      const size = plan.mount.size === undefined ? [] : [`size=${plan.mount.size}`];
      const options = ["nosuid", "nodev", "mode=1777", ...size];
      return Promise.resolve({ mount: { destination: plan.target, type: "tmpfs", source: "tmpfs", options } });
    }
    case "secret":
      return openSecret(place, plan);
    case "ssh":
      return openSsh(place, plan);
  }
}

function bindOf(source: string, destination: string, readOnly: boolean): OciMount {
  return { destination, type: "bind", source, options: ["rbind", readOnly ? "ro" : "rw", "rprivate"] };
}

async function openBind(place: Place, { mount, target, from }: PlannedMount): Promise<OpenMount> {
  const source = mount.source ?? "/";
  const tree = await treeOf(place, from ?? { context: undefined }, {
    readOnly: mount.readOnly,
    source,
    bound: true,
  });
  return { mount: bindOf(insideOf(tree, source), target, mount.readOnly) };
}

/** The tree that a mount reads; one that may be written to is a copy of its own. */
async function treeOf(
  place: Place,
  from: NonNullable<PlannedMount["from"]>,
  { readOnly, source, bound }: { readonly readOnly: boolean; readonly source: string; readonly bound: boolean },
): Promise<string> {
  const { session, owned } = place;
  if ("layers" in from) return rootFor(session, from.layers, { readOnly, mapped: place.mapped && bound }, owned);
  const { path, ignore } =
    from.context === undefined ? await session.contexts.main([source]) : await session.contexts.named(from.context);
  if (readOnly && ignore.length === 0) return path;
  const copy = await session.directory();
  const destination = posix.resolve("/", source);
  const request = { selection: { root: path, ignore, sources: [source] }, target: copy, destination, rootOwned: true };
  await copyFiles(request, session.signal);
  return copy;
}

async function rootFor(
  session: BuildSession,
  layers: StageState["layers"],
  { readOnly, mapped }: { readonly readOnly: boolean; readonly mapped: boolean },
  owned: AsyncDisposableStack,
): Promise<string> {
  const ready = Promise.withResolvers<string>();
  const released = Promise.withResolvers<void>();
  const holding = withRoot(
    session,
    layers,
    async ({ path }) => {
      ready.resolve(path);
      await released.promise;
    },
    { readOnly, mapped },
  );
  holding.catch((error: unknown) => ready.reject(error));
  owned.defer(async () => {
    released.resolve();
    await holding.catch(() => {});
  });
  return ready.promise;
}

/** A place in a tree by its path on the host, free of links. */
function insideOf(root: string, path: string): string {
  try {
    using found = openInRoot(root, path === "/" ? "." : path, OpenFlag.Path);
    return readlinkat(CurrentDirectory, descriptorPath(found)).toString();
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    throw new NotFound(`${path}: not found`, { cause: error, subject: { kind: "path", name: path } });
  }
}

async function openCache(place: Place, { mount, target, from }: PlannedMount): Promise<OpenMount> {
  const { session, owned } = place;
  const { sharing = "shared" } = mount;
  // One that is moved instead of mounted can be in one place only.
  const alone = session.parts.engine.options.confined !== undefined && sharing === "shared";
  const request = { id: mount.id ?? target, sharing: alone ? "locked" : sharing } as const;
  const taken = owned.use(await session.parts.mounts.take(request, session.signal));
  if (taken.fresh) await fillCache(place, mount, from, taken.path);
  else if (taken.imported) await ownCache(place, mount, taken.path);
  return { mount: bindOf(taken.path, target, mount.readOnly) };
}

async function fillCache(place: Place, mount: RunMount, from: PlannedMount["from"], path: string): Promise<void> {
  if (from !== undefined) {
    const tree = await treeOf(place, from, { readOnly: true, source: mount.source ?? "/", bound: false });
    const selection = { root: tree, sources: [mount.source ?? "/"] };
    await copyFiles({ selection, target: path, destination: "/" }, place.session.signal);
  }
  await ownCache(place, mount, path);
}

async function ownCache(place: Place, mount: RunMount, path: string): Promise<void> {
  const { uid, gid } = ownerOf(place, mount);
  await chown(path, uid, gid);
  await chmod(path, mount.mode ?? 0o755);
}

function ownerOf(
  { rootPath }: Place,
  { uid = "0", gid = "0" }: RunMount,
): { readonly uid: number; readonly gid: number } {
  const owner = resolveUser(rootPath, `${uid}:${gid}`);
  return { uid: owner.uid, gid: owner.gid };
}

async function openSecret(place: Place, { mount, target }: PlannedMount): Promise<OpenMount | undefined> {
  const { session, directory } = place;
  const id = mount.id ?? posix.basename(mount.target ?? mount.env ?? "");
  const value = await session.request.secret?.(id, session.signal);
  if (value === undefined) {
    if (!mount.required) return undefined;
    throw new NotFound(`secret ${id}: not found`, {
      subject: { kind: "secret", name: id },
      remedy: `give it with --secret id=${id},src=FILE`,
    });
  }
  const env = mount.env === undefined ? [] : [`${mount.env}=${value.toString()}`];
  if (mount.env !== undefined && mount.target === undefined) return { env, secret: value };
  await mkdir(directory, { mode: 0o700 });
  const path = join(directory, "secret");
  await writeFile(path, value, { mode: 0o400, flag: "wx" });
  const { uid, gid } = ownerOf(place, mount);
  await chown(path, uid, gid);
  await chmod(path, mount.mode ?? 0o400);
  return { mount: bindOf(path, target, true), env, secret: value };
}

async function openSsh(place: Place, { mount, target }: PlannedMount): Promise<OpenMount | undefined> {
  const { session, owned, directory } = place;
  const id = mount.id ?? "default";
  const first = await session.request.ssh?.(id, session.signal);
  if (first === undefined) {
    if (!mount.required) return undefined;
    throw new NotFound(`unset ssh forward key ${id}`, {
      subject: { kind: "ssh", name: id },
      remedy: `give an agent with --ssh ${id}`,
    });
  }
  // It was only asked whether there is one.
  first.destroy();
  await mkdir(directory, { mode: 0o700 });
  // The path of a socket is short.
  const path = join(directory, "agent");
  owned.use(await forwardAgent(session, id, path));
  const { uid, gid } = ownerOf(place, mount);
  await chown(path, uid, gid);
  await chmod(path, mount.mode ?? 0o600);
  return { mount: bindOf(path, target, false), env: [`SSH_AUTH_SOCK=${target}`] };
}

async function forwardAgent(session: BuildSession, id: string, path: string): Promise<AsyncDisposable> {
  const server: Server = createServer((client) => {
    client.on("error", () => client.destroy());
    void session.request.ssh?.(id, session.signal).then(
      (agent) => {
        if (agent === undefined) {
          client.destroy();
          return;
        }
        agent.on("error", () => client.destroy());
        agent.on("close", () => client.destroy());
        client.on("close", () => agent.destroy());
        client.pipe(agent).pipe(client);
      },
      () => client.destroy(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => resolve());
  });
  return {
    [Symbol.asyncDispose]: async () => {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

/** A directory for what one command is given, below the instance's run-time directory, which is in memory. */
export async function secretDirectory(engine: EngineContext, owned: AsyncDisposableStack): Promise<string> {
  const parent = join(engine.options.runDir, "build");
  await mkdir(parent, { recursive: true, mode: 0o700 });
  const path = await mkdtemp(join(parent, "run-"));
  owned.defer(() => rm(path, { recursive: true, force: true }));
  return path;
}

import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { FailedPrecondition, hideCredentials, InvalidArgument } from "@boxship/base";
import { expandWord } from "@boxship/oci";
import { resolveUser } from "@boxship/runtime";
import type { CopyRequest } from "../../files/copy-selection.ts";
import { copyFiles, digestFiles } from "../../files/files.ts";
import { parseMode } from "../../files/mode.ts";
import type { Selection } from "../../files/selection.ts";
import { type CopyInstruction, refuse } from "../../language/index.ts";
import { keyOf } from "../keys.ts";
import type { BuildSession } from "../session.ts";
import { chainOf, type StageState, variablesOf } from "../state.ts";
import { finishLayer, type WorkingRoot, withRoot } from "../working-layer.ts";
import { type AddPlan, planAdd } from "./add.ts";
import { expander, placed } from "./metadata.ts";
import type { Step } from "./step.ts";

/** Where `--from` and a mount's `from` read: a stage or an image. */
export interface OtherRoot {
  readonly layers: StageState["layers"];
}

export type FindRoot = (name: string) => Promise<OtherRoot | { readonly context: string }>;

/** Also finds trees that change, where they are. */
export type FindTree = (name: string) => Promise<Awaited<ReturnType<FindRoot>> | { readonly path: string }>;

/** One place that files are copied from. */
interface CopySource {
  readonly selection: Omit<Selection, "root">;
  /** Files of a context belong to root. */
  readonly rootOwned: boolean;
  /** Gives the tree to a task. */
  readonly withTree: <T>(task: (root: string) => Promise<T>) => Promise<T>;
  /** What of it is known without looking: the tree never changes. */
  readonly factKey: string | undefined;
}

/** A `COPY` or `ADD` that has found its sources. */
export interface PlannedCopy {
  /** Of what is copied. */
  readonly digests: readonly string[];
  /** All that the result depends on. */
  readonly key: readonly unknown[];
  readonly history: Step["history"];
  readonly write: (root: WorkingRoot) => Promise<void>;
}

/** Finds the sources of `COPY` and `ADD`, and what of them counts for the cache. */
export async function planCopy(
  session: BuildSession,
  instruction: CopyInstruction,
  state: StageState,
  findRoot: FindTree,
): Promise<PlannedCopy> {
  const expand = expander(state, instruction, session.file.escape);
  const sources = instruction.sources.map(expand);
  const destination = destinationOf(state, expand(instruction.destination));
  const chown = instruction.chown === undefined ? undefined : expand(instruction.chown);
  const chmod = instruction.chmod === undefined ? undefined : expand(instruction.chmod);
  if (chmod !== undefined) placed(instruction, () => parseMode(chmod));
  const plural = sources.length + instruction.heredocs.length > 1;
  if (plural && !destination.endsWith("/")) {
    const keyword = instruction.kind.toUpperCase();
    refuse(
      instruction.place,
      `When using ${keyword} with more than one source file, the destination must be a directory and end with a /`,
      `write ${destination}/`,
    );
  }
  const adds = instruction.kind === "add" ? await planAdd(session, instruction, sources) : undefined;
  const plain = adds?.local ?? sources;
  const parts: CopySource[] = [];
  if (plain.length > 0) parts.push(await sourceOf(session, instruction, plain, findRoot, expand));
  if (instruction.heredocs.length > 0) parts.push(await heredocSource(session, instruction, state));
  const digests = await Promise.all(parts.map((part) => digestOf(session, part, instruction)));
  const options = { destination, chown, chmod, parents: instruction.parents, exclude: instruction.exclude };
  return {
    digests: [...digests, ...(adds?.keys ?? []).map((key) => keyOf(key))],
    key: [instruction.kind, digests, adds?.keys ?? [], options],
    history: historyOf(instruction, chown, sources, expand(instruction.destination), digests),
    write: async (root) => {
      const write = { session, root, destination, chown, chmod, instruction, plural };
      for (const part of parts) await copyPart(write, part);
      for (const add of adds?.remote ?? []) await addRemote(write, add);
    },
  };
}

/** `COPY`, and `ADD` of what lies in the context. */
export async function copy(
  session: BuildSession,
  instruction: CopyInstruction,
  state: StageState,
  findRoot: FindRoot,
): Promise<Step> {
  const { key, history, write } = await planCopy(session, instruction, state, findRoot);
  return {
    key,
    independent: instruction.link,
    makesLayer: true,
    history,
    apply: (before) => before,
    run: (done) => {
      const below = instruction.link ? [] : state.layers;
      return withRoot(session, below, async (root) => {
        await write(root);
        return finishLayer(session, root, below, done);
      });
    },
  };
}

interface Write {
  readonly session: BuildSession;
  readonly root: WorkingRoot;
  readonly destination: string;
  readonly chown: string | undefined;
  readonly chmod: string | undefined;
  readonly instruction: CopyInstruction;
  readonly plural: boolean;
}

function destinationOf(state: StageState, written: string): string {
  const path = posix.resolve("/", state.config.WorkingDir ?? "/", written);
  const isDirectory = /(?:^|\/)\.?$/.test(written) || written.endsWith("/..") || written === "..";
  return isDirectory && path !== "/" ? `${path}/` : path;
}

async function copyPart(write: Write, part: CopySource): Promise<void> {
  const { session, root, instruction } = write;
  const owner = ownerOf(write, root.path);
  await part.withTree(async (tree) => {
    const request: CopyRequest = {
      selection: { root: tree, ...part.selection },
      target: root.path,
      destination: write.destination,
      owner,
      rootOwned: part.rootOwned,
      chmod: write.chmod,
      parents: instruction.parents,
    };
    await copyFiles(request, session.signal);
  });
}

async function addRemote(write: Write, add: AddPlan["remote"][number]): Promise<void> {
  const { session, root, destination, chmod, instruction } = write;
  const owner = ownerOf(write, root.path);
  await add.write({
    session,
    target: root.path,
    destination,
    owner,
    chmod,
    plural: write.plural,
    exclude: instruction.exclude,
  });
}

/** `user[:group]` by the files of the tree that is copied into; a group that is not given has the user's name. */
function ownerOf({ chown, instruction }: Write, rootPath: string): CopyRequest["owner"] {
  if (chown === undefined || chown === "") return undefined;
  const [user = "", group] = chown.split(":");
  const resolve = () => {
    const { uid, gid } = resolveUser(rootPath, `${user}:${group ?? user}`);
    return { uid, gid };
  };
  return placed(
    instruction,
    resolve,
    "name somebody who is in the stage's /etc/passwd and /etc/group, or write numbers",
  );
}

async function sourceOf(
  session: BuildSession,
  instruction: CopyInstruction,
  sources: readonly string[],
  findRoot: FindTree,
  expand: (word: string) => string,
): Promise<CopySource> {
  const selection = { sources, exclude: instruction.exclude.map(expand) };
  if (instruction.from === undefined) {
    const { path, ignore } = await session.contexts.main(sources);
    return contextSource({ ...selection, ignore }, path);
  }
  const other = await findRoot(instruction.from);
  if ("context" in other) {
    const { path, ignore } = await session.contexts.named(other.context);
    return contextSource({ ...selection, ignore }, path);
  }
  if ("path" in other) return { ...contextSource(selection, other.path), rootOwned: false };
  return {
    selection,
    rootOwned: false,
    factKey: keyOf("tree", chainOf(other.layers) ?? ""),
    withTree: (task) => withRoot(session, other.layers, ({ path }) => task(path), { readOnly: true }),
  };
}

function contextSource(selection: Omit<Selection, "root">, path: string): CopySource {
  return { selection, rootOwned: true, factKey: undefined, withTree: (task) => task(path) };
}

/** Files that are written in the Containerfile itself. */
async function heredocSource(
  session: BuildSession,
  instruction: CopyInstruction,
  state: StageState,
): Promise<CopySource> {
  const directory = join(await session.directory(), randomBytes(4).toString("hex"));
  await mkdir(directory);
  const variables = variablesOf(state);
  const { escape } = session.file;
  for (const { name, content, expand } of instruction.heredocs) {
    if (name.includes("/"))
      refuse(instruction.place, `a heredoc cannot be named ${name}`, "use a name without slashes");
    const text = expand ? placed(instruction, () => expandHeredoc(content, variables, escape)) : content;
    await writeFile(join(directory, name), text, { mode: 0o644 });
  }
  return contextSource({ sources: instruction.heredocs.map(({ name }) => name) }, directory);
}

/** How long a heredoc may become: each of its lines may name a long value. */
const LONGEST_HEREDOC = 16 * 1024 ** 2;

/** Variables are replaced; quotes are text like any other. */
export function expandHeredoc(
  content: string,
  variables: (name: string) => string | undefined,
  escape: "\\" | "`",
): string {
  let length = 0;
  const lines = content.split("\n").map((line) => {
    const text = expandWord(line.replace(/(['"])/g, `${escape}$1`), variables, { escape });
    length += text.length + 1;
    if (length <= LONGEST_HEREDOC) return text;
    throw new InvalidArgument(
      `the heredoc has more than ${LONGEST_HEREDOC} characters once its variables are replaced`,
      {
        remedy: "copy a file",
      },
    );
  });
  return lines.join("\n");
}

async function digestOf(session: BuildSession, part: CopySource, instruction: CopyInstruction): Promise<string> {
  const options = { owners: !part.rootOwned && instruction.chown === undefined, names: instruction.parents };
  const fact = part.factKey === undefined ? undefined : keyOf("digest", part.factKey, part.selection, options);
  const known = fact === undefined ? undefined : session.fact(fact);
  if (known !== undefined) return known;
  try {
    const { digest, selected } = await part.withTree((root) =>
      digestFiles({ root, ...part.selection }, options, session.signal),
    );
    const result = keyOf(digest, selected);
    if (fact !== undefined) session.learn(fact, result);
    return result;
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error) || error.code !== "NotFound") throw error;
    const keyword = instruction.kind.toUpperCase();
    throw new FailedPrecondition(`${keyword} failed: ${error.message}`, {
      cause: error,
      ...("remedy" in error && typeof error.remedy === "string" ? { remedy: error.remedy } : {}),
    });
  }
}

function historyOf(
  { kind, text }: CopyInstruction,
  chown: string | undefined,
  sources: readonly string[],
  destination: string,
  digests: readonly string[],
): Step["history"] {
  const keyword = kind.toUpperCase();
  const hash = digests.length === 1 ? digests[0] : keyOf(digests);
  const what = /\/\.?$|^\.$/.test(sources[0] ?? "") ? "dir" : "file";
  const count = sources.length > 1 ? "multi" : what;
  const flags = text
    .split(/\s+/)
    .slice(1)
    .filter((word) => word.startsWith("--"))
    .map((flag) => `${flag} `)
    .join("");
  // Without a blank between owner and source, as Docker writes it.
  const owner = chown === undefined ? "" : `--chown=${chown}`;
  return {
    classic: `${keyword} ${owner}${count}:${hash} in ${destination} `,
    buildkit: `${keyword} ${flags}${hideCredentials(sources.join(" "))} ${destination} # buildkit`,
  };
}

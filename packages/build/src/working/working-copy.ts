import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { resolveUser } from "@boxship/runtime";
import { removeTreeAway } from "@boxship/storage";
import type { CopyInstruction } from "../language/index.ts";
import { SentFiles } from "../remote/remote-door.ts";
import { keyOf } from "../solver/keys.ts";
import type { BuilderParts } from "../solver/session.ts";
import type { StageState } from "../solver/state.ts";
import { type OtherRoot, planCopy } from "../solver/steps/copy.ts";
import type { WorkingRecord } from "./record.ts";
import type { WorkingCopy } from "./working-contract.ts";
import { workingSession } from "./working-session.ts";

export interface CopyParts {
  readonly builder: BuilderParts;
  readonly record: WorkingRecord;
  /** Where the working container is mounted. */
  readonly root: string;
  readonly tree: (name: string) => Promise<OtherRoot | (AsyncDisposable & { readonly path: string })>;
}

/**
 * Copies as `COPY` and `ADD` do.
 *
 * @param files a tar of the sources
 */
export async function copyIntoWorking(
  { builder, record, root, tree }: CopyParts,
  request: WorkingCopy,
  files: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<{ readonly digest: string; readonly history: string }> {
  await using owned = new AsyncDisposableStack();
  const directory = join(builder.root, "work", randomBytes(8).toString("hex"));
  await mkdir(directory, { recursive: true, mode: 0o700 });
  owned.defer(() => removeTreeAway(directory));
  const context = new SentFiles(directory, files, signal).source("main");
  const session = owned.use(workingSession(builder, signal, { context }));
  const find = async (name: string) => {
    const found = await tree(name);
    return "path" in found ? owned.use(found) : found;
  };
  const numbered = { ...request, ...ownerOf(root, request) };
  const planned = await planCopy(session, instructionOf(record, numbered), stateOf(record), find);
  await planned.write({ id: record.id, path: root, touched: [] });
  const digest = keyOf(planned.digests);
  return { digest, history: `/bin/sh -c #(nop) ${request.kind.toUpperCase()} file:${digest}` };
}

/** In buildah's words a user's name alone brings the group of its entry; in a Containerfile, the group of that name. */
function ownerOf(root: string, { chown = "" }: WorkingCopy): Pick<WorkingCopy, "chown"> {
  if (chown === "" || /:|^\d+$/.test(chown)) return {};
  const { uid, gid } = resolveUser(root, chown);
  return { chown: `${uid}:${gid}` };
}

function instructionOf(record: WorkingRecord, request: WorkingCopy): CopyInstruction {
  const { kind, sources, destination, from, chown, chmod } = request;
  const several = sources.length > 1;
  const target = destination ?? record.config.WorkingDir ?? "/";
  // Without a name of its own a source keeps its own.
  const isDirectory = destination === undefined || several;
  const text = `${kind.toUpperCase()} ${[...sources, target].join(" ")}`;
  return {
    kind,
    place: { file: "command line", lines: [1, 1] },
    text,
    sources: sources.map(literal),
    destination: literal(isDirectory && !target.endsWith("/") ? `${target}/` : target),
    heredocs: [],
    link: false,
    parents: false,
    exclude: [],
    ...(from === undefined ? {} : { from }),
    ...(chown === undefined ? {} : { chown: literal(chown) }),
    ...(chmod === undefined ? {} : { chmod: literal(chmod) }),
  };
}

/** A word in which nothing is replaced. */
function literal(word: string): string {
  return word.replace(/[\\$"']/g, "\\$&");
}

function stateOf({ layers, base, config }: WorkingRecord): StageState {
  return {
    key: "",
    layers,
    base,
    config,
    history: [],
    created: undefined,
    args: new Map(),
    commandGiven: false,
  };
}

import { FailedPrecondition, InvalidArgument, NotFound } from "@boxship/base";
import type { ContextSource, FileSource, ProgressEvent } from "../../contract.ts";
import type { ClientSession } from "../session/client-session.ts";
import { sessionStore } from "../session/content-store.ts";
import type { ContextStore } from "../session/context-store.ts";
import { cleanPath, readSessionFiles } from "../session/session-files.ts";
import { Upload } from "../wire/session.ts";
import type { ContextReference, FrontendOptions } from "./frontend-options.ts";
import { internalStep } from "./internal-step.ts";
import type { StatusLog } from "./status-log.ts";

/** What the inputs of a build are made from. */
export interface InputSources {
  readonly options: FrontendOptions;
  /** The session that shares a directory of that name. */
  readonly session: (directory: string) => Promise<ClientSession>;
  readonly contexts: ContextStore;
  readonly status: StatusLog;
  readonly progress: (event: ProgressEvent) => void;
  /** The archive in the body of a request. */
  readonly body: (id: string) => AsyncIterable<Uint8Array>;
  /** The image that another build of the client made. */
  readonly input: (key: string) => Promise<string>;
  readonly signal: AbortSignal;
}

export interface BuildInputs {
  readonly file: FileSource;
  readonly context: ContextSource;
  readonly contexts: Readonly<Record<string, ContextSource>>;
}

/** Reads the Containerfile and its ignore file from the client, and makes contexts of everything else. */
export async function buildInputs(sources: InputSources): Promise<BuildInputs> {
  const { options } = sources;
  const file = await containerfile(sources);
  return {
    file,
    context: await contextSource(options.context, sources),
    contexts: Object.fromEntries(
      await Promise.all(
        Object.entries(options.contexts).map(
          async ([name, reference]) => [name, await contextSource(reference, sources, true)] as const,
        ),
      ),
    ),
  };
}

async function containerfile(sources: InputSources): Promise<FileSource> {
  const { options, signal, progress } = sources;
  const { filename, dockerfileDirectory: directory } = options;
  if (directory === undefined) return { kind: "context", path: filename };
  const found = await internalStep(`load build definition from ${filename}`, progress, async () => {
    const session = await sources.session(directory);
    // What stands in for a missing Dockerfile is only asked for under that name.
    const names = /(?:^|\/)Dockerfile$/.test(filename)
      ? [filename, filename.replace(/D(?=ockerfile$)/, "d")]
      : [filename];
    const files = await readSessionFiles(session, directory, [...names, `${filename}.dockerignore`], signal);
    const bytes = names.map((name) => files.get(name)).find((candidate) => candidate !== undefined);
    if (bytes === undefined)
      throw new NotFound(`failed to read dockerfile: open ${filename}: no such file or directory`);
    return { bytes, ignore: files.get(`${filename}.dockerignore`) };
  });
  const ignore =
    found.ignore ?? (await internalStep("load .dockerignore", progress, () => contextIgnore(options.context, sources)));
  return { kind: "bytes", bytes: found.bytes, name: filename, ignore: ignore ?? new Uint8Array(0) };
}

/** The ignore file of a client's directory. */
async function contextIgnore(reference: ContextReference, sources: InputSources): Promise<Buffer | undefined> {
  if (reference.kind !== "local") return undefined;
  const { name } = reference;
  const files = await readSessionFiles(await sources.session(name), name, [".dockerignore"], sources.signal);
  return files.get(".dockerignore");
}

/** @param ownIgnore it has an ignore file of its own, which the solver does not see */
async function contextSource(
  reference: ContextReference,
  sources: InputSources,
  ownIgnore = false,
): Promise<ContextSource> {
  switch (reference.kind) {
    case "empty":
      return { kind: "empty" };
    case "git":
      return { kind: "git", url: reference.reference, keepGitDirectory: sources.options.keepGitDirectory };
    case "http":
      return { kind: "http", url: reference.reference };
    case "image":
      return { kind: "image", reference: reference.reference };
    case "layout": {
      const { store: name, digest } = reference;
      const store = sessionStore(await sources.session(name), `oci:${name}`, digest);
      return { kind: "layout", name: `oci-layout://${name}`, store, digest };
    }
    case "input":
      return { kind: "image", reference: await sources.input(reference.key) };
    case "body":
      return { kind: "tar", stream: sources.body(reference.id) };
    case "upload":
      return { kind: "tar", stream: upload(await sources.session("context"), reference.id, sources.signal) };
    default:
      return localContext(reference, sources, ownIgnore);
  }
}

/** A directory of the client, brought here when it is known what is needed of it. */
function localContext(
  reference: Extract<ContextReference, { readonly kind: "local" }>,
  sources: InputSources,
  ownIgnore: boolean,
): ContextSource {
  const { name } = reference;
  return {
    kind: "provider",
    open: async (need, signal) => {
      const session = await sources.session(name);
      const ignore = ownIgnore ? await contextIgnore(reference, sources) : undefined;
      const exclude = [...need.exclude, ...(ignore === undefined ? [] : ignorePatterns(ignore.toString("utf8")))];
      const onProgress = transferStatus(name, Date.now(), sources);
      return sources.contexts.sync(session, { name, exclude, ...followed(need.include) }, { signal, onProgress });
    },
  };
}

/** The paths that are needed, with what their links lead to; none when all are. */
function followed(include: readonly string[] | undefined): { readonly follow?: readonly string[] } {
  const paths = include?.map(cleanPath);
  return paths === undefined || paths.length === 0 || paths.includes("") ? {} : { follow: paths };
}

/** The patterns of an ignore file, in order. */
function ignorePatterns(text: string): readonly string[] {
  return text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .filter((line) => !line.startsWith("#"))
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

/** Tells how much has travelled, in the step that waits for it. */
function transferStatus(name: string, started: number, { status, progress }: InputSources): (bytes: number) => void {
  const step = name === "context" ? "[internal] load build context" : `[context ${name}] load from client`;
  let last = 0;
  return (bytes) => {
    const time = Date.now();
    const vertex = status.find(step);
    if (vertex === undefined || time - last < 100) return;
    last = time;
    progress({
      kind: "status",
      vertex,
      id: `transferring ${name}:`,
      name: "transferring",
      current: bytes,
      total: 0,
      time,
      started,
    });
  };
}

async function* upload(session: ClientSession, path: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  if (!session.supports(Upload.pull)) throw new InvalidArgument("the client has no archive to send");
  using call = session.client.call(Upload.pull, {
    signal,
    metadata: { urlpath: [path], urlhost: ["buildkit-session"] },
  });
  call.endRequests();
  let any = false;
  for await (const { data } of call.responses) {
    any = true;
    yield data;
  }
  if (!any) throw new FailedPrecondition("the client sent an empty archive");
}

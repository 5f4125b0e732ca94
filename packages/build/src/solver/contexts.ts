import { readFile, stat } from "node:fs/promises";
import { posix } from "node:path";
import { InvalidArgument, NotFound, systemCode, Unsupported } from "@boxship/base";
import { descriptorPath, OpenFlag, openInRoot } from "@boxship/kernel";
import type { ContextNeed, ContextSource } from "../contract.ts";
import { readIgnoreFile } from "../files/ignore.ts";
import { unpackContext } from "../sources/archive.ts";
import { openGitContext } from "../sources/git.ts";
import { openHttpContext } from "../sources/http.ts";
import type { BuildSession } from "./session.ts";

/** A context's files, open. */
export interface OpenContext {
  readonly path: string;
  /** Patterns of its ignore file. */
  readonly ignore: readonly string[];
}

/** A Containerfile, an ignore file or an included one that is larger is none. */
const MAX_FILE_BYTES = 4 << 20;

const EVERYTHING: ContextNeed = { exclude: [], include: undefined };
const IGNORE_FILES = [".containerignore", ".dockerignore"];

/** The contexts of one build, each opened when it is first needed. */
export class ContextSet {
  /** The file was looked at: not once more for each platform. */
  isChecked = false;
  readonly #session: BuildSession;
  readonly #open = new Map<string, Promise<OpenContext>>();
  /** Patterns that go before an ignore file in the context: those beside the Containerfile. */
  #mainIgnore: readonly string[] | undefined;
  #limit: readonly string[] | undefined;

  constructor(session: BuildSession) {
    this.#session = session;
  }

  /** Ignore rules of the main context that came with the Containerfile. */
  setIgnore(patterns: readonly string[]): void {
    this.#mainIgnore = patterns;
  }

  /** Puts other rules in the place of those of the main context, which is open. */
  async replaceIgnore(ignore: readonly string[]): Promise<void> {
    const { path } = await this.main();
    this.#open.set("main", Promise.resolve({ path, ignore }));
  }

  /** Says what of the main context will be read: not more of it need be brought. Undefined: all, or nobody knows. */
  limit(paths: readonly string[] | undefined): void {
    this.#limit = paths?.map(cleaned);
  }

  /** @param paths that are read. @default all */
  main(paths?: readonly string[]): Promise<OpenContext> {
    const limit = this.#limit;
    const isCovered = limit !== undefined && paths?.every((path) => limit.includes(cleaned(path))) === true;
    return isCovered && !this.#open.has("main") ? this.#openMain("main, limited", limit) : this.#openMain("main");
  }

  #openMain(key: string, include?: readonly string[]): Promise<OpenContext> {
    return this.#once(key, async () => {
      const { context } = this.#session.request;
      const path = await openSource(this.#session, context, { exclude: this.#mainIgnore ?? [], include });
      return { path, ignore: this.#mainIgnore ?? (await readIgnore(path)) };
    });
  }

  /** The ignore rules of the main context, as far as they are known without opening it. */
  async knownIgnore(): Promise<readonly string[]> {
    return this.#mainIgnore ?? (await this.#open.get("main"))?.ignore ?? [];
  }

  /** The source of a named context, undefined when there is none of that name. */
  source(name: string): ContextSource | undefined {
    const { contexts = {} } = this.#session.request;
    return Object.hasOwn(contexts, name) ? contexts[name] : undefined;
  }

  named(name: string): Promise<OpenContext> {
    return this.#once(`named ${name}`, async () => {
      const source = this.source(name);
      if (source === undefined) throw new NotFound(`there is no context ${name}`);
      const path = await openSource(this.#session, source, EVERYTHING);
      return { path, ignore: await readIgnore(path) };
    });
  }

  /** A file of the main context, without following links out of it; undefined when there is none. */
  async file(path: string): Promise<Uint8Array | undefined> {
    const { path: root } = await this.main();
    return readInside(root, path);
  }

  #once(key: string, open: () => Promise<OpenContext>): Promise<OpenContext> {
    let opened = this.#open.get(key);
    if (opened === undefined) {
      opened = open();
      this.#open.set(key, opened);
    }
    return opened;
  }
}

function cleaned(path: string): string {
  return posix.resolve("/", path).slice(1);
}

async function readInside(root: string, path: string): Promise<Uint8Array | undefined> {
  try {
    using file = openInRoot(root, path, OpenFlag.ReadOnly | OpenFlag.NonBlock);
    const opened = descriptorPath(file);
    const status = await stat(opened);
    // A device may give bytes without end, and a queue waits for them.
    if (!status.isFile()) return undefined;
    if (status.size > MAX_FILE_BYTES) throw new InvalidArgument(`${path} is larger than ${MAX_FILE_BYTES} bytes`);
    return await readFile(opened);
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EISDIR") return undefined;
    throw error;
  }
}

async function readIgnore(root: string): Promise<readonly string[]> {
  for (const name of IGNORE_FILES) {
    const bytes = await readInside(root, name);
    if (bytes !== undefined) return readIgnoreFile(bytes);
  }
  return [];
}

/** Patterns of the ignore file that belongs to one Containerfile: `NAME.dockerignore` beside it. */
export async function readOwnIgnore(root: string, file: string): Promise<readonly string[] | undefined> {
  for (const suffix of IGNORE_FILES) {
    const bytes = await readInside(root, `${file}${suffix}`);
    if (bytes !== undefined) return readIgnoreFile(bytes);
  }
  return undefined;
}

async function openSource(session: BuildSession, source: ContextSource, need: ContextNeed): Promise<string> {
  switch (source.kind) {
    case "directory":
      return source.path;
    case "tar":
      return unpackContext(session, source.stream);
    case "empty":
      return session.directory();
    case "provider":
      return session.owned.use(await source.open(need, session.signal)).path;
    case "git": {
      const keepGitDirectory = source.keepGitDirectory === true;
      return (await openGitContext(session, source.url, { keepGitDirectory })).path;
    }
    case "http":
      return openHttpContext(session, source.url);
    case "image":
    case "layout":
      throw new Unsupported(
        `image ${source.kind === "image" ? source.reference : source.name} has a file system, not a context`,
        {
          remedy: "name it in FROM, COPY --from or RUN --mount=from=",
        },
      );
    default:
      throw new InvalidArgument(`there is no context source ${JSON.stringify(source)}`);
  }
}

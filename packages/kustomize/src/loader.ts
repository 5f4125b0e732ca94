import { lstat, readFile, realpath, stat } from "node:fs/promises";
import { STATUS_CODES } from "node:http";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { errorMessage, systemCode } from "@boxship/base";
import { BuildFailure, within } from "./failure.ts";
import { type Clone, cloneRepository, type RunProgram } from "./remote/clone.ts";
import { type Repository, readRepository } from "./remote/repository.ts";

/** Said of an address that answers with a failure: nothing else is tried with it. */
export class HttpFailure extends BuildFailure {}

export interface LoaderOptions {
  /** Files outside of a kustomization's directory are read. @default false */
  readonly unrestricted?: boolean;
  /** Starts git for remote bases. @default they are refused */
  readonly run?: RunProgram | undefined;
}

/** Reads the files of one kustomization and opens those that it is built on. */
export class Loader implements AsyncDisposable {
  /** The directory, without links. */
  readonly root: string;
  readonly repository: Repository | undefined;
  readonly #options: LoaderOptions;
  readonly #referrer: Loader | undefined;
  readonly #clone: Clone | undefined;
  readonly #unrestricted: boolean;

  private constructor(root: string, options: LoaderOptions, referrer?: Loader, repository?: Repository, clone?: Clone) {
    this.root = root;
    this.repository = repository;
    this.#options = options;
    this.#referrer = referrer;
    this.#clone = clone;
    this.#unrestricted = options.unrestricted === true && clone === undefined && referrer?.isRemote !== true;
  }

  /** @param path a directory, or the address of a repository */
  static async at(path: string, options: LoaderOptions): Promise<Loader> {
    const repository = readRepository(path);
    if (repository !== undefined) return await Loader.#cloned(repository, options, undefined);
    return new Loader(await confirmDirectory(resolve(path), path), options);
  }

  static async #cloned(repository: Repository, options: LoaderOptions, referrer: Loader | undefined): Promise<Loader> {
    const clone = await cloneRepository(repository, options.run);
    try {
      const path = join(clone.directory, repository.directory);
      const [directory, file] = await cleaned(path, path);
      if (file !== "") throw new BuildFailure(`'${path}' refers to file '${file}'; expecting directory`);
      if (!isInside(directory, clone.directory)) {
        throw new BuildFailure(`"${path}" refers to directory outside of repo "${clone.directory}"`);
      }
      return new Loader(directory, options, referrer, repository, clone);
    } catch (error) {
      await clone[Symbol.asyncDispose]();
      throw error;
    }
  }

  get isRemote(): boolean {
    return this.#clone !== undefined || this.#referrer?.isRemote === true;
  }

  /** One for a base. @throws BuildFailure for what is no directory, and for one that contains this */
  async open(path: string): Promise<Loader> {
    if (path === "") throw new BuildFailure("new root cannot be empty");
    const repository = readRepository(path);
    if (repository !== undefined) {
      this.#refuseSameRepository(repository);
      return await Loader.#cloned(repository, this.#options, this);
    }
    if (isAbsolute(path)) throw new BuildFailure(`new root '${path}' cannot be absolute`);
    const target = joined(this.root, path);
    const root = await confirmDirectory(target, target);
    const around = this.#containing();
    if (around !== undefined && !isInside(root, around)) {
      throw new BuildFailure(
        `security; bases in kustomizations found in cloned git repos must be within the repo, but base '${root}' is outside '${around}'`,
      );
    }
    this.#refuseCycle(root);
    return new Loader(root, this.#options, this);
  }

  #containing(): string | undefined {
    return this.#clone?.directory ?? (this.#referrer === undefined ? undefined : this.#referrer.#containing());
  }

  #refuseCycle(root: string): void {
    if (isInside(this.root, root)) {
      throw new BuildFailure(`cycle detected: candidate root '${root}' contains visited root '${this.root}'`);
    }
    if (this.#referrer !== undefined) this.#referrer.#refuseCycle(root);
  }

  #refuseSameRepository(repository: Repository): void {
    if (this.repository?.address.startsWith(repository.address) === true) {
      throw new BuildFailure(
        `cycle detected: URI '${repository.address}' referenced by previous URI '${this.repository.address}'`,
      );
    }
    if (this.#referrer !== undefined) this.#referrer.#refuseSameRepository(repository);
  }

  /** A file below the directory, or what an address answers. */
  async load(path: string): Promise<Buffer> {
    if (/^https?:\/\//.test(path)) return await download(path);
    const target = isAbsolute(path) ? path : joined(this.root, path);
    if (this.#unrestricted) return await read(target);
    const [directory, file] = await cleaned(target, target);
    if (file === "") throw new BuildFailure(`'${target}' must resolve to a file`);
    if (!isInside(directory, this.root)) {
      throw new BuildFailure(`security; file '${target}' is not in or below '${this.root}'`);
    }
    return await read(join(directory, file));
  }

  async loadText(path: string): Promise<string> {
    return (await this.load(path)).toString("utf8");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#clone?.[Symbol.asyncDispose]();
  }
}

const joined = (root: string, path: string): string => join(root, path).replace(/(?<=.)\/$/, "");

export const isInside = (path: string, root: string): boolean =>
  root === "/" || path === root || path.startsWith(`${root}/`);

async function confirmDirectory(path: string, shown: string): Promise<string> {
  try {
    const [directory, file] = await cleaned(path, shown);
    if (file === "") return directory;
  } catch (error) {
    throw within("must build at directory: not a valid directory", error);
  }
  throw new BuildFailure(`must build at directory: '${shown}': file is not directory`);
}

/** Directory and file of a path without links; the file is empty for a directory. */
async function cleaned(path: string, shown: string): Promise<[directory: string, file: string]> {
  let real: string;
  try {
    real = await realpath(path);
  } catch (error) {
    throw new BuildFailure(`evalsymlink failure on '${shown}' : ${await whyNot(path, error)}`);
  }
  if ((await stat(real)).isDirectory()) return [real, ""];
  return [dirname(real), basename(real)];
}

/** Which part of a path it is that cannot be followed. */
async function whyNot(path: string, cause: unknown): Promise<string> {
  let here = "";
  for (const part of path.split("/").slice(1)) {
    here += `/${part}`;
    try {
      await lstat(here);
    } catch (error) {
      return `lstat ${here}: ${systemText(error)}`;
    }
  }
  return systemCode(cause) === "ELOOP" ? "EvalSymlinks: too many links" : errorMessage(cause);
}

const TEXTS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  ENOTDIR: "not a directory",
  EISDIR: "is a directory",
  EACCES: "permission denied",
  ENAMETOOLONG: "file name too long",
};

const systemText = (error: unknown): string => TEXTS[systemCode(error) ?? ""] ?? errorMessage(error);

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const call = systemCode(error) === "EISDIR" ? "read" : "open";
    throw new BuildFailure(`${call} ${path}: ${systemText(error)}`);
  }
}

/** What one address may answer. */
const LARGEST_DOWNLOAD = 64 << 20;

async function download(url: string): Promise<Buffer> {
  let answer: Response;
  try {
    answer = await fetch(url);
  } catch (error) {
    throw new BuildFailure(`Get "${url}": ${errorMessage(error instanceof Error ? (error.cause ?? error) : error)}`);
  }
  if (!answer.ok) {
    await answer.body?.cancel();
    if (readRepository(url) !== undefined) throw new BuildFailure("URL is a git repository");
    throw new HttpFailure(`HTTP Error: status code ${answer.status} (${STATUS_CODES[answer.status] ?? ""})`);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer.body ?? []) {
    size += chunk.byteLength;
    if (size > LARGEST_DOWNLOAD) throw new BuildFailure(`${url} answers with more than ${LARGEST_DOWNLOAD} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

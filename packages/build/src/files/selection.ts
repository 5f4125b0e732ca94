import { readdirSync } from "node:fs";
import { posix } from "node:path";
import { FailedPrecondition, NotFound, systemCode } from "@boxship/base/errors";
import {
  CurrentDirectory,
  descriptorPath,
  type Fd,
  type FileStatus,
  FileType,
  fstat,
  OpenFlag,
  openat,
  openat2,
  ResolveFlag,
  readlinkat,
  statx,
} from "@boxship/kernel";
import { IgnoreRules, type ParentMatch } from "./ignore.ts";
import { globSource, isGlob, literalOf } from "./pattern.ts";

/** Files of a tree that an instruction names. */
export interface Selection {
  /** The tree: a context, or the root of a stage. No link leads out of it. */
  readonly root: string;
  /** Rules of the ignore file. @default [] */
  readonly ignore?: readonly string[];
  /** As written, variables replaced: paths and patterns. */
  readonly sources: readonly string[];
  /** `--exclude`, relative to each source. @default [] */
  readonly exclude?: readonly string[];
}

/** One thing that was selected: a directory with all below it, or anything else. */
export interface Selected {
  /** Below the root, links resolved; "" is the root. */
  readonly path: string;
  /** As the pattern or the path names it; the last part names the copy. */
  readonly name: string;
  /** What it was selected by. */
  readonly source: string;
  readonly status: FileStatus;
}

const IN_ROOT = ResolveFlag.InRoot | ResolveFlag.NoMagiclinks;
const DIRECTORY = OpenFlag.ReadOnly | OpenFlag.Directory | OpenFlag.NoFollow;

export function isDirectory({ mode }: FileStatus): boolean {
  return (mode & FileType.Mask) === FileType.Directory;
}

/** Opens the tree. */
export function openTree(root: string): Fd {
  return openat(CurrentDirectory, root, OpenFlag.Path | OpenFlag.Directory);
}

/** Opens a directory of it; "" is the tree's root. */
export function openDirectory(root: Fd, path: string): Fd {
  return openat2(root, path === "" ? "." : path, { flags: DIRECTORY, resolve: IN_ROOT });
}

/**
 * Finds what the sources of a selection name, in the order of the sources, matches of a pattern sorted.
 *
 * @throws NotFound for a path that is not there or is ignored, and for a pattern that matches nothing
 */
export function select(root: Fd, selection: Selection, rules: IgnoreRules): readonly Selected[] {
  return selection.sources.flatMap((source) => {
    const path = cleanPath(source);
    return isGlob(path) ? matching(root, path, source, rules) : [single(root, literalOf(path), source, rules)];
  });
}

/** A source's path below its root: `..` does not lead out. */
function cleanPath(source: string): string {
  return posix.resolve("/", source).slice(1);
}

function missing(source: string, cause?: unknown): NotFound {
  const path = source.replace(/^\.?\/+/, "");
  return new NotFound(
    `file not found in build context or excluded by .dockerignore: stat ${path}: file does not exist`,
    {
      cause,
      subject: { kind: "path", name: source },
      remedy: "check the path, which is relative to the context's root, and the ignore file",
    },
  );
}

function unreachable(source: string, why: string, cause: unknown): FailedPrecondition {
  return new FailedPrecondition(`${source}: ${why}`, {
    cause,
    subject: { kind: "path", name: source },
    remedy: "name what it leads to, or leave it out",
  });
}

function single(root: Fd, path: string, source: string, rules: IgnoreRules): Selected {
  try {
    using place = openat2(root, path === "" ? "." : path, { flags: OpenFlag.Path, resolve: IN_ROOT });
    const found = canonical(root, place);
    const status = fstat(place);
    const hidden = found !== "" && rules.ignores(found) && (!isDirectory(status) || rules.hidesAllBelow(found));
    if (hidden) throw missing(source);
    return { path: found, name: path, source, status };
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") throw missing(source, error);
    if (code === "ELOOP") throw unreachable(source, "too many symbolic links", error);
    if (code === "ENAMETOOLONG") throw unreachable(source, "the name is too long", error);
    throw error;
  }
}

/** The path of an open place below the root, free of links. */
function canonical(root: Fd, place: Fd): string {
  const read = (fd: Fd) => readlinkat(CurrentDirectory, descriptorPath(fd)).toString();
  const [rootPath, path] = [read(root), read(place)];
  if (path === rootPath) return "";
  const prefix = rootPath.endsWith("/") ? rootPath : `${rootPath}/`;
  if (!path.startsWith(prefix)) throw new FailedPrecondition(`${path} is not below ${rootPath}`);
  return path.slice(prefix.length);
}

function matching(root: Fd, pattern: string, source: string, rules: IgnoreRules): readonly Selected[] {
  const parts = pattern.split("/");
  const found: Selected[] = [];
  // A part that is no pattern may be a link to a directory; what a pattern matches is followed as well.
  const descend = (directory: string, depth: number): void => {
    const part = parts[depth] ?? "";
    const expression = new RegExp(`^${globSource(part)}$`, "su");
    for (const name of namesIn(root, directory)) {
      if (!expression.test(name)) continue;
      const path = directory === "" ? name : `${directory}/${name}`;
      if (depth < parts.length - 1) descendInto(path, depth + 1);
      else addMatch(path);
    }
  };
  const descendInto = (path: string, depth: number): void => {
    try {
      using place = openat2(root, path, { flags: OpenFlag.Path | OpenFlag.Directory, resolve: IN_ROOT });
      descend(canonical(root, place), depth);
    } catch (error) {
      if (!["ENOENT", "ENOTDIR", "ELOOP"].includes(systemCode(error) ?? "")) throw error;
    }
  };
  const addMatch = (path: string): void => {
    try {
      found.push(single(root, path, source, rules));
    } catch (error) {
      if (!(error instanceof NotFound) && systemCode(error instanceof Error ? error.cause : error) !== "ELOOP")
        throw error;
    }
  };
  descend("", 0);
  if (found.length === 0) {
    throw new NotFound(`no source files were specified: ${source} matches nothing`, {
      subject: { kind: "path", name: source },
      remedy: "check the pattern, and the ignore file",
    });
  }
  return found;
}

function namesIn(root: Fd, path: string): readonly string[] {
  using directory = openDirectory(root, path);
  return readdirSync(descriptorPath(directory)).sort();
}

/** One thing below a selected directory, or the selected thing itself. */
export interface Member {
  readonly directory: Fd;
  readonly name: Buffer;
  readonly status: FileStatus;
  /** Below the selected thing, slashes between; "" is itself. */
  readonly path: string;
  /** The same in bytes. */
  readonly bytes: Buffer;
}

export interface Walker {
  /** Anything but a directory. */
  file(member: Member): void;
  /** Before what lies in a directory. */
  enter(member: Member): void;
  /** After it. */
  leave(member: Member): void;
}

/**
 * Walks over what lies below a selected directory, in the order of the names' bytes, without what is left out. Directories
 * that are ignored themselves are entered only when something in them is not.
 */
export class SelectionWalk {
  readonly #root: Fd;
  readonly #rules: IgnoreRules;
  readonly #exclude: IgnoreRules;
  readonly #checkpoint: () => void;

  constructor(root: Fd, rules: IgnoreRules, exclude: IgnoreRules, checkpoint: () => void) {
    this.#root = root;
    this.#rules = rules;
    this.#exclude = exclude;
    this.#checkpoint = checkpoint;
  }

  /** Whether `--exclude` leaves out a source that is no directory. */
  excludes(name: string): boolean {
    return this.#exclude.ignores(posix.basename(name));
  }

  below(selected: Selected, walker: Walker): void {
    using directory = openDirectory(this.#root, selected.path);
    const above = this.#above(selected.path);
    this.#walk(
      directory,
      { context: selected.path, path: "", bytes: Buffer.alloc(0), above, excluded: undefined },
      walker,
    );
  }

  #above(path: string): ParentMatch | undefined {
    if (path === "" || this.#rules.isEmpty) return undefined;
    let matches: ParentMatch | undefined;
    const parts = path.split("/");
    for (let depth = 1; depth <= parts.length; depth++) {
      matches = this.#rules.match(parts.slice(0, depth).join("/"), matches).matches;
    }
    return matches;
  }

  #walk(directory: Fd, at: Place, walker: Walker): void {
    const names = readdirSync(descriptorPath(directory), { encoding: "buffer" }).sort((a, b) => Buffer.compare(a, b));
    for (const name of names) {
      this.#checkpoint();
      this.#visit(directory, name, at, walker);
    }
  }

  #visit(directory: Fd, name: Buffer, at: Place, walker: Walker): void {
    const text = name.toString();
    const path = at.path === "" ? text : `${at.path}/${text}`;
    const context = at.context === "" ? text : `${at.context}/${text}`;
    const ignore = this.#rules.isEmpty ? undefined : this.#rules.match(context, at.above);
    const exclude = this.#exclude.isEmpty ? undefined : this.#exclude.match(path, at.excluded);
    const out = ignore?.ignored === true || exclude?.ignored === true;
    const status = statx(directory, name);
    const bytes = at.bytes.length === 0 ? name : Buffer.concat([at.bytes, SLASH, name]);
    const member: Member = { directory, name, status, path, bytes };
    if (!isDirectory(status)) {
      if (!out) walker.file(member);
      return;
    }
    if (ignore?.ignored === true && this.#rules.hidesAllBelow(context)) return;
    if (exclude?.ignored === true && this.#exclude.hidesAllBelow(path)) return;
    const below: Place = { context, path, bytes, above: ignore?.matches, excluded: exclude?.matches };
    const lazy = out ? new LazyDirectory(walker, member) : walker;
    if (!out) walker.enter(member);
    using inner = openat(directory, name, DIRECTORY);
    this.#walk(inner, below, lazy);
    if (!out || (lazy as LazyDirectory).entered) walker.leave(member);
  }
}

interface Place {
  readonly context: string;
  readonly path: string;
  readonly bytes: Buffer;
  readonly above: ParentMatch | undefined;
  readonly excluded: ParentMatch | undefined;
}

const SLASH = Buffer.from("/");

/** Enters an ignored directory once something in it turns out not to be. */
class LazyDirectory implements Walker {
  entered = false;
  readonly #outer: Walker;
  readonly #member: Member;

  constructor(outer: Walker, member: Member) {
    this.#outer = outer;
    this.#member = member;
  }

  file(member: Member): void {
    this.#enter();
    this.#outer.file(member);
  }

  enter(member: Member): void {
    this.#enter();
    this.#outer.enter(member);
  }

  leave(member: Member): void {
    this.#outer.leave(member);
  }

  #enter(): void {
    if (this.entered) return;
    this.entered = true;
    this.#outer.enter(this.#member);
  }
}

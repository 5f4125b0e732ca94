import { posix } from "node:path";
import { FailedPrecondition, systemCode } from "@boxship/base/errors";
import {
  type Fd,
  type FileStatus,
  mkdirat,
  OpenFlag,
  openat,
  openat2,
  ResolveFlag,
  type SystemPath,
  statx,
  unlinkat,
} from "@boxship/kernel";
import { type CopiedLinks, type CopyChanges, copyDirectoryMetadata, copyNode } from "@boxship/storage/tree";
import { findDirectory, makeDirectories, type Owner } from "./directories.ts";
import { IgnoreRules } from "./ignore.ts";
import { type ModeChange, parseMode } from "./mode.ts";
import {
  isDirectory,
  type Member,
  openTree,
  type Selected,
  type Selection,
  SelectionWalk,
  select,
} from "./selection.ts";

export interface CopyRequest {
  readonly selection: Selection;
  /** Root of the tree that is copied into. */
  readonly target: string;
  /** Absolute in the target; with a slash at its end it is a directory. */
  readonly destination: string;
  /** Of everything that is copied, and of directories that are made for it. @default as it is; those made are root's */
  readonly owner?: Owner | undefined;
  /** Everything is owned by root unless {@link owner} says otherwise: files of a context. @default false */
  readonly rootOwned?: boolean;
  /** @default as it is */
  readonly chmod?: string | undefined;
  /** Keep the paths of the sources below the destination, from a `./` in them on. @default false */
  readonly parents?: boolean;
}

const ROOT: Owner = { uid: 0, gid: 0 };
const DIRECTORY = OpenFlag.ReadOnly | OpenFlag.Directory | OpenFlag.NoFollow;

/**
 * Copies what a selection names into a tree, as `COPY` does: of a directory its content, of anything else itself, under
 * its own name where the destination is a directory. What is in the way of a file is replaced, unless it is a directory.
 * Blocks: for worker threads.
 *
 * @returns how many things were copied
 * @throws NotFound for a source that is not there; FailedPrecondition where file and directory are in each other's way
 */
export function copySelection(request: CopyRequest, checkpoint: () => void = () => {}): number {
  const { selection } = request;
  const rules = new IgnoreRules(selection.ignore ?? []);
  using root = openTree(selection.root);
  using target = openTree(request.target);
  const walk = new SelectionWalk(root, rules, new IgnoreRules(selection.exclude ?? []), checkpoint);
  const copier = new Copier(root, target, request, walk);
  const selected = select(root, selection, rules).filter(({ name, status }) => {
    return isDirectory(status) || !walk.excludes(name);
  });
  const isPlural = selected.length > 1 || request.destination.endsWith("/");
  for (const one of selected) copier.copy(one, isPlural);
  return copier.copied;
}

class Copier {
  copied = 0;
  readonly #root: Fd;
  readonly #target: Fd;
  readonly #request: CopyRequest;
  readonly #walk: SelectionWalk;
  readonly #links: CopiedLinks = new Map();
  readonly #changes: CopyChanges;
  readonly #made: Owner;

  constructor(root: Fd, target: Fd, request: CopyRequest, walk: SelectionWalk) {
    this.#root = root;
    this.#target = target;
    this.#request = request;
    this.#walk = walk;
    const owner = request.owner ?? (request.rootOwned === true ? ROOT : undefined);
    const chmod: ModeChange | undefined = request.chmod === undefined ? undefined : parseMode(request.chmod);
    this.#changes = {
      owner,
      mode: chmod === undefined ? undefined : (status) => chmod(status.mode & 0o7777, isDirectory(status)),
    };
    this.#made = request.owner ?? ROOT;
  }

  copy(selected: Selected, isPlural: boolean): void {
    const base = this.#request.parents === true ? this.#parents(selected) : this.#request.destination;
    if (isDirectory(selected.status)) {
      this.#directory(selected, base);
      return;
    }
    using into = isPlural || this.#request.parents === true ? this.#make(base) : this.#existing(base);
    if (into !== undefined) this.#file(selected, into, Buffer.from(posix.basename(selected.name)));
    else {
      using above = this.#make(posix.dirname(base));
      this.#file(selected, above, Buffer.from(posix.basename(base)));
    }
  }

  /** Where a source goes with `--parents`: below the destination, with the directories of its path. */
  #parents({ name, source, status }: Selected): string {
    const pivot = source.indexOf("/./");
    const before = pivot === -1 ? 0 : posix.resolve("/", source.slice(0, pivot)).length;
    const kept = `/${name}`.slice(before);
    return posix.join(this.#request.destination, isDirectory(status) ? kept : posix.dirname(kept));
  }

  #make(path: string): Fd {
    return makeDirectories(this.#target, path, this.#made);
  }

  #existing(path: string): Fd | undefined {
    return findDirectory(this.#target, path);
  }

  #directory(selected: Selected, destination: string): void {
    const stack: { readonly fd: Fd }[] = [{ fd: this.#make(destination) }];
    const top = () => (stack.at(-1) as { readonly fd: Fd }).fd;
    try {
      this.#walk.below(selected, {
        file: (member) => this.#place(member, top(), member.name),
        enter: (member) => void stack.push({ fd: this.#enter(member, top()) }),
        leave: (member) => {
          const fd = top();
          stack.pop();
          using made = fd;
          using source = openat(member.directory, member.name, DIRECTORY);
          copyDirectoryMetadata(source, made, this.#changes);
        },
      });
    } finally {
      for (const { fd } of stack) fd[Symbol.dispose]();
    }
  }

  #enter(member: Member, into: Fd): Fd {
    this.copied++;
    try {
      mkdirat(into, member.name, 0o700);
    } catch (error) {
      if (systemCode(error) !== "EEXIST") throw error;
      const status = statx(into, member.name);
      if (!isDirectory(status)) throw inTheWay(member.path, "cannot copy a directory over something else");
    }
    return openat(into, member.name, DIRECTORY);
  }

  #file(selected: Selected, into: Fd, name: Buffer): void {
    const { path, status } = selected;
    const slash = path.lastIndexOf("/");
    const flags = OpenFlag.ReadOnly | OpenFlag.Directory;
    const resolve = ResolveFlag.InRoot | ResolveFlag.NoMagiclinks;
    using directory = openat2(this.#root, slash === -1 ? "." : path.slice(0, slash), { flags, resolve });
    this.#place({ directory, name: Buffer.from(path.slice(slash + 1)), status, path }, into, name);
  }

  #place(
    from: { readonly directory: Fd; readonly name: SystemPath; readonly status: FileStatus; readonly path: string },
    into: Fd,
    name: SystemPath,
  ): void {
    this.copied++;
    this.#clear(into, name, from.path);
    copyNode(from, { directory: into, name }, this.#links, this.#changes);
  }

  #clear(directory: Fd, name: SystemPath, path: string): void {
    try {
      unlinkat(directory, name);
    } catch (error) {
      const code = systemCode(error);
      if (code === "ENOENT") return;
      if (code === "EISDIR" || code === "EPERM") throw inTheWay(path, "cannot copy a file over a directory");
      throw error;
    }
  }
}

function inTheWay(path: string, what: string): FailedPrecondition {
  return new FailedPrecondition(`${what}: ${path}`, {
    subject: { kind: "path", name: path },
    remedy: "choose another destination, or remove what is there first",
  });
}

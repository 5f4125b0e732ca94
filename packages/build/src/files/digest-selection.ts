import { createHash, type Hash } from "node:crypto";
import {
  type Descriptor,
  descriptorPath,
  type Fd,
  type FileStatus,
  FileType,
  fgetxattr,
  flistxattr,
  lgetxattr,
  llistxattr,
  OpenFlag,
  openat,
  openat2,
  pread,
  ResolveFlag,
  readlinkat,
} from "@boxship/kernel";
import { IgnoreRules } from "./ignore.ts";
import {
  isDirectory,
  type Member,
  openTree,
  type Selected,
  type Selection,
  SelectionWalk,
  select,
} from "./selection.ts";

export interface DigestOptions {
  /** Owners count: files of a stage or an image, which keep theirs. Files of a context belong to root anyway. */
  readonly owners: boolean;
  /** The names of directories that were selected count: with `--parents`, and where they name the copy. */
  readonly names: boolean;
}

/** What of a selection counts for a cache: names, types, modes, contents, links, attributes; not times. */
export interface SelectionDigest {
  /** Hex. */
  readonly digest: string;
  /** Of each selected thing. */
  readonly selected: readonly { readonly name: string; readonly directory: boolean }[];
  readonly files: number;
  /** Bytes of content. */
  readonly bytes: number;
}

const PIECE = 1 << 20;

/** Blocks: for worker threads. @throws NotFound */
export function digestSelection(
  selection: Selection,
  options: DigestOptions,
  checkpoint: () => void = () => {},
): SelectionDigest {
  const rules = new IgnoreRules(selection.ignore ?? []);
  using root = openTree(selection.root);
  const digester = new TreeDigester(options);
  const walk = new SelectionWalk(root, rules, new IgnoreRules(selection.exclude ?? []), checkpoint);
  const selected = select(root, selection, rules).filter(({ name, status }) => {
    return isDirectory(status) || !walk.excludes(name);
  });
  for (const one of selected) digester.selected(root, one, walk);
  return {
    digest: digester.digest(),
    selected: selected.map(({ name, status }) => ({ name, directory: isDirectory(status) })),
    files: digester.files,
    bytes: digester.bytes,
  };
}

class TreeDigester {
  files = 0;
  bytes = 0;
  readonly #hash: Hash = createHash("sha256");
  readonly #options: DigestOptions;
  readonly #buffer = Buffer.allocUnsafe(PIECE);
  readonly #links = new Map<string, string>();

  constructor(options: DigestOptions) {
    this.#options = options;
  }

  digest(): string {
    return this.#hash.digest("hex");
  }

  selected(root: Fd, { path, name, status }: Selected, walk: SelectionWalk): void {
    const shown = this.#options.names ? name : name.slice(name.lastIndexOf("/") + 1);
    if (!isDirectory(status)) {
      const slash = path.lastIndexOf("/");
      const resolve = ResolveFlag.InRoot | ResolveFlag.NoMagiclinks;
      const flags = OpenFlag.ReadOnly | OpenFlag.Directory;
      using directory = openat2(root, slash === -1 ? "." : path.slice(0, slash), { flags, resolve });
      const bytes = Buffer.from(shown);
      this.#file({ directory, name: Buffer.from(path.slice(slash + 1)), status, path: "", bytes });
      return;
    }
    this.#text(`tree ${this.#options.names ? shown : ""}`);
    walk.below(
      { path, name, status, source: name },
      {
        file: (member) => this.#file(member),
        enter: (member) => this.#directory(member),
        leave: () => {},
      },
    );
    this.#text("end");
  }

  #text(text: string): void {
    this.#hash.update(`${text}\0`);
  }

  #head(kind: string, { bytes, status }: Member): void {
    const owner = this.#options.owners ? `${status.uid}:${status.gid}` : "";
    const mode = kind === "link" ? "" : (status.mode & 0o7777).toString(8);
    this.#hash.update(bytes);
    this.#text(`\0${kind} ${mode} ${owner}`);
  }

  #directory(member: Member): void {
    this.#head("directory", member);
    using fd = openat(member.directory, member.name, OpenFlag.ReadOnly | OpenFlag.Directory | OpenFlag.NoFollow);
    this.#attributes(flistxattr(fd), (name) => fgetxattr(fd, name));
  }

  #file(member: Member): void {
    const { status, directory, name } = member;
    switch (status.mode & FileType.Mask) {
      case FileType.Regular:
        this.#regular(member);
        return;
      case FileType.Symlink:
        this.#head("link", member);
        this.#hash.update(readlinkat(directory, name));
        this.#text("");
        return;
      case FileType.Socket:
        return;
      default: {
        this.#head(`node ${status.mode & FileType.Mask} ${status.rdev.major}:${status.rdev.minor}`, member);
        const path = Buffer.concat([Buffer.from(`${descriptorPath(directory)}/`), name]);
        this.#attributes(llistxattr(path), (attribute) => lgetxattr(path, attribute));
      }
    }
  }

  #regular(member: Member): void {
    const { status, bytes } = member;
    this.files++;
    if (status.links > 1) {
      const inode = `${status.dev.major}:${status.dev.minor}:${status.inode}`;
      const first = this.#links.get(inode);
      if (first !== undefined) {
        this.#head(`same ${first}`, member);
        return;
      }
      this.#links.set(inode, bytes.toString("latin1"));
    }
    this.#head(`file ${status.size}`, member);
    using fd = openat(member.directory, member.name, OpenFlag.ReadOnly | OpenFlag.NoFollow);
    this.#content(fd, status);
    this.#attributes(flistxattr(fd), (name) => fgetxattr(fd, name));
  }

  #content(fd: Descriptor, { size }: FileStatus): void {
    for (let position = 0; position < size; ) {
      const length = pread(fd, this.#buffer, position);
      if (length === 0) break;
      this.#hash.update(this.#buffer.subarray(0, length));
      position += length;
      this.bytes += length;
    }
  }

  #attributes(names: readonly string[], read: (name: string) => Buffer | undefined): void {
    for (const name of [...names].sort()) {
      if (/^(?:trusted|user)\.overlay\.|^security\.selinux$/.test(name)) continue;
      const value = read(name);
      if (value === undefined) continue;
      this.#text(`attribute ${name} ${value.length}`);
      this.#hash.update(value);
    }
  }
}

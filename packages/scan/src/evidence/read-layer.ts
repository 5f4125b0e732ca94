import { InvalidArgument } from "@boxship/base/errors";
import { type ByteString, type TarEntry, TarParser, toBuffer } from "@boxship/oci/tar";
import type { FoundPackage } from "../package.ts";
import { GoBinaryReader } from "./go-binary.ts";
import { type EvidenceKind, evidenceKind } from "./kinds.ts";

/** A file that tells something, as the topmost layer has it. */
export interface EvidenceFile {
  readonly kind: Exclude<EvidenceKind, "executable"> | "go";
  readonly path: string;
  readonly layer: string;
  readonly content: Buffer;
}

/** Files that are larger tell nothing: nobody writes them so. */
const MOST_BYTES: Readonly<Record<EvidenceKind, number>> = {
  "os-release": 64 * 1024,
  dpkg: 64 * 1024 * 1024,
  apk: 64 * 1024 * 1024,
  "rpm-sqlite": 512 * 1024 * 1024,
  "rpm-other": 0,
  npm: 1024 * 1024,
  python: 4 * 1024 * 1024,
  jar: 64 * 1024 * 1024,
  executable: Infinity,
};

/** What a file tells of an image. */
export interface Told {
  /** In the end, of files that no upper layer has replaced: what they tell costs time, or is an error. */
  readonly packages: () => readonly FoundPackage[];
  /** How many packages are kept already. */
  readonly count: number;
  /** The text of an os-release. */
  readonly release?: string;
}

interface KnownFile extends Told {
  readonly kind: EvidenceFile["kind"];
  readonly path: string;
  readonly layer: string;
}

export interface EvidenceCollectorOptions {
  /** Reads a file, whose content is not kept. */
  readonly tell: (file: EvidenceFile) => Told;
  /** @default a million */
  readonly mostPackages?: number;
}

/**
 * The files of an image that tell what is in it. Layers are read once each, the bottom first; what a layer replaces or
 * whites out is forgotten. A layer of a few megabytes may have gigabytes of such files: what they tell is kept, and not they.
 */
export class EvidenceCollector {
  readonly #options: EvidenceCollectorOptions;
  readonly #files = new Map<string, KnownFile>();
  /** Files of the layer that is read: its own whiteouts do not concern them. */
  #fresh = new Set<string>();
  /** Paths, and directories' content, that the layer whites out. */
  readonly #hidden = new Set<string>();
  readonly #opaque = new Set<string>();
  #packages = 0;

  constructor(options: EvidenceCollectorOptions) {
    this.#options = options;
  }

  /** Of all layers that were read. @throws InvalidArgument, Unsupported for a database that cannot be read */
  get packages(): readonly FoundPackage[] {
    this.#endLayer();
    const found = new Map<string, FoundPackage>();
    for (const { path, packages } of this.#files.values()) {
      for (const one of packages()) {
        const key = packageKey(one);
        if (!found.has(key)) found.set(key, { ...one, path: `/${path}` });
      }
    }
    return [...found].toSorted(([a], [b]) => compareText(a, b)).map(([, one]) => one);
  }

  /** The text of the os-release that counts. */
  get release(): string | undefined {
    this.#endLayer();
    const of = (path: string) => this.#files.get(path)?.release;
    return of("etc/os-release") ?? of("usr/lib/os-release");
  }

  /** A parser of one layer's archive. */
  layer(digest: string): TarParser {
    this.#endLayer();
    let current: Current | undefined;
    return new TarParser({
      entry: (entry) => {
        current = this.#begin(entry, digest);
      },
      data: (chunk) => current?.take(chunk),
      end: () => {
        const file = current?.file();
        if (file !== undefined) this.#take(file);
        current = undefined;
      },
    });
  }

  #take(file: EvidenceFile): void {
    const { kind, path, layer } = file;
    const told = this.#options.tell(file);
    if (told.count > 0 || told.release !== undefined || isDatabase(kind)) this.#keep({ kind, path, layer, ...told });
  }

  #keep(file: KnownFile): void {
    const { mostPackages = 1_000_000 } = this.#options;
    this.#packages += file.count;
    if (this.#packages > mostPackages)
      throw new InvalidArgument(`the image tells of more than ${mostPackages} packages`);
    this.#files.set(file.path, file);
    this.#fresh.add(file.path);
  }

  #begin(entry: TarEntry, layer: string): Current | undefined {
    const path = plainPath(entry.name);
    if (path === undefined) return undefined;
    const slash = path.lastIndexOf("/") + 1;
    const [directory, base] = [path.slice(0, slash), path.slice(slash)];
    if (base === ".wh..wh..opq") {
      this.#opaque.add(directory.slice(0, -1));
      return undefined;
    }
    if (base.startsWith(".wh.")) {
      this.#hidden.add(directory + base.slice(4));
      return undefined;
    }
    // A file, link or device takes the place of whatever was there.
    if (entry.type !== "directory") this.#files.delete(path);
    if (entry.type === "link") this.#link(path, entry.linkName);
    if (entry.type !== "file") return undefined;
    const kind = evidenceKind(path, (entry.mode & 0o111) !== 0);
    if (kind === undefined || (entry.size > MOST_BYTES[kind] && kind !== "rpm-other")) return undefined;
    return new Current(kind, path, layer);
  }

  #link(path: string, target: ByteString): void {
    const known = this.#files.get(plainPath(target) ?? "");
    if (known !== undefined && evidenceKind(path, true) === known.kind) this.#keep({ ...known, path });
  }

  /** Whiteouts concern what is below the layer, wherever in it they stand. */
  #endLayer(): void {
    if (this.#hidden.size + this.#opaque.size > 0) {
      for (const path of this.#files.keys())
        if (!this.#fresh.has(path) && this.#isHidden(path)) this.#files.delete(path);
    }
    this.#fresh = new Set();
    this.#hidden.clear();
    this.#opaque.clear();
  }

  #isHidden(path: string): boolean {
    if (this.#hidden.has(path) || this.#opaque.has("")) return true;
    for (let slash = path.indexOf("/"); slash !== -1; slash = path.indexOf("/", slash + 1)) {
      const directory = path.slice(0, slash);
      if (this.#hidden.has(directory) || this.#opaque.has(directory)) return true;
    }
    return false;
  }
}

function isDatabase(kind: EvidenceFile["kind"]): boolean {
  return kind === "rpm-sqlite" || kind === "rpm-other";
}

function packageKey({ kind, name, version, architecture = "" }: FoundPackage): string {
  return `${kind} ${name} ${version} ${architecture}`;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A file that is being read. */
class Current {
  readonly #kind: EvidenceKind;
  readonly #path: string;
  readonly #layer: string;
  readonly #pieces: Buffer[] = [];
  readonly #binary: GoBinaryReader | undefined;

  constructor(kind: EvidenceKind, path: string, layer: string) {
    this.#kind = kind;
    this.#path = path;
    this.#layer = layer;
    this.#binary = kind === "executable" ? new GoBinaryReader() : undefined;
  }

  take(chunk: Buffer): void {
    if (this.#binary !== undefined) this.#binary.take(chunk);
    // The parser uses its buffer again.
    else if (this.#kind !== "rpm-other") this.#pieces.push(Buffer.from(chunk));
  }

  file(): EvidenceFile | undefined {
    const place = { path: this.#path, layer: this.#layer };
    if (this.#kind !== "executable") return { kind: this.#kind, ...place, content: Buffer.concat(this.#pieces) };
    const content = this.#binary?.buildInfo();
    return content === undefined ? undefined : { kind: "go", ...place, content };
  }
}

/** A member's name without leading `./` or `/`; undefined for one that leaves the root. */
function plainPath(name: ByteString): string | undefined {
  const path = toBuffer(name)
    .toString("utf8")
    .replace(/^(?:\.?\/)+/, "")
    .replace(/\/+$/, "");
  return path === "" || path.split("/").includes("..") ? undefined : path;
}

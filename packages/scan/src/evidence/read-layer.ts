import { type ByteString, type TarEntry, TarParser, toBuffer } from "@boxship/oci/tar";
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

/**
 * The files of an image that tell what is in it. Layers are read once each, the bottom first; what a layer replaces or
 * whites out is forgotten.
 */
export class EvidenceCollector {
  readonly #files = new Map<string, EvidenceFile>();
  /** Files of the layer that is read: its own whiteouts do not concern them. */
  #fresh = new Set<string>();

  get files(): readonly EvidenceFile[] {
    return [...this.#files.values()];
  }

  /** A parser of one layer's archive. */
  layer(digest: string): TarParser {
    this.#fresh = new Set();
    let current: Current | undefined;
    return new TarParser({
      entry: (entry) => {
        current = this.#begin(entry, digest);
      },
      data: (chunk) => current?.take(chunk),
      end: () => {
        const file = current?.file();
        if (file !== undefined) this.#keep(file);
        current = undefined;
      },
    });
  }

  #keep(file: EvidenceFile): void {
    this.#files.set(file.path, file);
    this.#fresh.add(file.path);
  }

  #begin(entry: TarEntry, layer: string): Current | undefined {
    const path = plainPath(entry.name);
    if (path === undefined) return undefined;
    const slash = path.lastIndexOf("/") + 1;
    const [directory, base] = [path.slice(0, slash), path.slice(slash)];
    if (base === ".wh..wh..opq") {
      this.#forget((known) => known.startsWith(directory));
      return undefined;
    }
    if (base.startsWith(".wh.")) {
      const hidden = directory + base.slice(4);
      this.#forget((known) => known === hidden || known.startsWith(`${hidden}/`));
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

  #forget(hidden: (path: string) => boolean): void {
    for (const path of this.#files.keys()) if (!this.#fresh.has(path) && hidden(path)) this.#files.delete(path);
  }
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

/** What a file of a fixture layer is. */
export interface TarEntry {
  readonly name: string;
  /** @default empty */
  readonly content?: Uint8Array | string;
  /** @default "file" */
  readonly type?: "file" | "directory" | "symlink" | "hardlink";
  /** Target of a link. */
  readonly link?: string;
  /** @default 0o644, 0o755 for directories */
  readonly mode?: number;
  /** @default 0 */
  readonly uid?: number;
  /** @default 0 */
  readonly gid?: number;
}

const BLOCK = 512;
const TYPES = { file: "0", hardlink: "1", symlink: "2", directory: "5" } as const;

/** A small ustar archive, written independently of the product's own codec. Names may have up to 100 bytes. */
export function makeTar(entries: readonly TarEntry[]): Buffer {
  const parts = entries.flatMap((entry) => {
    const content = Buffer.from(entry.content ?? "");
    const padding = Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK);
    return [header(entry, content.length), content, padding];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

function header(entry: TarEntry, size: number): Buffer {
  const { type = "file", uid = 0, gid = 0 } = entry;
  const name = Buffer.from(type === "directory" && !entry.name.endsWith("/") ? `${entry.name}/` : entry.name);
  if (name.length > 100) throw new Error(`name is too long for a fixture: ${entry.name}`);
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, offset: number, width: number) =>
    block.write(`${value.toString(8).padStart(width - 1, "0")}\0`, offset, "latin1");
  name.copy(block, 0);
  octal(entry.mode ?? (type === "directory" ? 0o755 : 0o644), 100, 8);
  octal(uid, 108, 8);
  octal(gid, 116, 8);
  octal(size, 124, 12);
  octal(1_700_000_000, 136, 12);
  block.write("        ", 148, "latin1");
  block.write(TYPES[type], 156, "latin1");
  block.write(entry.link ?? "", 157, "utf8");
  block.write("ustar\x0000", 257, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { InvalidArgument } from "@boxship/base/errors";
import type { FoundPackage } from "../package.ts";

type Place = Pick<FoundPackage, "path" | "layer">;

const TAG = { name: 1000, version: 1001, release: 1002, epoch: 1003, license: 1014, architecture: 1022, source: 1044 };
const INT32 = 4;
const MOST_ENTRIES = 65_536;

/** The packages in rpm's database of the SQLite kind. @throws InvalidArgument for a damaged one */
export function parseRpmDatabase(content: Buffer, place: Place): readonly FoundPackage[] {
  const directory = mkdtempSync(join(tmpdir(), "boxship-rpmdb-"));
  try {
    const file = join(directory, "rpmdb.sqlite");
    writeFileSync(file, content);
    const database = new DatabaseSync(file, { readOnly: true });
    try {
      checkTable(database);
      return readRows(database, content.length, place);
    } finally {
      database.close();
    }
  } catch (error) {
    throw new InvalidArgument(`the rpm database ${place.path} cannot be read`, { cause: error });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Rows that a view or a generated column makes up have no end. */
function checkTable(database: DatabaseSync): void {
  const table = database.prepare("SELECT type, sql FROM sqlite_schema WHERE name = 'Packages' COLLATE NOCASE").get();
  const columns = database.prepare("SELECT hidden FROM pragma_table_xinfo('Packages')").all();
  const isStored = table?.["type"] === "table" && !/^\s*CREATE\s+VIRTUAL\b/i.test(String(table["sql"]));
  if (!isStored || columns.some(({ hidden }) => hidden !== 0)) throw new InvalidArgument("it has no table of packages");
}

/** @param size of the file, which has each row once: one whose pages lead to others again and again has more */
function readRows(database: DatabaseSync, size: number, place: Place): readonly FoundPackage[] {
  const found: FoundPackage[] = [];
  let [read, rows] = [0, 0];
  for (const { blob } of database.prepare("SELECT blob FROM Packages").iterate()) {
    if (blob instanceof Uint8Array) {
      read += blob.byteLength;
      found.push(...readHeader(Buffer.from(blob), place));
    }
    if (read > size || ++rows > size) throw new InvalidArgument("it has more rows than it can");
  }
  return found;
}

/** A package's header: counts, an index of tags, and their data (rpm's header format without its magic). */
export function readHeader(bytes: Buffer, place: Place): readonly FoundPackage[] {
  if (bytes.length < 8) return [];
  const [entries, size] = [bytes.readUInt32BE(0), bytes.readUInt32BE(4)];
  const data = 8 + entries * 16;
  if (entries > MOST_ENTRIES || data + size > bytes.length) return [];
  const strings = new Map<number, string>();
  let epoch = 0;
  for (let index = 0; index < entries; index++) {
    const at = 8 + index * 16;
    const [tag, type, offset] = [0, 4, 8].map((more) => bytes.readUInt32BE(at + more)) as [number, number, number];
    const start = data + offset;
    if (start >= bytes.length) continue;
    if (tag === TAG.epoch && type === INT32 && start + 4 <= bytes.length) epoch = bytes.readUInt32BE(start);
    // String, string array and translated string begin alike.
    if (type !== 6 && type !== 8 && type !== 9) continue;
    const end = bytes.indexOf(0, start);
    strings.set(tag, bytes.toString("utf8", start, end === -1 ? bytes.length : end));
  }
  return describe(strings, epoch, place);
}

function describe(strings: ReadonlyMap<number, string>, epoch: number, place: Place): readonly FoundPackage[] {
  const [name, version, release] = [TAG.name, TAG.version, TAG.release].map((tag) => strings.get(tag));
  // Keys are kept as packages.
  if (name === undefined || version === undefined || release === undefined || name === "gpg-pubkey") return [];
  const full = `${epoch === 0 ? "" : `${epoch}:`}${version}-${release}`;
  const source = /^(.+)-[^-]+-[^-]+\.(?:no)?src\.rpm$/.exec(strings.get(TAG.source) ?? "")?.[1];
  const [architecture, license] = [strings.get(TAG.architecture), strings.get(TAG.license)];
  return [
    {
      kind: "rpm",
      name,
      version: full,
      ...(architecture !== undefined && { architecture }),
      ...(license !== undefined && { license }),
      ...(source !== undefined && { source: { name: source, version: full } }),
      ...place,
    },
  ];
}

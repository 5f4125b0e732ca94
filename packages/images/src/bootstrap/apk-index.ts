import { InvalidArgument } from "@boxship/base";

/** What a package needs, or must not be beside. */
export interface Dependency {
  readonly name: string;
  /** How its version compares; absent where any will do. */
  readonly version?: { readonly operator: string; readonly text: string };
  /** It must not be there. */
  readonly conflict: boolean;
}

export interface Provision {
  readonly name: string;
  /** Absent for a name that several packages may provide side by side. */
  readonly version?: string;
}

/** A package as the index of a repository describes it (apk-package(5), apkv2). */
export interface IndexedPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** `Q1` and the SHA-1 of the control segment in base64. */
  readonly checksum: string;
  readonly size: number;
  /** Seconds since the epoch. */
  readonly built: number;
  readonly depends: readonly Dependency[];
  readonly provides: readonly Provision[];
  readonly providerPriority: number;
  /** Names whose presence, all of them, brings the package along. */
  readonly installIf: readonly Dependency[];
  /** Its lines in the index, for the database of what is installed. */
  readonly lines: readonly string[];
}

/** @throws InvalidArgument if it is malformed */
export function parseApkIndex(text: string): readonly IndexedPackage[] {
  return text
    .split(/\n\n+/)
    .filter((block) => block.trim() !== "")
    .map(parseBlock);
}

function parseBlock(block: string): IndexedPackage {
  const lines = block.split("\n").filter((line) => line !== "");
  const fields = new Map(lines.map((line) => [line.slice(0, 1), line.slice(2)]));
  const words = (letter: string) => (fields.get(letter) ?? "").split(/\s+/).filter((word) => word !== "");
  const name = fields.get("P") ?? "";
  const version = fields.get("V") ?? "";
  const checksum = fields.get("C") ?? "";
  // Both become part of an address.
  if (!/^[A-Za-z0-9_][\w.+-]*$/.test(name) || !/^[\w.~+-]+$/.test(version) || !checksum.startsWith("Q1")) {
    throw new InvalidArgument(`the index of packages is malformed at ${JSON.stringify(block.slice(0, 100))}`);
  }
  return {
    name,
    version,
    architecture: fields.get("A") ?? "",
    checksum,
    size: Number(fields.get("S") ?? 0),
    built: Number(fields.get("t") ?? 0),
    depends: words("D").map(parseDependency),
    provides: words("p").map(parseProvision),
    providerPriority: Number(fields.get("k") ?? 0),
    installIf: words("i").map(parseDependency),
    lines,
  };
}

/** `!name`, `name`, `name>=1.2`, `name~1.2`. */
export function parseDependency(word: string): Dependency {
  const [, bang = "", name = word, operator = "", text = ""] = /^(!?)([^<>=~]+)([<>=~]+)?(.*)$/.exec(word) ?? [];
  return { name, conflict: bang !== "", ...(operator !== "" && { version: { operator, text } }) };
}

function parseProvision(word: string): Provision {
  const equals = word.indexOf("=");
  return equals === -1 ? { name: word } : { name: word.slice(0, equals), version: word.slice(equals + 1) };
}

import type { Distribution, FoundPackage } from "../package.ts";

type Place = Pick<FoundPackage, "path" | "layer">;

/** os-release(5). */
export function parseOsRelease(text: string): Distribution | undefined {
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    const match = /^([A-Z0-9_]+)=(?:"([^"]*)"|'([^']*)'|(.*))$/.exec(line.trim());
    if (match?.[1] !== undefined) values.set(match[1], match[2] ?? match[3] ?? match[4] ?? "");
  }
  const id = values.get("ID");
  if (id === undefined || id === "") return undefined;
  const version = values.get("VERSION_ID") ?? "";
  return { id, version, name: values.get("PRETTY_NAME") ?? `${id} ${version}`.trim() };
}

/** Paragraphs of `Key: value` lines; lines that go on are joined. */
function* paragraphs(text: string): Generator<ReadonlyMap<string, string>> {
  let fields = new Map<string, string>();
  let last = "";
  for (const line of text.split("\n")) {
    if (line.trim() === "") {
      if (fields.size > 0) yield fields;
      fields = new Map();
      continue;
    }
    if (/^[ \t]/.test(line)) {
      fields.set(last, `${fields.get(last) ?? ""}\n${line.trim()}`);
      continue;
    }
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    last = line.slice(0, colon).toLowerCase();
    fields.set(last, line.slice(colon + 1).trim());
  }
  if (fields.size > 0) yield fields;
}

/** The status file of dpkg: what is installed, not what was removed. */
export function parseDpkgStatus(text: string, place: Place): readonly FoundPackage[] {
  const found: FoundPackage[] = [];
  for (const fields of paragraphs(text)) {
    const [name, version, status] = ["package", "version", "status"].map((key) => fields.get(key));
    if (name === undefined || version === undefined) continue;
    if (status !== undefined && !status.endsWith(" installed")) continue;
    const architecture = fields.get("architecture");
    const source = /^(\S+)(?:\s+\((\S+)\))?$/.exec(fields.get("source") ?? "");
    found.push({
      kind: "deb",
      name,
      version,
      ...(architecture !== undefined && { architecture }),
      ...(source?.[1] !== undefined && { source: { name: source[1], version: source[2] ?? version } }),
      ...place,
    });
  }
  return found;
}

/** The database of apk: `P:name` and so on, a paragraph for each package. */
export function parseApkInstalled(text: string, place: Place): readonly FoundPackage[] {
  const found: FoundPackage[] = [];
  for (const paragraph of text.split(/\n\s*\n/)) {
    const fields = new Map<string, string>();
    for (const line of paragraph.split("\n")) {
      if (line[1] === ":" && !fields.has(line.slice(0, 1))) fields.set(line.slice(0, 1), line.slice(2).trim());
    }
    const [name, version, architecture, origin, license] = ["P", "V", "A", "o", "L"].map((key) => fields.get(key));
    if (name === undefined || version === undefined) continue;
    found.push({
      kind: "apk",
      name,
      version,
      ...(architecture !== undefined && { architecture }),
      ...(origin !== undefined && { source: { name: origin, version } }),
      ...(license !== undefined && license !== "" && { license }),
      ...place,
    });
  }
  return found;
}

import type { FoundPackage } from "../package.ts";
import { readZip } from "./zip.ts";

type Place = Pick<FoundPackage, "path" | "layer">;

/** `package.json` of an installed package. */
export function parseNpm(text: string, place: Place): readonly FoundPackage[] {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    // Test fixtures of packages are broken on purpose.
    return [];
  }
  if (typeof document !== "object" || document === null) return [];
  const { name, version, license } = document as Readonly<Record<string, unknown>>;
  if (typeof name !== "string" || typeof version !== "string" || name === "" || version === "") return [];
  return [{ kind: "npm", name, version, ...(typeof license === "string" && { license }), ...place }];
}

/** `METADATA` of a wheel or `PKG-INFO` of an egg: the head of a mail (core metadata specification). */
export function parsePython(text: string, place: Place): readonly FoundPackage[] {
  const head = text.split(/\r?\n\r?\n/, 1)[0] ?? "";
  // Nothing optional before the end of a line: it would be tried at each of a million spaces.
  const field = (name: string) => new RegExp(`^${name}:(.*)$`, "im").exec(head)?.[1]?.trim() || undefined;
  const [name, version, license] = [field("Name"), field("Version"), field("License")];
  if (name === undefined || version === undefined) return [];
  const normal = name.toLowerCase().replace(/[-_.]+/g, "-");
  const short = license !== undefined && license.length < 80 && license !== "UNKNOWN" ? { license } : {};
  return [{ kind: "pypi", name: normal, version, ...short, ...place }];
}

/** What Go's linker has written: `go`, `mod`, `dep` and `=>` lines. */
export function parseGoModules(text: string, place: Place): readonly FoundPackage[] {
  const found: FoundPackage[] = [];
  for (const line of text.split("\n")) {
    const [word, name, version] = line.split("\t");
    if (name === undefined || name === "") continue;
    if (word === "go")
      found.push({ kind: "golang", name: "stdlib", version: name.replace(/^go/, "").split(" ")[0] ?? name, ...place });
    if (word === "=>") found.pop();
    if (word === "=>" || word === "dep" || word === "mod") {
      if (version !== undefined && version !== "" && version !== "(devel)")
        found.push({ kind: "golang", name, version, ...place });
    }
  }
  return found;
}

const MOST_PROPERTIES = 64 * 1024;

/** What Maven has written into a jar. */
export function parseJar(bytes: Buffer, place: Place): readonly FoundPackage[] {
  const found: FoundPackage[] = [];
  try {
    for (const member of readZip(bytes)) {
      if (!/^META-INF\/maven\/.+\/pom\.properties$/.test(member.name) || member.size > MOST_PROPERTIES) continue;
      const text = member.content().toString();
      const field = (name: string) => new RegExp(`^${name}\\s*[=:]\\s*(\\S+)\\s*$`, "m").exec(text)?.[1];
      const [group, artifact, version] = [field("groupId"), field("artifactId"), field("version")];
      if (group === undefined || artifact === undefined || version === undefined) continue;
      found.push({ kind: "maven", name: `${group}:${artifact}`, version, ...place });
    }
  } catch {
    // What is no archive tells nothing.
  }
  return found;
}

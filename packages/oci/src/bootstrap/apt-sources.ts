import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { FailedPrecondition, systemCode } from "@boxship/base";

/** Package sources in the deb822 form of sources.list(5). */
export type AptSource = ReadonlyMap<string, string>;

/**
 * The package sources of the machine that belong to its own distribution's release. Third-party ones are left out: they
 * are nobody's base system.
 *
 * @param codename e.g. `bookworm`
 * @throws FailedPrecondition when there are none
 */
export async function readAptSources(codename: string, directory = "/etc/apt"): Promise<readonly AptSource[]> {
  const names = await readdir(join(directory, "sources.list.d")).catch((error: unknown) => {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  });
  const files = [
    "sources.list",
    ...names.toSorted((a, b) => (a < b ? -1 : 1)).map((name) => join("sources.list.d", name)),
  ];
  const sources: AptSource[] = [];
  for (const name of files) {
    const isDeb822 = name.endsWith(".sources");
    if (!isDeb822 && !name.endsWith(".list")) continue;
    const text = await readFile(join(directory, name), "utf8").catch((error: unknown) => {
      if (systemCode(error) === "ENOENT") return "";
      throw error;
    });
    sources.push(...(isDeb822 ? parseDeb822(text) : parseOneLine(text)));
  }
  const own = sources.flatMap((source) => restrictTo(codename, source));
  if (own.length > 0) return own;
  throw new FailedPrecondition(`no package sources of ${codename} are configured in ${directory}`, {
    remedy: "add the distribution's sources to /etc/apt/sources.list",
  });
}

/** Stanzas of `Field: value`, where lines that begin with a blank go on. */
export function parseDeb822(text: string): readonly AptSource[] {
  const stanzas: AptSource[] = [];
  for (const block of text.split(/\n[ \t]*\n/)) {
    const fields = new Map<string, string>();
    let last = "";
    for (const line of block.split("\n")) {
      if (line.startsWith("#")) continue;
      const match = /^([A-Za-z0-9-]+):\s*(.*)$/.exec(line);
      if (match !== null) {
        last = (match[1] as string).toLowerCase();
        fields.set(last, (match[2] as string).trim());
      } else if (/^[ \t]/.test(line) && last !== "") fields.set(last, `${fields.get(last) ?? ""}\n${line.trimEnd()}`);
    }
    const enabled = !/^(?:no|false|0|off)$/i.test(fields.get("enabled") ?? "yes");
    if (fields.has("uris") && fields.has("suites") && enabled) stanzas.push(fields);
  }
  return stanzas;
}

/** Lines of `deb [option=value …] URI SUITE COMPONENT…`. */
export function parseOneLine(text: string): readonly AptSource[] {
  const sources: AptSource[] = [];
  for (const line of text.split("\n")) {
    const match = /^\s*(deb|deb-src)\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)((?:\s+[^#\s]+)*)/.exec(line);
    if (match === null) continue;
    const [, type = "", options = "", uri = "", suite = "", components = ""] = match;
    const fields = new Map([
      ["types", type],
      ["uris", uri],
      ["suites", suite],
    ]);
    if (components.trim() !== "") fields.set("components", components.trim());
    for (const option of options.trim().split(/\s+/)) {
      const [name = "", value = ""] = option.split("=", 2);
      if (value !== "") fields.set(OPTION_FIELDS[name.toLowerCase()] ?? name.toLowerCase(), value.replaceAll(",", " "));
    }
    sources.push(fields);
  }
  return sources;
}

const OPTION_FIELDS: Readonly<Record<string, string>> = { arch: "architectures", lang: "languages", target: "targets" };

/** Binary packages of the suites that belong to a release (`bookworm`, `bookworm-updates`, `bookworm/updates`). */
function restrictTo(codename: string, source: AptSource): AptSource[] {
  if (!(source.get("types") ?? "deb").split(/\s+/).includes("deb")) return [];
  const suites = (source.get("suites") ?? "").split(/\s+/);
  const own = suites.filter(
    (suite) => suite === codename || (/^[-/]/.test(suite.slice(codename.length)) && suite.startsWith(codename)),
  );
  if (own.length === 0) return [];
  return [new Map([...source, ["types", "deb"], ["suites", own.join(" ")]])];
}

/** The sources as text in deb822 form. */
export function formatDeb822(sources: readonly AptSource[]): string {
  const title = (name: string) =>
    name.replaceAll(/(^|-)([a-z])/g, (_, dash: string, letter: string) => dash + letter.toUpperCase());
  return sources
    .map((source) =>
      [...source].map(([name, value]) => `${title(name).replace(/^Uris$/, "URIs")}: ${value}\n`).join(""),
    )
    .join("\n");
}

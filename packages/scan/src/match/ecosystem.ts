import type { Distribution, FoundPackage, PackageKind } from "../package.ts";

const LANGUAGES: Readonly<Partial<Record<PackageKind, string>>> = {
  npm: "npm",
  pypi: "PyPI",
  golang: "Go",
  maven: "Maven",
};

const DISTRIBUTIONS: Readonly<Record<string, string>> = {
  debian: "Debian",
  ubuntu: "Ubuntu",
  alpine: "Alpine",
  rocky: "Rocky Linux",
  almalinux: "AlmaLinux",
  rhel: "Red Hat",
  opensuse: "openSUSE",
  "opensuse-leap": "openSUSE",
  sles: "SUSE",
  wolfi: "Wolfi",
  chainguard: "Chainguard",
  fedora: "Fedora",
};

/** Under which names of ecosystems a database has a package; without a release where it is about all of them. */
export function ecosystemOf({ kind }: FoundPackage, distribution: Distribution | undefined): string | undefined {
  const language = LANGUAGES[kind];
  if (language !== undefined) return language;
  return distribution === undefined ? undefined : DISTRIBUTIONS[distribution.id];
}

/** Whether an entry for an ecosystem, with its release behind a colon, is about this image. */
export function isAbout(entry: string, ecosystem: string, distribution: Distribution | undefined): boolean {
  const [name, ...release] = entry.split(":");
  if (name !== ecosystem) return false;
  if (release.length === 0 || distribution === undefined) return true;
  const version = distribution.version;
  const parts = release.filter((part) => !/^(?:Pro|LTS)$/.test(part));
  const wanted = (parts[0] ?? "").replace(/^v/, "");
  if (wanted === "" || version === "") return false;
  // Alpine's releases are v3.20 of 3.20.1; those of others count by their first number.
  return version === wanted || version.startsWith(`${wanted}.`);
}

/** The names by which a database may know the package: distributions' entries are about sources, some of rpm's are not. */
export function namesInDatabase({ kind, name, source }: FoundPackage): readonly string[] {
  if (source === undefined || source.name === name) return [name];
  return kind === "rpm" ? [source.name, name] : [source.name];
}

export function versionInDatabase(found: FoundPackage): string {
  return found.source?.version ?? found.version;
}

/** What a file in an image may tell, by its path. */
export type EvidenceKind =
  | "os-release"
  | "dpkg"
  | "apk"
  | "rpm-sqlite"
  | "rpm-other"
  | "npm"
  | "python"
  | "jar"
  /** Any program: only its content tells. */
  | "executable";

const RPM_DIRECTORIES = ["var/lib/rpm/", "usr/lib/sysimage/rpm/"];

/** @param executable whether the file may be run */
export function evidenceKind(path: string, executable: boolean): EvidenceKind | undefined {
  if (path === "etc/os-release" || path === "usr/lib/os-release") return "os-release";
  if (path === "var/lib/dpkg/status" || /^var\/lib\/dpkg\/status\.d\/[^/]+$/.test(path)) {
    return path.endsWith(".md5sums") ? undefined : "dpkg";
  }
  if (path === "lib/apk/db/installed" || path === "usr/lib/apk/db/installed") return "apk";
  for (const directory of RPM_DIRECTORIES) {
    if (path === `${directory}rpmdb.sqlite`) return "rpm-sqlite";
    if (path === `${directory}Packages` || path === `${directory}Packages.db`) return "rpm-other";
  }
  if (/(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/]+\/package\.json$/.test(path)) return "npm";
  if (/\.(?:dist-info\/METADATA|egg-info\/PKG-INFO|egg-info)$/.test(path)) return "python";
  if (/\.(?:jar|war|ear)$/.test(path)) return "jar";
  return executable ? "executable" : undefined;
}

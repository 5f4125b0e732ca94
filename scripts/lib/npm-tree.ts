/**
 * `npm-tree.ts installed`: exit status 0 when node_modules holds what package-lock.json says for this platform.
 * `npm-tree.ts complete`: adds the entries of other platforms' packages that npm leaves out when a registry does not
 * serve them; without them `npm ci` refuses the lock file elsewhere.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";

export interface LockEntry {
  readonly version?: string;
  readonly link?: boolean;
  readonly license?: string;
  readonly resolved?: string;
  readonly optional?: boolean;
  readonly dev?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
}

export interface Lock {
  readonly packages: Readonly<Record<string, LockEntry>>;
}

export function readLock(path = "package-lock.json"): Lock {
  return JSON.parse(readFileSync(path, "utf8")) as Lock;
}

const systems = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"];
const processors = ["arm", "arm64", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "x64"];

/** The platform that a package's name ends in, as npm writes it; `undefined` for a name that names none. */
function platformOf(name: string): Pick<LockEntry, "os" | "cpu" | "libc"> | undefined {
  const words = name.slice(name.lastIndexOf("/") + 1).split("-");
  const os = words.find((word) => systems.includes(word));
  const cpu = words.find((word) => processors.includes(word));
  if (os === undefined || cpu === undefined) return undefined;
  const libc = words.find((word) => /^(musl|gnu)/.test(word));
  return {
    os: [os],
    cpu: [cpu],
    ...(libc === undefined ? {} : { libc: [libc.startsWith("musl") ? "musl" : "glibc"] }),
  };
}

/** Platform packages that some entry names and the lock file lacks, keyed as in the lock file. */
export function missingPlatforms(lock: Lock): Record<string, LockEntry> {
  const missing: Record<string, LockEntry> = {};
  for (const entry of Object.values(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      const key = `node_modules/${name}`;
      const platform = platformOf(name);
      if (lock.packages[key] !== undefined || platform === undefined) continue;
      missing[key] = { version, ...platform, ...(entry.dev === true ? { dev: true } : {}), optional: true };
    }
  }
  return missing;
}

function complete(): void {
  const lock = readLock();
  const packages = { ...lock.packages, ...missingPlatforms(lock) };
  const sorted = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, "en")));
  writeFileSync("package-lock.json", `${JSON.stringify({ ...lock, packages: sorted }, null, 2)}\n`);
}

function fitsHere(entry: LockEntry): boolean {
  const musl = existsSync("/lib/ld-musl-x86_64.so.1") && !existsSync("/lib64/ld-linux-x86-64.so.2");
  return (
    (entry.os?.includes(process.platform) ?? true) &&
    (entry.cpu?.includes(process.arch) ?? true) &&
    (entry.libc?.includes(musl ? "musl" : "glibc") ?? true)
  );
}

/** Names of packages that are absent from node_modules or have another version than the lock file's. */
export function notInstalled(lock: Lock): string[] {
  return Object.entries(lock.packages)
    .filter(([path, entry]) => path.startsWith("node_modules/") && fitsHere(entry))
    .filter(([path, entry]) => {
      try {
        const { version } = JSON.parse(readFileSync(`${path}/package.json`, "utf8")) as { version?: string };
        return entry.link !== true && version !== entry.version;
      } catch {
        return true;
      }
    })
    .map(([path]) => path);
}

if (import.meta.main) {
  if (process.argv[2] === "complete") complete();
  else if (process.argv[2] === "installed") process.exitCode = notInstalled(readLock()).length === 0 ? 0 : 1;
  else throw new Error("usage: npm-tree.ts installed|complete");
}

import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { missingPlatforms, readLock } from "../lib/npm-tree.ts";
import type { Check, Finding } from "./finding.ts";

const licences = new Set(["MIT", "Apache-2.0", "ISC", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "MIT OR Apache-2.0"]);

/** Permissive as well; accepted in what only tests and tools use, and nothing of it is shipped. */
const developmentLicences = new Set([...licences, "BlueOak-1.0.0", "Unlicense"]);

/** Outside the policy, with the reason why it is here all the same. */
const exceptions: Readonly<Record<string, string>> = {
  "node_modules/argparse":
    "PSF-2.0, permissive; only js-yaml's own command line imports it, which nothing of ours runs",
  "node_modules/ssh2": "MIT, written in the old form that npm does not read; below Testcontainers, for tests only",
};

interface Dependency {
  readonly where: string;
  readonly name: string;
  readonly version: string;
}

/** What the workspace and its packages ask for that is not ours. */
function foreignDependencies(root: string): Dependency[] {
  return ["package.json", ...globSync("packages/*/package.json", { cwd: root })].flatMap((where) => {
    const manifest = JSON.parse(readFileSync(join(root, where), "utf8")) as Record<string, Record<string, string>>;
    return ["dependencies", "devDependencies", "optionalDependencies"]
      .flatMap((kind) => Object.entries(manifest[kind] ?? {}))
      .filter(([name]) => !name.startsWith("@boxship/"))
      .map(([name, version]) => ({ where, name, version }));
  });
}

const ledger = "docs/dependencies.md";

/** The ledger has a word about each dependency, and about none that is gone. */
export const dependencies: Check = {
  name: "dependencies",
  run(root) {
    const asked = foreignDependencies(root);
    const names = new Set(asked.map(({ name }) => name));
    const text = readFileSync(join(root, ledger), "utf8");
    const rows = [...text.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name = ""]) => name);
    return [
      ...asked
        .filter(({ name }) => !text.includes(`\`${name}\``))
        .map(({ where, name }) => ({ where, what: `'${name}' is not in ${ledger}` })),
      ...rows.filter((name) => !names.has(name)).map((name) => ({ where: ledger, what: `nothing asks for '${name}'` })),
    ];
  },
};

/** The lock file works with any registry and on every platform, and versions are exact. */
export const lockFile: Check = {
  name: "lock-file",
  run(root) {
    const lock = readLock(join(root, "package-lock.json"));
    const findings: Finding[] = [];
    const at = (what: string) => findings.push({ where: "package-lock.json", what });
    for (const [path, entry] of Object.entries(lock.packages)) {
      if (entry.resolved?.includes("://") === true) at(`'${path}' names the registry it came from`);
    }
    for (const path of Object.keys(missingPlatforms(lock))) {
      at(`'${path}' is missing, and 'npm ci' refuses: run 'node scripts/lib/npm-tree.ts complete'`);
    }
    for (const { where, name, version } of foreignDependencies(root)) {
      if (!/^\d/.test(version)) findings.push({ where, what: `'${name}': '${version}' is not exact` });
    }
    return findings;
  },
};

/** Every package that is installed has a licence of the policy: MIT, Apache-2.0, ISC, BSD. */
export const licencesCheck: Check = {
  name: "licences",
  run(root) {
    const lock = readLock(join(root, "package-lock.json"));
    return Object.entries(lock.packages)
      .filter(
        ([path, entry]) => path.includes("node_modules/") && entry.link !== true && exceptions[path] === undefined,
      )
      .flatMap(([path, entry]) => {
        // Packages of other platforms carry the licence of the package that names them.
        if (entry.license === undefined && entry.optional === true) return [];
        // Of parts under several licences each must be of the policy.
        const parts = entry.license?.replace(/^\((.*)\)$/, "$1").split(" AND ") ?? [];
        const accepted = entry.dev === true ? developmentLicences : licences;
        if (parts.length > 0 && parts.every((part) => accepted.has(part))) return [];
        return [{ where: path, what: `licence '${entry.license ?? "none"}' is not in the policy` }];
      });
  },
};

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, normalize } from "node:path";
import { type Check, type Finding, filesUnder, lineOf } from "./finding.ts";

/** The floor of every package: imports go strictly down. `docs/architecture.md` says what lives where. */
export const floors: Readonly<Record<string, number>> = {
  base: 0,
  grpc: 0,
  kernel: 0,
  runtime: 1,
  network: 1,
  storage: 1,
  oci: 1,
  store: 1,
  template: 1,
  trust: 1,
  engine: 2,
  "docker-api": 3,
  images: 3,
  registry: 3,
  scan: 3,
  build: 3,
  cri: 3,
  api: 4,
  apiserver: 4,
  client: 4,
  controllers: 5,
  node: 5,
  dns: 5,
  proxy: 5,
  scheduler: 5,
  kubectl: 5,
  helm: 6,
  simulation: 6,
  kustomize: 6,
  cli: 8,
  daemon: 8,
};

/** Imports along a floor that are allowed: from, to. */
const neighbours: readonly (readonly [string, string])[] = [
  ["grpc", "base"],
  ["kernel", "base"],
  ["apiserver", "api"],
  ["client", "api"],
];

/** Imported by tests only; may itself import anything. */
const testOnly = new Set(["testkit"]);

/** Parts of Node that only some packages may use, with the reason that a finding gives. */
const restricted: readonly { readonly module: string; readonly packages: readonly string[]; readonly why: string }[] = [
  { module: "node:ffi", packages: ["kernel"], why: "system calls are made in one package" },
  {
    module: "node:child_process",
    packages: ["cli", "testkit"],
    why: "it forks, which stops the event loop in proportion to memory: use posix_spawn of the kernel package",
  },
];

interface Manifest {
  readonly name?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

interface Import {
  readonly specifier: string;
  readonly line: number;
}

const importPatterns = [
  /^[ \t]*(?:import|export)\b[^;'"]*?\bfrom\s*["']([^"']+)["']/gm,
  /^[ \t]*import\s*["']([^"']+)["']/gm,
  /\bimport\(\s*["']([^"']+)["']\s*\)/g,
  /\bnew URL\(\s*["'](\.\/[^"']+)["']\s*,\s*import\.meta\.url\s*\)/g,
];

/** Every module that a source names: static, dynamic, re-exported, or as a worker beside it. */
export function importsOf(source: string): Import[] {
  return importPatterns.flatMap((pattern) =>
    [...source.matchAll(pattern)].map((match) => ({ specifier: match[1] ?? "", line: lineOf(source, match.index) })),
  );
}

function packageOf(specifier: string): string {
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

function readManifest(path: string): Manifest {
  return JSON.parse(readFileSync(path, "utf8")) as Manifest;
}

interface Place {
  readonly name: string;
  readonly manifest: Manifest;
  readonly rootManifest: Manifest;
  readonly file: string;
  readonly isTest: boolean;
}

function checkInternal(place: Place, target: string): string | undefined {
  if (testOnly.has(target)) {
    return place.isTest || testOnly.has(place.name) ? undefined : `imports '${target}', which is for tests only`;
  }
  const to = floors[target];
  if (to === undefined) return `imports '${target}', which is on no floor`;
  if (testOnly.has(place.name) || target === place.name) return undefined;
  const from = floors[place.name];
  if (from === undefined || to < from) return undefined;
  if (neighbours.some(([a, b]) => a === place.name && b === target)) return undefined;
  return `'${place.name}' (floor ${from}) imports '${target}' (floor ${to}): imports go down only`;
}

function checkDeclared(place: Place, name: string): string | undefined {
  if (name === place.manifest.name) return undefined;
  if (place.manifest.dependencies?.[name] !== undefined) return undefined;
  const inTests = place.manifest.devDependencies?.[name] ?? place.rootManifest.devDependencies?.[name];
  if (place.isTest && inTests !== undefined) return undefined;
  // The test kit is everybody's: declaring it would make workspace packages depend on each other in a circle.
  if (place.isTest && name === "@boxship/testkit") return undefined;
  return `imports '${name}', which its package.json does not declare`;
}

function checkImport(root: string, place: Place, specifier: string): readonly string[] {
  if (specifier.startsWith(".")) {
    const target = normalize(join(dirname(place.file), specifier));
    if (!target.startsWith(`packages/${place.name}/`)) {
      return [`imports '${specifier}' out of its package: use the package's name`];
    }
    return existsSync(join(root, target)) ? [] : [`imports '${specifier}', which does not exist`];
  }
  if (specifier.startsWith("node:")) {
    const rule = restricted.find(({ module }) => module === specifier);
    const allowed = rule === undefined || place.isTest || rule.packages.includes(place.name);
    return allowed ? [] : [`imports '${specifier}': ${rule.why}`];
  }
  if (builtinModules.includes(specifier)) return [`imports '${specifier}': write 'node:${specifier}'`];
  const name = packageOf(specifier);
  const internal = name.startsWith("@boxship/") ? checkInternal(place, name.slice("@boxship/".length)) : undefined;
  return [internal, checkDeclared(place, name)].filter((finding) => finding !== undefined);
}

function checkPackage(root: string, name: string, rootManifest: Manifest): Finding[] {
  const folder = join("packages", name);
  if (!existsSync(join(root, folder, "package.json"))) return [{ where: folder, what: "has no package.json" }];
  const manifest = readManifest(join(root, folder, "package.json"));
  const findings: Finding[] = [];
  if (manifest.name !== `@boxship/${name}`) {
    findings.push({ where: `${folder}/package.json`, what: `is named '${manifest.name}', not '@boxship/${name}'` });
  }
  if (floors[name] === undefined && !testOnly.has(name)) findings.push({ where: folder, what: "is on no floor" });
  for (const file of filesUnder(root, folder, [".ts"])) {
    const isTest = file.endsWith(".test.ts") || /\/(testing|e2e)(\.ts$|\/)/.test(file);
    const source = readFileSync(join(root, file), "utf8");
    for (const { specifier, line } of importsOf(source)) {
      const place = { name, manifest, rootManifest, file, isTest };
      findings.push(...checkImport(root, place, specifier).map((what) => ({ where: `${file}:${line}`, what })));
    }
  }
  return findings;
}

/** Imports between packages go strictly down, are declared, and every package is on a floor. */
export const floorsCheck: Check = {
  name: "floors",
  run(root) {
    const rootManifest = readManifest(join(root, "package.json"));
    return readdirSync(join(root, "packages")).flatMap((name) => checkPackage(root, name, rootManifest));
  },
};

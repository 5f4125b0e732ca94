import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { InvalidArgument, Unsupported } from "@boxship/base/errors";
import { serveTasks } from "@boxship/base/worker-pool";
import { decompress } from "@boxship/oci";
import { parseApkInstalled, parseDpkgStatus, parseOsRelease } from "./evidence/parse-distro.ts";
import { parseGoModules, parseJar, parseNpm, parsePython } from "./evidence/parse-language.ts";
import { EvidenceCollector, type EvidenceFile } from "./evidence/read-layer.ts";
import { parseRpmDatabase } from "./evidence/rpm-database.ts";
import type { FoundPackage, Inventory } from "./package.ts";
import type { InventoryTask, LayerFile } from "./take-inventory.ts";

serveTasks(async ({ layers }: InventoryTask): Promise<Inventory> => {
  const collector = new EvidenceCollector();
  for (const layer of layers) {
    const parser = collector.layer(layer.digest);
    for await (const piece of decompress(bytesOf(layer))) parser.push(piece);
    parser.finish();
  }
  const { files } = collector;
  const release =
    files.find(({ path }) => path === "etc/os-release") ?? files.find(({ kind }) => kind === "os-release");
  const packages = new Map<string, FoundPackage>();
  for (const found of files.flatMap(packagesOf)) packages.set(keyOf(found), packages.get(keyOf(found)) ?? found);
  return {
    distribution: release === undefined ? undefined : parseOsRelease(release.content.toString()),
    packages: [...packages.values()].toSorted((a, b) => compareText(keyOf(a), keyOf(b))),
  };
});

/** The bytes of a layer; fails at their end if they are not what the digest says. */
async function* bytesOf({ digest, path, verified = true }: LayerFile): AsyncGenerator<Buffer> {
  const source = createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>;
  if (verified) {
    yield* source;
    return;
  }
  const algorithm = digest.slice(0, digest.indexOf(":"));
  const hash = createHash(algorithm);
  for await (const piece of source) {
    hash.update(piece);
    yield piece;
  }
  const actual = `${algorithm}:${hash.digest("hex")}`;
  if (actual === digest) return;
  throw new InvalidArgument(`layer ${digest} is damaged: its digest is ${actual}`, {
    subject: { kind: "blob", name: digest },
  });
}

function keyOf({ kind, name, version, architecture = "" }: FoundPackage): string {
  return `${kind} ${name} ${version} ${architecture}`;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function packagesOf({ kind, content, path, layer }: EvidenceFile): readonly FoundPackage[] {
  const place = { path: `/${path}`, layer };
  switch (kind) {
    case "os-release":
      return [];
    case "dpkg":
      return parseDpkgStatus(content.toString(), place);
    case "apk":
      return parseApkInstalled(content.toString(), place);
    case "rpm-sqlite":
      return parseRpmDatabase(content, place);
    case "rpm-other":
      throw new Unsupported(
        `the rpm database ${place.path} is of the ${path.endsWith(".db") ? "ndb" : "Berkeley DB"} kind, which is not supported`,
        { remedy: "convert it in the image: rpmdb --rebuilddb with the sqlite backend" },
      );
    case "npm":
      return parseNpm(content.toString(), place);
    case "python":
      return parsePython(content.toString(), place);
    case "go":
      return parseGoModules(content.toString(), place);
    case "jar":
      return parseJar(content, place);
    default:
      return kind satisfies never;
  }
}

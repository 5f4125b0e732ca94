import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { InvalidArgument, Unsupported } from "@boxship/base/errors";
import { serveTasks } from "@boxship/base/worker-pool";
import { decompress } from "@boxship/oci";
import { parseApkInstalled, parseDpkgStatus, parseOsRelease } from "./evidence/parse-distro.ts";
import { parseGoModules, parseJar, parseNpm, parsePython } from "./evidence/parse-language.ts";
import { EvidenceCollector, type EvidenceFile, type Told } from "./evidence/read-layer.ts";
import { parseRpmDatabase } from "./evidence/rpm-database.ts";
import type { FoundPackage, Inventory } from "./package.ts";
import type { InventoryTask, LayerFile } from "./take-inventory.ts";

serveTasks(async ({ layers }: InventoryTask): Promise<Inventory> => {
  const collector = new EvidenceCollector({ tell });
  for (const layer of layers) {
    const parser = collector.layer(layer.digest);
    for await (const piece of decompress(bytesOf(layer))) parser.push(piece);
    parser.finish();
  }
  const { release, packages } = collector;
  return { distribution: release === undefined ? undefined : parseOsRelease(release), packages };
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

function tell(file: EvidenceFile): Told {
  const { kind, content } = file;
  if (kind === "os-release") return { packages: () => [], count: 0, release: content.toString() };
  if (kind === "rpm-sqlite" || kind === "rpm-other") return { packages: () => packagesOf(file), count: 0 };
  const packages = packagesOf(file);
  return { packages: () => packages, count: packages.length };
}

/** Names, versions and the like are shorter, wherever packages come from. */
const LONGEST = 1024;

/** The package with texts of its own, not pieces of the file; nothing for what no package has. */
function tidied(found: FoundPackage): readonly FoundPackage[] {
  const { name, version, architecture, source, license } = found;
  for (const text of [name, version, architecture, source?.name, source?.version]) {
    if (text !== undefined && (text.length > LONGEST || /\p{Cc}/u.test(text))) return [];
  }
  const own = (text: string) => Buffer.from(text).toString();
  return [
    {
      ...found,
      name: own(name),
      version: own(version),
      ...(architecture !== undefined && { architecture: own(architecture) }),
      ...(source !== undefined && { source: { name: own(source.name), version: own(source.version) } }),
      ...(license !== undefined && { license: own(license.slice(0, LONGEST)).replace(/\p{Cc}+/gu, " ") }),
    },
  ];
}

function packagesOf(file: EvidenceFile): readonly FoundPackage[] {
  return parsed(file).flatMap(tidied);
}

function parsed({ kind, content, path, layer }: EvidenceFile): readonly FoundPackage[] {
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

import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import { InvalidArgument, PermissionDenied } from "@boxship/base";
import { type TarEntry, TarParser, toBuffer } from "@boxship/oci/tar";
import { readGzipMember } from "./gzip-members.ts";

/** A public key that signs a repository's index, under the name that signatures call it by. */
export interface ApkKey {
  /** Name of its file, such as `alpine-devel@lists.alpinelinux.org-6165ee59.rsa.pub`. */
  readonly name: string;
  /** PEM. */
  readonly content: string;
}

/** A member of an archive in memory. */
export interface ArchiveFile {
  readonly entry: TarEntry;
  /** Without slashes around it. */
  readonly name: string;
  readonly content: Buffer;
}

const ALGORITHMS: Readonly<Record<string, string>> = { RSA: "sha1", RSA256: "sha256", RSA512: "sha512" };

/** All members of an archive, which need not have an end-of-archive mark. */
export function readTar(archive: Buffer): readonly ArchiveFile[] {
  const files: ArchiveFile[] = [];
  let pieces: Buffer[] = [];
  const parser = new TarParser({
    entry: () => {
      pieces = [];
    },
    data: (chunk) => void pieces.push(Buffer.from(chunk)),
    end: (entry) => {
      const name = toBuffer(entry.name)
        .toString()
        .replace(/^(?:\.?\/)+|\/+$/g, "");
      files.push({ entry, name, content: Buffer.concat(pieces) });
    },
  });
  parser.push(archive);
  parser.finish();
  return files;
}

/**
 * The content of `APKINDEX.tar.gz`, signed by one of the keys.
 *
 * @throws PermissionDenied if it is not
 */
export async function readSignedIndex(file: Buffer, keys: readonly ApkKey[], name: string): Promise<string> {
  const signatures = await readGzipMember(file, 0, name);
  const signed = file.subarray(signatures.end);
  checkSignature(readTar(signatures.content), signed, keys, name);
  const { content } = await readGzipMember(signed, 0, name);
  const index = readTar(content).find((member) => member.name === "APKINDEX");
  if (index === undefined) throw new InvalidArgument(`${name} has no APKINDEX`);
  return index.content.toString();
}

function checkSignature(
  files: readonly ArchiveFile[],
  signed: Buffer,
  keys: readonly ApkKey[],
  repository: string,
): void {
  const names: string[] = [];
  for (const { name, content } of files) {
    const [, kind = "", signer = ""] = /^\.SIGN\.(RSA(?:256|512)?)\.(.+)$/.exec(name) ?? [];
    const key = keys.find((known) => known.name === signer);
    const algorithm = ALGORITHMS[kind];
    if (signer !== "") names.push(signer);
    if (key === undefined || algorithm === undefined) continue;
    if (verify(algorithm, signed, publicKey(key), content)) return;
    throw new PermissionDenied(`the signature of ${repository} by ${signer} is wrong`);
  }
  throw new PermissionDenied(
    names.length === 0
      ? `${repository} is not signed`
      : `${repository} is signed by ${names.join(", ")}, which is not among the keys that were given`,
    { remedy: "name the repository's public key with --key" },
  );
}

function publicKey({ name, content }: ApkKey): KeyObject {
  try {
    return createPublicKey(content);
  } catch (error) {
    throw new InvalidArgument(`${name} is no public key in PEM`, { cause: error });
  }
}

/** A package, of which every byte is what the index says. */
export interface ApkPackage {
  /** `.PKGINFO` and the scripts. */
  readonly control: readonly ArchiveFile[];
  /** The archive of its files. */
  readonly data: Buffer;
}

/**
 * Reads a package: the index has the checksum of its control segment, which has that of the data.
 *
 * @param checksum as in the index: `Q1` and the SHA-1 in base64
 * @throws PermissionDenied if something is not what was signed
 */
export async function readPackage(file: Buffer, checksum: string, name: string): Promise<ApkPackage> {
  const signatures = await readGzipMember(file, 0, name);
  const control = await readGzipMember(file, signatures.end, name);
  const raw = file.subarray(control.start, control.end);
  if (`Q1${createHash("sha1").update(raw).digest("base64")}` !== checksum) throw foreign(name);
  const files = readTar(control.content);
  const info = files.find((member) => member.name === ".PKGINFO")?.content.toString() ?? "";
  const wanted = /^datahash = ([0-9a-f]{64})$/m.exec(info)?.[1];
  const rest = file.subarray(control.end);
  if (createHash("sha256").update(rest).digest("hex") !== wanted) throw foreign(name);
  const { content } = await readGzipMember(rest, 0, name);
  return { control: files, data: content };
}

function foreign(name: string): PermissionDenied {
  return new PermissionDenied(`the package ${name} is not the one that the signed index names`, {
    subject: { kind: "package", name },
    remedy: "try again, or choose another mirror",
  });
}

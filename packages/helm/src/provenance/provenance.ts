import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { isObject, parseJson, textAt } from "@boxship/api";
import { loadYaml, toYaml } from "@boxship/api/yaml";
import { errorMessage, FailedPrecondition, InvalidArgument, NotFound, systemCode } from "@boxship/base/errors";
import { toJson } from "@boxship/template";
import { loadArchive } from "../chart/load-chart.ts";
import { readClearText, signClearText, verifyClearText } from "../openpgp/clear-text.ts";
import { isLocked, unlockKey } from "../openpgp/key-packet.ts";
import { type Certificate, readKeyring, signingKey } from "../openpgp/keyring.ts";

/** A provenance file is a chart's metadata, the digest of its archive, and a signature about both. */
const SEPARATOR = "\n...\n";
const MOST_BYTES = 1024 * 1024;

export interface Verified {
  /** `Name <address>` of who signed. */
  readonly signers: readonly string[];
  readonly fingerprint: string;
  /** `sha256:…` of the archive. */
  readonly digest: string;
}

const digestOf = (archive: Buffer): string => `sha256:${createHash("sha256").update(archive).digest("hex")}`;

/** GnuPG's file of old, in `$GNUPGHOME`. */
export const defaultKeyring = (env: Readonly<Record<string, string | undefined>>): string =>
  join(env["GNUPGHOME"] || join(env["HOME"] ?? homedir(), ".gnupg"), "pubring.gpg");

export async function loadKeyring(path: string): Promise<readonly Certificate[]> {
  const bytes = await readFile(path).catch((error: unknown) => {
    if (systemCode(error) !== "ENOENT") throw error;
    throw new NotFound(`there is no keyring at ${path}`, {
      remedy: "export keys by 'gpg --export >pubring.gpg', and name the file by --keyring",
      cause: error,
    });
  });
  return readKeyring(bytes, path);
}

/**
 * Sees that an archive is what a provenance file says, and that somebody of the keyring has said it.
 *
 * @param name of the archive's file, as the provenance file has it
 * @throws PermissionDenied for keys and signatures that are not to be trusted, InvalidArgument for other archives
 */
export function verifyProvenance(
  archive: Buffer,
  name: string,
  provenance: Buffer,
  keyring: readonly Certificate[],
  now: Date = new Date(),
): Verified {
  if (provenance.length > MOST_BYTES)
    throw new InvalidArgument(`the provenance file is larger than ${MOST_BYTES} bytes`);
  const signed = readClearText(provenance.toString("utf8"));
  const { certificate, names } = verifyClearText(signed, keyring, now);
  const wanted = digestIn(signed.text, name);
  const digest = digestOf(archive);
  if (digest !== wanted) {
    throw new InvalidArgument(
      `sha256 sum does not match for ${name}: ${JSON.stringify(wanted)} != ${JSON.stringify(digest)}`,
    );
  }
  return { signers: names, fingerprint: certificate.primary.fingerprint, digest };
}

function digestIn(text: string, name: string): string {
  const at = text.indexOf(SEPARATOR);
  if (at < 0) throw new InvalidArgument("the provenance file does not have two parts");
  let sums: unknown;
  try {
    sums = loadYaml(text.slice(at + SEPARATOR.length));
  } catch (error) {
    throw new InvalidArgument(`the provenance file is no YAML: ${errorMessage(error)}`, { cause: error });
  }
  const files = isObject(sums) && isObject(sums["files"]) ? sums["files"] : {};
  const found = Object.hasOwn(files, name) ? textAt(files, name) : "";
  if (found === "")
    throw new InvalidArgument(`provenance does not contain a SHA for a file named ${JSON.stringify(name)}`);
  return found;
}

export interface SigningOptions {
  /** A part of the name that the key is for, or its fingerprint. */
  readonly key: string;
  /** A file of secret keys. */
  readonly keyring: string;
  /** Asked for where the key is locked. */
  readonly passphrase: () => Promise<string>;
  readonly now?: Date;
}

/** The provenance file of an archive. @param name of its file */
export async function signArchive(archive: Buffer, name: string, options: SigningOptions): Promise<string> {
  const { now = new Date() } = options;
  const signer = signingKey(chooseKey(await loadKeyring(options.keyring), options.key), now);
  const secret = unlockKey(signer.key, isLocked(signer.key) ? await options.passphrase() : "");
  const { metadata } = await loadArchive(archive);
  const head = toYaml(parseJson(toJson(metadata.raw)));
  return signClearText(`${head}${SEPARATOR}${toYaml({ files: { [name]: digestOf(archive) } })}`, signer, secret, now);
}

/** The one key that is meant. @throws NotFound, FailedPrecondition where several are */
function chooseKey(keyring: readonly Certificate[], wanted: string): Certificate {
  const secret = keyring.filter(
    ({ primary, subkeys }) => primary.secret !== undefined || subkeys.some(({ key }) => key.secret !== undefined),
  );
  const named = (fits: (name: string) => boolean) => secret.filter(({ names }) => names.some(({ name }) => fits(name)));
  const hex = wanted.replace(/^0x/i, "").replaceAll(" ", "").toUpperCase();
  const byKey = /^([\dA-F]{16}|[\dA-F]{40})$/.test(hex)
    ? secret.filter(({ primary }) => primary.fingerprint.endsWith(hex))
    : [];
  for (const found of [byKey, named((name) => name === wanted), named((name) => name.includes(wanted))]) {
    if (found.length > 1) throw new FailedPrecondition(`more than one key contain the id ${JSON.stringify(wanted)}`);
    if (found[0] !== undefined) return found[0];
  }
  throw new NotFound(`no secret key for ${JSON.stringify(wanted)} in the keyring`);
}

/** As Helm tells it. */
export const verifiedText = ({ signers, fingerprint, digest }: Verified): string =>
  [
    ...signers.map((name) => `Signed by: ${name}`),
    `Using Key With Fingerprint: ${fingerprint}`,
    `Chart Hash Verified: ${digest}`,
  ].join("\n");

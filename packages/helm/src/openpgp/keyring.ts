import { FailedPrecondition, InvalidArgument, PermissionDenied, Unsupported } from "@boxship/base/errors";
import { readArmor } from "./armor.ts";
import { word } from "./byte-reader.ts";
import { type KeyPacket, readKeyPacket } from "./key-packet.ts";
import { readPackets, Tag } from "./packets.ts";
import { holds, isBy, readSignaturePacket, type SignaturePacket, SignatureType } from "./signature-packet.ts";

interface Named {
  readonly name: string;
  /** What is hashed of it where something is signed about it. */
  readonly hashed: Buffer;
  readonly signatures: SignaturePacket[];
}

interface Subkey {
  readonly key: KeyPacket;
  readonly signatures: SignaturePacket[];
}

/** A key with whom it belongs to, and with its subkeys, as its file has them. */
export interface Certificate {
  readonly primary: KeyPacket;
  readonly signatures: SignaturePacket[];
  readonly names: Named[];
  readonly subkeys: Subkey[];
}

/** A key that may sign, and whose it is. */
export interface Signer {
  readonly key: KeyPacket;
  readonly certificate: Certificate;
  /** `Name <address>` of the certificate, those that hold. */
  readonly names: readonly string[];
}

const MOST_BYTES = 64 * 1024 * 1024;

/**
 * Reads a file of keys, public or secret, armored or not. Keys of versions and kinds that are not known are left out.
 *
 * @throws InvalidArgument for what holds no keys
 */
export function readKeyring(bytes: Buffer, file: string): readonly Certificate[] {
  if (bytes.length > MOST_BYTES) throw new InvalidArgument(`keyring ${file} is larger than ${MOST_BYTES} bytes`);
  if (bytes.subarray(8, 12).toString("latin1") === "KBXf") {
    throw new InvalidArgument(`${file} is a keybox of GnuPG, not a keyring`, {
      remedy: "export the keys: gpg --export >pubring.gpg, gpg --export-secret-keys >secring.gpg",
    });
  }
  try {
    const all = certificatesOf(unarmored(bytes));
    if (all.length === 0) throw new InvalidArgument("there is no key of a known kind in it");
    return all;
  } catch (error) {
    if (!(error instanceof InvalidArgument)) throw error;
    throw new InvalidArgument(`keyring ${file}: ${error.message}`, { cause: error });
  }
}

function unarmored(bytes: Buffer): Buffer {
  if ((bytes[0] ?? 0) >= 0x80) return bytes;
  const blocks = bytes
    .toString("latin1")
    .match(/^-----BEGIN PGP (PUBLIC|PRIVATE) KEY BLOCK-----[^]*?^-----END PGP \1 KEY BLOCK-----/gm);
  if (blocks === null) throw new InvalidArgument("this is no OpenPGP data");
  return Buffer.concat(
    blocks.map((block) =>
      readArmor(block.startsWith("-----BEGIN PGP PUBLIC") ? "PGP PUBLIC KEY BLOCK" : "PGP PRIVATE KEY BLOCK", block),
    ),
  );
}

/** Undefined where the packet is of a version or a kind that is not known. */
function known<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Unsupported) return undefined;
    throw error;
  }
}

function certificatesOf(bytes: Buffer): readonly Certificate[] {
  const all: Certificate[] = [];
  let current: Certificate | undefined;
  let target: SignaturePacket[] | undefined;
  for (const { tag, body } of readPackets(bytes)) {
    switch (tag) {
      case Tag.publicKey:
      case Tag.secretKey: {
        const primary = known(() => readKeyPacket(tag, body));
        current = primary && { primary, signatures: [], names: [], subkeys: [] };
        if (current !== undefined) all.push(current);
        target = current?.signatures;
        break;
      }
      case Tag.publicSubkey:
      case Tag.secretSubkey: {
        const key = known(() => readKeyPacket(tag, body));
        const subkey: Subkey | undefined = key && { key, signatures: [] };
        if (subkey !== undefined) current?.subkeys.push(subkey);
        target = subkey?.signatures;
        break;
      }
      case Tag.userId:
      case Tag.userAttribute: {
        const hashed = Buffer.concat([Buffer.from([tag === Tag.userId ? 0xb4 : 0xd1]), word(body.length, 4), body]);
        const named: Named = { name: tag === Tag.userId ? body.toString("utf8") : "", hashed, signatures: [] };
        current?.names.push(named);
        target = named.signatures;
        break;
      }
      case Tag.signature: {
        const signature = known(() => readSignaturePacket(body));
        if (signature !== undefined) target?.push(signature);
        break;
      }
      // Trust, markers and what is not known say nothing about keys.
      default:
    }
  }
  return all;
}

/** What of a certificate holds, seen from itself. */
interface State {
  readonly names: readonly string[];
  readonly revoked: boolean;
  /** Seconds since 1970; undefined for never. */
  readonly expires: number | undefined;
  readonly keyFlags: number | undefined;
}

const newest = (signatures: readonly SignaturePacket[]): SignaturePacket | undefined =>
  signatures.toSorted((a, b) => a.created - b.created).at(-1);

function stateOf({ primary, signatures, names }: Certificate): State {
  const own = (all: readonly SignaturePacket[], types: (type: number) => boolean, ...signed: readonly Buffer[]) =>
    all.filter((one) => types(one.type) && isBy(one, primary) && holds(one, primary, [primary.hashed, ...signed]));
  const isCertification = (type: number): boolean =>
    type >= SignatureType.certification && type <= SignatureType.positiveCertification;
  const revoked = own(signatures, (type) => type === SignatureType.keyRevocation).length > 0;
  const about = own(signatures, (type) => type === SignatureType.directKey);
  const certified: { readonly name: string; readonly by: SignaturePacket }[] = [];
  for (const { name, hashed, signatures: all } of names) {
    const by = newest(own(all, isCertification, hashed));
    const back = newest(own(all, (type) => type === SignatureType.certificationRevocation, hashed));
    if (by === undefined || (back !== undefined && back.created >= by.created)) continue;
    certified.push({ name, by });
  }
  const self = newest([...about, ...certified.map(({ by }) => by)]);
  if (self === undefined)
    throw new FailedPrecondition(`OpenPGP key ${primary.fingerprint} says nothing about itself that holds`);
  const { keyExpiresAfter = 0, keyFlags } = self;
  return {
    names: certified.map(({ name }) => name).filter((name) => name !== ""),
    revoked,
    expires: keyExpiresAfter === 0 ? undefined : primary.created + keyExpiresAfter,
    keyFlags,
  };
}

const SIGNS = 0x02;

/** The newest binding of a subkey that may sign; undefined where there is none. @throws PermissionDenied where it was revoked */
function bindingOf({ primary }: Certificate, { key, signatures }: Subkey): SignaturePacket | undefined {
  const signed = [primary.hashed, key.hashed];
  const own = (wanted: number) =>
    signatures.filter(({ type }) => type === wanted).filter((one) => isBy(one, primary) && holds(one, primary, signed));
  if (own(SignatureType.subkeyRevocation).length > 0) {
    throw new PermissionDenied(`OpenPGP key ${key.fingerprint} was revoked`);
  }
  const binding = newest(own(SignatureType.subkeyBinding));
  if (binding === undefined || ((binding.keyFlags ?? 0) & SIGNS) === 0 || binding.embedded === undefined)
    return undefined;
  // Else anybody could take somebody's key for his own.
  const back = readSignaturePacket(binding.embedded);
  return back.type === SignatureType.primaryKeyBinding && holds(back, key, signed) ? binding : undefined;
}

const dateText = (seconds: number): string => new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ");

/**
 * Sees that a key of a certificate may sign now.
 *
 * @throws PermissionDenied for what was revoked, has expired, or is not for signing
 */
export function checkSigner(certificate: Certificate, key: KeyPacket, now: Date): Signer {
  const { primary } = certificate;
  const { names, revoked, expires, keyFlags } = stateOf(certificate);
  const seconds = now.getTime() / 1000;
  const refuse = (why: string): PermissionDenied => new PermissionDenied(`OpenPGP key ${key.fingerprint} ${why}`);
  if (revoked) throw refuse("was revoked");
  if (expires !== undefined && expires <= seconds) throw refuse(`expired at ${dateText(expires)} UTC`);
  if (key === primary) {
    if (keyFlags !== undefined && (keyFlags & SIGNS) === 0) throw refuse("is not for signing");
    return { key, certificate, names };
  }
  const subkey = certificate.subkeys.find((one) => one.key === key);
  const binding = subkey && bindingOf(certificate, subkey);
  if (binding === undefined) throw refuse(`is no key for signing of ${primary.fingerprint}`);
  const { keyExpiresAfter = 0 } = binding;
  if (keyExpiresAfter !== 0 && key.created + keyExpiresAfter <= seconds) {
    throw refuse(`expired at ${dateText(key.created + keyExpiresAfter)} UTC`);
  }
  return { key, certificate, names };
}

/** The key that a signature names, in any of the certificates. */
export function findIssuer(
  keyring: readonly Certificate[],
  signature: SignaturePacket,
): { readonly certificate: Certificate; readonly key: KeyPacket } | undefined {
  for (const certificate of keyring) {
    for (const key of [certificate.primary, ...certificate.subkeys.map((one) => one.key)]) {
      if (isBy(signature, key)) return { certificate, key };
    }
  }
  return undefined;
}

/**
 * The key to sign with: the newest subkey that may, else the primary one.
 *
 * @throws PermissionDenied, FailedPrecondition where there is none
 */
export function signingKey(certificate: Certificate, now: Date): Signer {
  const candidates = [
    ...certificate.subkeys.map((one) => one.key).toSorted((a, b) => b.created - a.created),
    certificate.primary,
  ];
  let first: unknown;
  for (const key of candidates) {
    if (key.secret === undefined) continue;
    try {
      return checkSigner(certificate, key, now);
    } catch (error) {
      if (!(error instanceof PermissionDenied || error instanceof Unsupported)) throw error;
      // What is wrong with the primary key is what is of interest.
      first = error;
    }
  }
  if (first !== undefined) throw first;
  throw new FailedPrecondition(`there is no secret key for ${certificate.primary.fingerprint} in the keyring`);
}

import { createPublicKey, verify } from "node:crypto";

/** An element in DER: its tag, all of it, and what is in it. */
interface Element {
  readonly tag: number;
  readonly whole: Buffer;
  readonly content: Buffer;
}

/** Reads elements that follow each other. @throws Error for what is no DER */
function elementsOf(der: Buffer): readonly Element[] {
  const found: Element[] = [];
  for (let at = 0; at < der.length; ) {
    const first = der[at + 1];
    if (first === undefined) throw new Error("asn1: syntax error: truncated tag or length");
    const bytes = first < 0x80 ? 0 : first & 0x7f;
    if (first === 0x80 || bytes > 4) throw new Error("asn1: structure error: length too large");
    const length = bytes === 0 ? first : der.subarray(at + 2, at + 2 + bytes).readUIntBE(0, bytes);
    const start = at + 2 + bytes;
    const end = start + length;
    if (end > der.length) throw new Error("asn1: syntax error: data truncated");
    found.push({ tag: der[at] ?? 0, whole: der.subarray(at, end), content: der.subarray(start, end) });
    at = end;
  }
  return found;
}

/** Hashes by the signature algorithm's identifier, in hexadecimal; null for algorithms that have their own. */
const HASHES: Readonly<Record<string, string | null>> = {
  "2a864886f70d01010b": "sha256",
  "2a864886f70d01010c": "sha384",
  "2a864886f70d01010d": "sha512",
  "2a864886f70d010105": "sha1",
  "2a8648ce3d040302": "sha256",
  "2a8648ce3d040303": "sha384",
  "2a8648ce3d040304": "sha512",
  "2b6570": null,
};

const NOT_IT = "PEM block type must be CERTIFICATE REQUEST";
const PEM = /-----BEGIN (?<type>[^-\n]+)-----\r?\n(?<body>[^-]*)-----END \k<type>-----/;

/**
 * What is wrong with a request of a certificate (RFC 2986) in PEM, of which the subject's own signature is checked;
 * undefined: nothing.
 */
export function requestProblem(text: string): string | undefined {
  const { type, body = "" } = PEM.exec(text)?.groups ?? {};
  if (type !== "CERTIFICATE REQUEST") return NOT_IT;
  try {
    return isSigned(Buffer.from(body, "base64"))
      ? undefined
      : "x509: the signature of the request is not its subject's";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function isSigned(der: Buffer): boolean {
  const [request, ...more] = elementsOf(der);
  if (request === undefined || request.tag !== 0x30 || more.length > 0)
    throw new Error("asn1: structure error: tags don't match");
  const [info, algorithm, signature] = elementsOf(request.content);
  if (info === undefined || algorithm === undefined || signature?.tag !== 0x03)
    throw new Error("asn1: structure error: tags don't match");
  const [, , key] = elementsOf(info.content);
  if (key === undefined) throw new Error("asn1: syntax error: sequence truncated");
  const hash = HASHES[elementsOf(algorithm.content)[0]?.content.toString("hex") ?? ""];
  if (hash === undefined) throw new Error("x509: cannot verify signature: algorithm unimplemented");
  const publicKey = createPublicKey({ key: key.whole, format: "der", type: "spki" });
  // The first byte says how many bits of the last are none.
  return verify(hash, info.whole, publicKey, signature.content.subarray(1));
}

/** What is wrong with certificates in PEM; undefined: nothing. */
export function certificatesProblem(text: string): string | undefined {
  if (text === "") return undefined;
  const blocks = [...text.matchAll(new RegExp(PEM, "g"))];
  for (const { groups } of blocks) {
    const { type = "", body = "" } = groups ?? {};
    if (type !== "CERTIFICATE") return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(type)}`;
    if (body.includes(":")) return "no PEM block headers are permitted";
    try {
      if (elementsOf(Buffer.from(body, "base64")).length === 0)
        return "found CERTIFICATE PEM block containing 0 certificates";
    } catch {
      return "x509: malformed certificate";
    }
  }
  return blocks.length === 0 ? "must contain at least one CERTIFICATE PEM block" : undefined;
}

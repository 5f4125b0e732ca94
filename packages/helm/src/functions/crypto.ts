import { createCipheriv, createDecipheriv, createHmac, randomBytes, randomUUID, scryptSync } from "node:crypto";
import {
  anySliceType,
  type GoType,
  intType,
  sprint,
  stringType,
  structOf,
  type TemplateFunction,
  typed,
  uint32Type,
  type Value,
  valueOf,
} from "@boxship/template";
import { hashSync } from "bcryptjs";
import {
  type CertificateRequest,
  type KeyPair,
  makeCertificate,
  newPrivateKey,
  readCertificate,
  readPrivateKey,
} from "./certificates.ts";
import { define, itemsOf } from "./go-values.ts";

const certificateType = structOf("sprig.certificate", [
  { name: "Cert", type: stringType },
  { name: "Key", type: stringType },
]);

const shown = ({ cert, key }: KeyPair): Value => typed(certificateType, { Cert: cert, Key: key });

function textsOf(value: unknown, what: string): readonly string[] {
  return (itemsOf(value) ?? []).map((item) => {
    if (typeof item === "string") return item;
    throw new Error(`error ${what}: ${sprint([valueOf(item)])} is not a string`);
  });
}

interface Named {
  readonly names: unknown;
  readonly addresses: unknown;
}

function requestOf(commonName: string, days: bigint, named?: Named): CertificateRequest {
  return {
    commonName,
    days: Number(days),
    addresses: textsOf(named?.addresses, "parsing ip"),
    names: textsOf(named?.names, "processing alternate dns name"),
  };
}

function pairOf({ raw }: Value): KeyPair {
  const { Cert, Key } = raw as { readonly Cert?: string; readonly Key?: string };
  return { cert: Cert ?? "", key: Key ?? "" };
}

const authority = (commonName: string, days: bigint, key?: string): Value =>
  shown(makeCertificate({ ...requestOf(commonName, days), authority: true, ...(key !== undefined && { key }) }));

const selfSigned = (commonName: string, addresses: unknown, names: unknown, days: bigint, key?: string): Value =>
  shown(makeCertificate({ ...requestOf(commonName, days, { names, addresses }), ...(key !== undefined && { key }) }));

const signed = (commonName: string, addresses: unknown, names: unknown, days: bigint, issuer: Value, key?: string) =>
  shown(
    makeCertificate({
      ...requestOf(commonName, days, { names, addresses }),
      issuer: pairOf(issuer),
      ...(key !== undefined && { key }),
    }),
  );

function customCertificate(cert: string, key: string): Value {
  const decoded = (text: string, what: string): string => {
    if (!/^[A-Za-z0-9+/\r\n]*={0,2}$/.test(text)) throw new Error(`unable to decode base64 ${what}`);
    return Buffer.from(text, "base64").toString();
  };
  const pair = { cert: decoded(cert, "certificate"), key: decoded(key, "private key") };
  readCertificate(pair.cert);
  readPrivateKey(pair.key);
  return shown(pair);
}

const PASSWORDS: Readonly<Record<string, string>> = {
  maximum: "anoxxxxxxxxxxxxxxxxx axxxxxxxxxxxxxxxxxno",
  long: "CvcvnoCvcvCvcv CvcvCvcvnoCvcv CvcvCvcvCvcvno CvccnoCvcvCvcv CvccCvcvnoCvcv CvccCvcvCvcvno CvcvnoCvccCvcv CvcvCvccnoCvcv CvcvCvccCvcvno CvcvnoCvcvCvcc CvcvCvcvnoCvcc CvcvCvcvCvccno CvccnoCvccCvcv CvccCvccnoCvcv CvccCvccCvcvno CvcvnoCvccCvcc CvcvCvccnoCvcc CvcvCvccCvccno CvccnoCvcvCvcc CvccCvcvnoCvcc CvccCvcvCvccno",
  medium: "CvcnoCvc CvcCvcno",
  short: "Cvcn",
  basic: "aaanaaan aannaaan aaannaaa",
  pin: "nnnn",
};
const [VOWELS, CONSONANTS] = ["aeiou", "bcdfghjklmnpqrstvwxyz"];
const LETTERS = VOWELS.toUpperCase() + VOWELS + CONSONANTS.toUpperCase() + CONSONANTS;
const SIGNS: Readonly<Record<string, string>> = {
  V: VOWELS.toUpperCase(),
  C: CONSONANTS.toUpperCase(),
  v: VOWELS,
  c: CONSONANTS,
  A: VOWELS.toUpperCase() + CONSONANTS.toUpperCase(),
  a: LETTERS,
  n: "0123456789",
  o: "@&%?,=[]_:-+*$#!'^~;()/.",
  x: `${LETTERS}0123456789!@#$%^&*()`,
};

/** The algorithm of the Master Password application. */
function derivePassword(counter: number, type: string, password: string, user: string, site: string): string {
  const shapes = Object.hasOwn(PASSWORDS, type) ? PASSWORDS[type]?.split(" ") : undefined;
  if (shapes === undefined) return `cannot find password template ${type}`;
  const number = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  const scope = Buffer.from("com.lyndir.masterpassword");
  const salt = Buffer.concat([scope, number(Buffer.byteLength(user)), Buffer.from(user)]);
  const key = scryptSync(password, salt, 64, { N: 32768, r: 8, p: 2, maxmem: 128 * 1024 * 1024 });
  const message = Buffer.concat([scope, number(Buffer.byteLength(site)), Buffer.from(site), number(counter)]);
  const seed = createHmac("sha256", key).update(message).digest();
  const shape = shapes[(seed[0] ?? 0) % shapes.length] ?? "";
  return Array.from(shape, (kind, at) => {
    const signs = SIGNS[kind] ?? "";
    return signs[(seed[at + 1] ?? 0) % signs.length];
  }).join("");
}

/** 32 bytes of a password: cut, or filled with zeroes. */
function aesKey(password: string): Buffer {
  const key = Buffer.alloc(32);
  Buffer.from(password).copy(key);
  return key;
}

function encrypt(password: string, text: string): string {
  if (text === "") return "";
  const start = randomBytes(16);
  const cipher = createCipheriv("aes-256-cbc", aesKey(password), start);
  return Buffer.concat([start, cipher.update(text), cipher.final()]).toString("base64");
}

function decrypt(password: string, text: string): string {
  if (text === "") return "";
  const bytes = Buffer.from(text, "base64");
  if (bytes.length < 32 || bytes.length % 16 !== 0) throw new Error("the text is not what encryptAES makes");
  const decipher = createDecipheriv("aes-256-cbc", aesKey(password), bytes.subarray(0, 16));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(16)), decipher.final()]).toString();
  } catch (error) {
    throw new Error("the password is another, or the text is damaged", { cause: error });
  }
}

const bcrypt = (password: string): string => hashSync(password, 10).replace(/^\$2b/, "$2a");

const s = stringType;
const list: GoType = anySliceType;

/** Sprig's functions of secrets and certificates. */
export const cryptoFunctions: Readonly<Record<string, TemplateFunction>> = {
  bcrypt: define([s], bcrypt),
  htpasswd: define([s, s], (user: string, password: string) =>
    user.includes(":") ? `invalid username: ${user}` : `${user}:${bcrypt(password)}`,
  ),
  genPrivateKey: define([s], newPrivateKey),
  derivePassword: define([uint32Type, s, s, s, s], (counter: Value, ...texts: [string, string, string, string]) =>
    derivePassword(Number(counter.raw), ...texts),
  ),
  buildCustomCert: define([s, s], customCertificate),
  genCA: define([s, intType], (name: string, days: bigint) => authority(name, days)),
  genCAWithKey: define([s, intType, s], authority),
  genSelfSignedCert: define(
    [s, list, list, intType],
    (name: string, addresses: unknown, names: unknown, days: bigint) => selfSigned(name, addresses, names, days),
  ),
  genSelfSignedCertWithKey: define([s, list, list, intType, s], selfSigned),
  genSignedCert: define(
    [s, list, list, intType, certificateType],
    (name: string, addresses: unknown, names: unknown, days: bigint, issuer: Value) =>
      signed(name, addresses, names, days, issuer),
  ),
  genSignedCertWithKey: define([s, list, list, intType, certificateType, s], signed),
  encryptAES: define([s, s], encrypt),
  decryptAES: define([s, s], decrypt),
  uuidv4: define([], () => randomUUID()),
};

import { X509Certificate } from "node:crypto";
import type { Json } from "../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../object/kube-object.ts";
import type { FieldError } from "../status/field-error.ts";

const BLOCK = /-----BEGIN (?<type>[^-\n]+)-----\r?\n(?<body>[^-]*)-----END \k<type>-----/g;

/** Why there is no certificate in a bundle of them, in base64; undefined where there is one, and for no bundle. */
function problemOf(bundle: string): string | undefined {
  if (bundle === "") return undefined;
  const blocks = [...Buffer.from(bundle, "base64").toString("latin1").matchAll(BLOCK)];
  if (blocks.length === 0) return "unable to parse bytes as PEM block";
  const certificates = blocks.filter(
    ({ groups }) => groups?.["type"] === "CERTIFICATE" && !groups["body"]?.includes(":"),
  );
  if (certificates.length === 0) return "no valid certificate authority data seen";
  return certificates.some(([text]) => isCertificate(text))
    ? undefined
    : "failed to parse certificate: x509: malformed certificate";
}

function isCertificate(text: string): boolean {
  try {
    return new X509Certificate(text).raw.length > 0;
  } catch {
    return false;
  }
}

const bundleOf = (crd: KubeObject | undefined): string =>
  textAt(valueAt(crd, "spec", "conversion", "webhook", "clientConfig") ?? {}, "caBundle");

/** Whether a definition's converter can be asked: with certificates that cannot be read it is not served at first. */
export const hasReadableBundle = (crd: KubeObject): boolean => problemOf(bundleOf(crd)) === undefined;

/** What is wrong with the certificates of a converter: refused where they were readable, and the definition is served. */
export function bundleErrors(config: Json, path: string, old: KubeObject | undefined): readonly FieldError[] {
  const established = listAt(old, "status", "conditions").some(
    (one) => textAt(one, "type") === "Established" && textAt(one, "status") === "True",
  );
  if (old === undefined || !established || !hasReadableBundle(old)) return [];
  const bundle = textAt(config, "caBundle");
  const problem = problemOf(bundle);
  if (problem === undefined) return [];
  const bytes = [...Buffer.from(bundle, "base64")].map((byte) => `0x${byte.toString(16)}`);
  const message = `Invalid value: []byte{${bytes.join(", ")}}: unable to load root certificates: ${problem}`;
  return [{ reason: "FieldValueInvalid", field: path, message }];
}

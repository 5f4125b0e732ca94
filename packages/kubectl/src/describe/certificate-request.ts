import { humanDuration, type KubeObject, listAt, textAt } from "@boxship/api";
import { errorMessage } from "@boxship/base";
import { Refusal } from "../failure.ts";
import type { Session } from "../session.ts";
import { writeEvents } from "./events.ts";
import { Lines, longTime, mapText, orNone } from "./lines.ts";

const SUBJECT = [
  ["Organization", "O"],
  ["Organizational Unit", "OU"],
  ["Country", "C"],
  ["Locality", "L"],
  ["Province", "ST"],
  ["StreetAddress", "2.5.4.9"],
  ["PostalCode", "2.5.4.17"],
] as const;

const ALTERNATIVES = [
  ["DNS Names", "dns"],
  ["Email Addresses", "email"],
  ["URIs", "url"],
  ["IP Addresses", "ip"],
] as const;

export async function describeCertificateRequest(session: Session, object: KubeObject): Promise<string> {
  const lines = new Lines();
  const at = (...path: string[]): string => textAt(object, ...path);
  const put = (title: string, value: string): void => lines.raw(`${title}:\t${value}\n`);
  put("Name", at("metadata", "name"));
  put("Labels", orNone(mapText(object.metadata.labels)));
  put("Annotations", orNone(mapText(object.metadata.annotations)));
  put("CreationTimestamp", longTime(at("metadata", "creationTimestamp")));
  put("Requesting User", at("spec", "username"));
  if (at("spec", "signerName") !== "") put("Signer", at("spec", "signerName"));
  const seconds = at("spec", "expirationSeconds");
  if (seconds !== "") put("Requested Duration", humanDuration(Number(seconds) * 1000));
  put("Status", statusText(object));
  const { field, names } = await readRequest(at("spec", "request"));
  lines.add(0, "Subject:");
  lines.raw(`\tCommon Name:\t${field("CN")[0] ?? ""}\n\tSerial Number:\t${field("2.5.4.5")[0] ?? ""}\n`);
  const list = (title: string, values: readonly string[]): void => {
    if (values.length > 0) lines.raw(`\t${title}:\t${values.join("\n\t\t")}\n`);
  };
  for (const [title, name] of SUBJECT) list(title, field(name));
  if (names.length > 0) lines.add(0, "Subject Alternative Names:");
  for (const [title, type] of ALTERNATIVES) {
    list(
      title,
      names.filter((one) => one.type === type).map((one) => one.value),
    );
  }
  await writeEvents(session, object, lines);
  return lines.text;
}

function statusText(object: KubeObject): string {
  const types = listAt(object, "status", "conditions").map((one) => textAt(one, "type"));
  const first = types.includes("Denied") ? "Denied" : types.includes("Approved") ? "Approved" : "Pending";
  const failed = types.includes("Failed") ? ",Failed" : "";
  return `${first}${failed}${textAt(object, "status", "certificate") === "" ? "" : ",Issued"}`;
}

/** @throws Refusal for what is no request */
async function readRequest(base64: string) {
  await import("reflect-metadata");
  const { Pkcs10CertificateRequest, SubjectAlternativeNameExtension } = await import("@peculiar/x509");
  try {
    const request = new Pkcs10CertificateRequest(Buffer.from(base64, "base64").toString());
    const extension = request.extensions.find((one) => one instanceof SubjectAlternativeNameExtension);
    return {
      field: (name: string): readonly string[] => request.subjectName.getField(name),
      names: extension?.names.toJSON() ?? [],
    };
  } catch (error) {
    throw new Refusal(`Error parsing CSR: ${errorMessage(error)}`);
  }
}

import type { KindHooks } from "../../kind/kind.ts";
import { deepEqual, isObject, type Json, type JsonObject } from "../../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { VALUES } from "../../tables/enumerations.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { dnsLabel, dnsSubdomain } from "../../validation/names.ts";
import { certificatesProblem, requestProblem } from "./certificate-request.ts";

const LEGACY = "kubernetes.io/legacy-unknown";
/** Conditions that say yes, or are not there. */
const DECIDED = ["Approved", "Denied", "Failed"];

const decoded = (value: Json | undefined): Buffer => Buffer.from(textAt(value), "base64");

/** As Go prints bytes. */
const shownBytes = (bytes: Buffer): string =>
  `[]byte{${[...bytes].map((byte) => `0x${byte.toString(16)}`).join(", ")}}`;

const LONGEST_SIGNER = 253 + 1 + 253 + 1 + 63;

/** `example.com/name` */
export function checkSignerName(found: Findings, at: string, name: string): void {
  if (name === "") {
    found.required(at);
    return;
  }
  const [domain = "", path = "", ...more] = name.split("/");
  if (more.length > 0 || !name.includes("/")) {
    found.invalid(at, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'");
    return;
  }
  if (domain.length > 253) found.tooLong(at, 253);
  const labels = domain.split(".");
  const odd = labels.find((label) => dnsLabel(label).length > 0);
  if (odd !== undefined)
    for (const why of dnsLabel(odd)) found.invalid(at, domain, `validating label ${JSON.stringify(odd)}: ${why}`);
  if (labels.length < 2) found.invalid(at, domain, "should be a domain with at least two segments separated by dots");
  const ill = path.split(".").find((label) => dnsSubdomain(label).length > 0);
  if (ill !== undefined)
    for (const why of dnsSubdomain(ill)) found.invalid(at, path, `validating label ${JSON.stringify(ill)}: ${why}`);
  if (name.length > LONGEST_SIGNER) found.tooLong(at, LONGEST_SIGNER);
}

function checkSpec(found: Findings, spec: Json | undefined): void {
  const request = decoded(valueAt(spec, "request"));
  const problem = requestProblem(request.toString());
  if (problem !== undefined)
    found.add({
      reason: "FieldValueInvalid",
      field: "spec.request",
      message: `Invalid value: ${shownBytes(request)}: ${problem}`,
    });
  const usages = listAt(spec, "usages").map((one) => textAt(one));
  if (usages.length === 0) found.required("spec.usages");
  for (const [index, usage] of usages.entries()) found.oneOf(`spec.usages[${index}]`, usage, VALUES.KeyUsage);
  for (const [index, usage] of usages.entries())
    if (usages.indexOf(usage) < index) found.duplicate(`spec.usages[${index}]`, usage);
  const signer = textAt(spec, "signerName");
  if (signer === LEGACY)
    found.invalid("spec.signerName", signer, "the legacy signerName is not allowed via this API version");
  else checkSignerName(found, "spec.signerName", signer);
  const seconds = valueAt(spec, "expirationSeconds");
  if (typeof seconds === "number" && seconds < 600)
    found.invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 600 seconds (10 minutes)");
}

const conditionsOf = (object: KubeObject): readonly Json[] => listAt(object["status"], "conditions");
const ofType = (object: KubeObject, type: string): readonly Json[] =>
  conditionsOf(object).filter((one) => textAt(one, "type") === type);

function checkConditions(found: Findings, object: KubeObject): void {
  const seen = new Set<string>();
  for (const [index, condition] of conditionsOf(object).entries()) {
    const at = `status.conditions[${index}]`;
    const [type, status] = [textAt(condition, "type"), textAt(condition, "status")];
    if (type === "") found.required(`${at}.type`);
    const statuses = DECIDED.includes(type) ? ["True"] : ["False", "True", "Unknown"];
    if (status === "") found.required(`${at}.status`);
    else found.oneOf(`${at}.status`, status, statuses);
    if ((type === "Approved" && seen.has("Denied")) || (type === "Denied" && seen.has("Approved")))
      found.invalid("status.conditions", type, "Approved and Denied conditions are mutually exclusive");
    if (seen.has(type)) found.duplicate(`${at}.type`, type);
    seen.add(type);
  }
}

/** What a status says, less what was wrong with it before. */
function checkStatus(found: Findings, object: KubeObject, old: KubeObject): void {
  const before = new Set(findingsOf((own) => checkConditions(own, old)).map(({ message }) => message));
  found.add(...findingsOf((own) => checkConditions(own, object)).filter(({ message }) => !before.has(message)));
  const [now, then] = [object, old].map((one) => textAt(one["status"], "certificate"));
  const problem = now === then ? undefined : certificatesProblem(decoded(now).toString());
  if (problem !== undefined) found.invalid("status.certificate", "<certificate data>", problem);
  for (const type of DECIDED)
    if (ofType(object, type).length < ofType(old, type).length)
      found.forbidden("status.conditions", `updates may not remove a condition of type "${type}"`);
}

/** What is decided is not undecided by who signs, and what is signed stays. */
function checkSigning(found: Findings, object: KubeObject, old: KubeObject): void {
  for (const type of ["Approved", "Denied"])
    if (ofType(object, type).length > ofType(old, type).length)
      found.forbidden("status.conditions", `updates may not add a condition of type "${type}"`);
  const [now, then] = [object, old].map((one) => textAt(one["status"], "certificate"));
  if (now !== then && then !== "")
    found.forbidden("status.certificate", "updates may not modify existing certificate content");
}

/** What was decided stays as it is, and what stays so is no transition. */
function keepConditions(status: JsonObject, old: KubeObject, subresource: string): void {
  const conditions = listAt(status, "conditions").map((one) => {
    if (!isObject(one)) return one;
    const same = ofType(old, textAt(one, "type")).find((was) => textAt(was, "status") === textAt(one, "status"));
    if (subresource === "status" && same !== undefined && ["Approved", "Denied"].includes(textAt(one, "type")))
      return same;
    const since = textAt(one, "lastTransitionTime") || textAt(same, "lastTransitionTime");
    return since === "" ? one : { ...one, lastTransitionTime: since };
  });
  if (conditions.length > 0) status["conditions"] = conditions;
}

/** `certificates/v1.CertificateSigningRequest` */
export const signingRequest: KindHooks = {
  validatesAll: true,
  prepareUpdate(object, old, subresource) {
    object["spec"] = old["spec"] ?? {};
    if (subresource === "approval") {
      const conditions = conditionsOf(object);
      const { conditions: _, ...kept } = isObject(old["status"]) ? old["status"] : {};
      object["status"] = { ...kept, ...(conditions.length === 0 ? {} : { conditions: [...conditions] }) };
    }
    const { status } = object;
    if (isObject(status)) keepConditions(status, old, subresource);
  },
  validate: ({ spec }, old) =>
    findingsOf((found) => {
      if (old === undefined || !deepEqual(spec, old["spec"])) checkSpec(found, spec);
    }),
  validateUpdate: (object, old) => findingsOf((found) => checkStatus(found, object, old)),
  validateStatus: (object, old) =>
    findingsOf((found) => {
      checkStatus(found, object, old);
      checkSigning(found, object, old);
    }),
};

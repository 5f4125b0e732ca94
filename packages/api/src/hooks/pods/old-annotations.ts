import { isObject, type Json } from "../../object/json.ts";
import { listAt, textAt, valueAt } from "../../object/kube-object.ts";
import type { Findings } from "../../validation/findings.ts";
import { checkTolerations } from "../../validation/tolerations.ts";
import { checkDescending } from "./paths.ts";

/** Annotations of times when there were no fields for what they say: they are still looked at. */
const TOLERATIONS = "scheduler.alpha.kubernetes.io/tolerations";
const POD_SECCOMP = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP = "container.seccomp.security.alpha.kubernetes.io/";
export const APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/";
const LOCAL = "localhost/";
const DEFAULTS = ["runtime/default", "docker/default"];
const CONTAINERS = ["initContainers", "containers", "ephemeralContainers"];

function checkSeccomp(found: Findings, field: string, profile: string): void {
  if (DEFAULTS.includes(profile) || profile === "unconfined") return;
  if (profile.startsWith(LOCAL)) checkDescending(found, field, profile.slice(LOCAL.length));
  else found.invalid(field, profile, "must be a valid seccomp profile");
}

function checkAppArmor(found: Findings, field: string, profile: string): void {
  if (["", "runtime/default", "unconfined"].includes(profile) || profile.startsWith(LOCAL)) return;
  found.invalid(field, profile, `invalid AppArmor profile name: ${JSON.stringify(profile)}`);
}

function checkOldTolerations(found: Findings, at: string, text: string): void {
  try {
    const tolerations = JSON.parse(text) as Json;
    if (!Array.isArray(tolerations)) throw new SyntaxError("it is no list");
    checkTolerations(found, `${at}.${TOLERATIONS}`, tolerations);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    found.invalid(at, TOLERATIONS, error.message);
  }
}

/** @param at of the annotations */
export function checkOldAnnotations(
  found: Findings,
  at: string,
  annotations: Json | undefined,
  spec: Json | undefined,
): void {
  if (textAt(annotations, TOLERATIONS) !== "") checkOldTolerations(found, at, textAt(annotations, TOLERATIONS));
  const all = Object.entries(isObject(annotations) ? annotations : {});
  for (const [key, value] of all) {
    if (key === POD_SECCOMP || key.startsWith(SECCOMP)) checkSeccomp(found, `${at}.${key}`, textAt(value));
  }
  for (const [key, value] of all) {
    if (!key.startsWith(APP_ARMOR)) continue;
    const name = key.slice(APP_ARMOR.length);
    const isThere = CONTAINERS.some((list) => listAt(spec, list).some((one) => textAt(one, "name") === name));
    if (!isThere) found.invalid(`${at}[${key}]`, name, "container not found");
    checkAppArmor(found, `${at}[${key}]`, textAt(value));
  }
}

/** What an annotation and a field say of one profile is the same. */
function checkMatch(found: Findings, at: string, what: string, annotation: string, profile: Json): void {
  const [type, local] = [textAt(profile, "type"), valueAt(profile, "localhostProfile")];
  const differs = (field: string, word: string): void =>
    found.forbidden(`${at}.${field}`, `${what} ${word} in annotation and field must match`);
  const defaults = what === "seccomp" ? DEFAULTS : DEFAULTS.slice(0, 1);
  if (type === "Unconfined" && annotation !== "unconfined") differs("type", "type");
  if (type === "RuntimeDefault" && !defaults.includes(annotation)) differs("type", "type");
  if (type !== "Localhost") return;
  if (!annotation.startsWith(LOCAL)) differs("type", "type");
  else if (local !== annotation.slice(LOCAL.length)) differs("localhostProfile", "profile");
}

/** @param at of the pod's spec */
export function checkProfiles(
  found: Findings,
  at: string,
  annotations: Json | undefined,
  spec: Json | undefined,
): void {
  const containers = CONTAINERS.flatMap((list) =>
    listAt(spec, list).map((container, index) => ({ here: `${at}.${list}[${index}].securityContext`, container })),
  );
  const own = valueAt(spec, "securityContext", "seccompProfile");
  const noted = valueAt(annotations, POD_SECCOMP);
  if (isObject(own) && typeof noted === "string")
    checkMatch(found, `${at}.securityContext.seccompProfile`, "seccomp", noted, own);
  for (const { here, container } of containers) {
    const profile = valueAt(container, "securityContext", "seccompProfile");
    const annotation = valueAt(annotations, `${SECCOMP}${textAt(container, "name")}`);
    if (isObject(profile) && typeof annotation === "string")
      checkMatch(found, `${here}.seccompProfile`, "seccomp", annotation, profile);
  }
  if (textAt(spec, "os", "name") === "windows") return;
  for (const { here, container } of containers) {
    const profile =
      valueAt(container, "securityContext", "appArmorProfile") ?? valueAt(spec, "securityContext", "appArmorProfile");
    const annotation = valueAt(annotations, `${APP_ARMOR}${textAt(container, "name")}`);
    if (isObject(profile) && typeof annotation === "string")
      checkMatch(found, `${here}.appArmorProfile`, "apparmor", annotation, profile);
  }
}

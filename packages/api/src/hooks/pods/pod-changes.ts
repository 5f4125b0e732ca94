import { isObject, type Json, type JsonObject } from "../../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../../object/kube-object.ts";
import type { FieldError } from "../../status/field-error.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { differenceOf, sameMeaning } from "../../validation/same-meaning.ts";
import { checkTolerations } from "../../validation/tolerations.ts";
import { APP_ARMOR } from "./old-annotations.ts";
import { checkPodResize } from "./pod-resize.ts";

const MIRROR = "kubernetes.io/config.mirror";
const LONGEST_DEADLINE = 2 ** 31 - 1;
const LISTS = ["containers", "initContainers"] as const;

/** What annotations say of how a pod is run stays. */
export function checkAnnotationChanges(found: Findings, { metadata }: KubeObject, old: KubeObject): void {
  const [now, before] = [metadata.annotations ?? {}, old.metadata.annotations ?? {}];
  const tell = (key: string, verb: string): void => {
    const field = `metadata.annotations[${key}]`;
    if (key.startsWith(APP_ARMOR)) found.forbidden(field, `may not ${verb} AppArmor annotations`);
    if (key === MIRROR) found.forbidden(field, `may not ${verb} mirror pod annotation`);
  };
  for (const [key, value] of Object.entries(before)) if (now[key] !== value) tell(key, "remove or update");
  for (const key of Object.keys(now)) if (!Object.hasOwn(before, key)) tell(key, "add");
}

/** @returns whether the rest is to be looked at */
function checkImages(found: Findings, now: Json | undefined, before: Json | undefined): boolean {
  for (const list of LISTS) {
    if (listAt(now, list).length !== listAt(before, list).length) {
      found.forbidden(`spec.${list}`, "pod updates may not add or remove containers");
      return false;
    }
  }
  return true;
}

/** @returns whether the rest is to be looked at */
function checkDeadline(found: Findings, spec: Json | undefined, before: Json | undefined): boolean {
  const field = "spec.activeDeadlineSeconds";
  const [now, old] = [spec, before].map((one) => valueAt(one, "activeDeadlineSeconds") ?? null);
  if (typeof now !== "number") {
    if (typeof old === "number") found.invalid(field, null, "must not update from a positive integer to nil value");
    return true;
  }
  const count = found.all.length;
  found.between(field, now, 0, LONGEST_DEADLINE);
  if (found.all.length === count && typeof old === "number" && old < now)
    found.invalid(field, now, "must be less than or equal to previous value");
  return found.all.length === count;
}

const untimed = (toleration: Json): JsonObject => {
  const { tolerationSeconds: _, ...rest } = toleration as JsonObject;
  return rest;
};

function checkAdded(found: Findings, now: readonly Json[], before: readonly Json[]): void {
  const field = "spec.tolerations";
  if (before.every((old) => now.some((one) => sameMeaning(untimed(one), untimed(old)))))
    checkTolerations(found, field, now);
  else found.forbidden(field, "existing toleration can not be modified except its tolerationSeconds");
}

function checkGates(found: Findings, now: readonly Json[], before: readonly Json[]): void {
  const known = new Set(before.map((gate) => textAt(gate, "name")));
  for (const [index, gate] of now.entries()) {
    const name = textAt(gate, "name");
    const why = `only deletion is allowed, but found new scheduling gate '${name}'`;
    if (!known.has(name)) found.forbidden(`spec.schedulingGates[${index}].name`, why);
  }
}

const REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution";

/** Requirements may only be added at the end, and none to a term that has none. */
function addsOnly(now: Json | undefined, before: Json | undefined): boolean {
  const lists = ["matchExpressions", "matchFields"] as const;
  const wasEmpty = lists.every((list) => listAt(before, list).length === 0);
  if (wasEmpty) return lists.every((list) => listAt(now, list).length === 0);
  return lists.every((list) => {
    const old = [...listAt(before, list)];
    return sameMeaning(listAt(now, list).slice(0, old.length), old);
  });
}

function checkNodeAffinity(found: Findings, now: Json | undefined, before: Json | undefined): void {
  const old = listAt(before, REQUIRED, "nodeSelectorTerms");
  if (old.length === 0) return;
  const terms = listAt(now, REQUIRED, "nodeSelectorTerms");
  const field = `spec.affinity.nodeAffinity.${REQUIRED}.nodeSelectorTerms`;
  if (old.length !== terms.length) {
    const shown = terms.length === 0 ? null : [...terms];
    found.invalid(field, shown, "no additions/deletions to non-empty NodeSelectorTerms list are allowed");
    return;
  }
  for (const [index, term] of old.entries()) {
    if (!addsOnly(terms[index], term))
      found.invalid(`${field}[${index}]`, terms[index], "only additions are allowed (no mutations or deletions)");
  }
}

/** A pod that waits to be placed may be told more of where it may go. @returns its spec with that as it was */
function checkPlaces(found: Findings, spec: JsonObject, before: JsonObject): JsonObject {
  const own = { ...spec };
  const [nodes, others] = [spec["nodeSelector"], before["nodeSelector"]];
  if (!sameMeaning(nodes, others, "nodeSelector")) {
    const isKept = Object.entries(isObject(others) ? others : {}).every(
      ([key, value]) => valueAt(nodes, key) === value,
    );
    const why = "only additions to spec.nodeSelector are allowed (no mutations or deletions)";
    if (!isKept) found.invalid("spec.nodeSelector", nodes, why);
    restore(own, before, "nodeSelector");
  }
  const [affinity, old] = [spec["affinity"], before["affinity"]];
  const [now, was] = [affinity, old].map((one) => valueAt(one, "nodeAffinity"));
  if (sameMeaning(now, was)) return own;
  checkNodeAffinity(found, now, was);
  const { nodeAffinity: _, ...rest } = isObject(affinity) ? affinity : {};
  if (was !== undefined && was !== null) own["affinity"] = { ...rest, nodeAffinity: was };
  else if (isObject(old) || Object.keys(rest).length > 0) own["affinity"] = rest;
  else delete own["affinity"];
  return own;
}

function restore(own: JsonObject, before: Json | undefined, field: string): void {
  const value = valueAt(before, field);
  if (value === undefined) delete own[field];
  else own[field] = value;
}

/** A spec with what may change as it was. */
function fixed(spec: JsonObject, before: JsonObject): JsonObject {
  const own = { ...spec };
  for (const field of ["activeDeadlineSeconds", "schedulingGates", "tolerations"]) restore(own, before, field);
  const grace = before["terminationGracePeriodSeconds"];
  if (typeof grace === "number" && grace < 0 && own["terminationGracePeriodSeconds"] === 1)
    own["terminationGracePeriodSeconds"] = grace;
  for (const list of LISTS) {
    if (own[list] === undefined) continue;
    own[list] = listAt(own, list).map((container, index) => {
      const image = valueAt(listAt(before, list)[index], "image");
      return { ...(container as JsonObject), ...(image === undefined ? {} : { image }) };
    });
  }
  return own;
}

const CHANGEABLE =
  "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

function checkChange(found: Findings, object: KubeObject, old: KubeObject): void {
  checkAnnotationChanges(found, object, old);
  const [spec, before] = [object["spec"], old["spec"]].map((one) => (isObject(one) ? one : {}));
  if (spec === undefined || before === undefined || !checkImages(found, spec, before)) return;
  if (!checkDeadline(found, spec, before)) return;
  checkAdded(found, listAt(spec, "tolerations"), listAt(before, "tolerations"));
  checkGates(found, listAt(spec, "schedulingGates"), listAt(before, "schedulingGates"));
  const isGated = listAt(before, "schedulingGates").length > 0;
  const own = isGated ? checkPlaces(found, fixed(spec, before), before) : fixed(spec, before);
  if (sameMeaning(own, before)) return;
  found.forbidden("spec", `${CHANGEABLE}\n${differenceOf(before, own)}`);
}

/** Containers that were added later stay as they are. */
function checkEphemeral(found: Findings, object: KubeObject, old: KubeObject): void {
  if (old.metadata.annotations?.[MIRROR] !== undefined) {
    found.forbidden("", "static pods do not support ephemeral containers");
    return;
  }
  checkAnnotationChanges(found, object, old);
  const field = "spec.ephemeralContainers";
  const now = new Map(listAt(object, "spec", "ephemeralContainers").map((one) => [textAt(one, "name"), one]));
  for (const container of listAt(old, "spec", "ephemeralContainers")) {
    const name = textAt(container, "name");
    const which = `existing ephemeral containers ${JSON.stringify(name)} may not be`;
    const own = now.get(name);
    if (own === undefined) found.forbidden(field, `${which} removed\n`);
    else if (!sameMeaning(own, container)) found.forbidden(field, `${which} changed\n${differenceOf(container, own)}`);
  }
}

/** Of a pod little may change, and by each of its parts something else. */
export function validatePodUpdate(object: KubeObject, old: KubeObject, subresource: string): readonly FieldError[] {
  return findingsOf((found) => {
    if (subresource === "resize") checkPodResize(found, object, old);
    else if (subresource === "ephemeralcontainers") checkEphemeral(found, object, old);
    else checkChange(found, object, old);
  });
}

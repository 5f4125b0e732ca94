import { isObject, type Json, type JsonObject } from "../../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../../object/kube-object.ts";
import type { Findings } from "../../validation/findings.ts";
import { resourcesOf } from "../../validation/resources.ts";
import { sameMeaning } from "../../validation/same-meaning.ts";
import { quality } from "./quality.ts";

const MIRROR = "kubernetes.io/config.mirror";
const LISTS = ["containers", "initContainers"] as const;
const RESIZED = ["cpu", "memory"];

const isSidecar = (container: Json | undefined): boolean => textAt(container, "restartPolicy") === "Always";

/** The containers are the ones that were there, in their order. */
function checkOrder(found: Findings, now: Json | undefined, before: Json | undefined): boolean {
  const count = found.all.length;
  for (const list of LISTS) {
    const [containers, others] = [listAt(now, list), listAt(before, list)];
    if (containers.length !== others.length) {
      found.forbidden(`spec.${list}`, `${list} may not be added or removed on resize`);
      continue;
    }
    for (const [index, other] of others.entries()) {
      if (textAt(containers[index], "name") !== textAt(other, "name"))
        found.forbidden(`spec.${list}[${index}].name`, `${list} may not be renamed or reordered on resize`);
    }
  }
  return found.all.length === count;
}

const anyRemoved = (now: Json | undefined, before: Json | undefined): boolean =>
  resourcesOf(before).some(([name]) => valueAt(now, name) === undefined);

function checkKept(found: Findings, at: string, now: Json | undefined, before: Json | undefined, what: string): void {
  for (const field of ["requests", "limits"]) {
    if (anyRemoved(valueAt(now, field), valueAt(before, field)))
      found.forbidden(`${at}.${field}`, `${what} ${field} cannot be removed`);
  }
}

/** Resources with the processors and the memory that they had before. */
function asBefore(now: Json | undefined, before: Json | undefined, isContainer: boolean): JsonObject {
  const own: JsonObject = isContainer || !isObject(now) ? {} : { ...now };
  for (const field of ["requests", "limits"]) {
    const [amounts, others] = [valueAt(now, field), valueAt(before, field)];
    const kept: JsonObject = isObject(amounts) ? { ...amounts } : {};
    for (const name of RESIZED) {
      const amount = valueAt(others, name);
      if (amount === undefined) delete kept[name];
      else kept[name] = amount;
    }
    own[field] = kept;
  }
  return own;
}

const restored = (container: Json, other: Json | undefined): JsonObject => ({
  ...(container as JsonObject),
  resources: asBefore(valueAt(container, "resources"), valueAt(other, "resources"), true),
});

const without = (container: JsonObject | Json | undefined): Json => {
  if (!isObject(container)) return null;
  const { resources, ...rest } = container;
  return resourcesOf(valueAt(resources, "limits")).length +
    resourcesOf(valueAt(resources, "requests")).length +
    listAt(resources, "claims").length ===
    0
    ? rest
    : container;
};

const sameContainer = (container: Json, other: Json | undefined): boolean =>
  sameMeaning(without(restored(container, other)), without(other));

/** @returns the pod's own resources, with what of them may change as it was */
function checkWhole(found: Findings, now: Json | undefined, before: Json | undefined): void {
  const [own, other] = [valueAt(now, "resources"), valueAt(before, "resources")];
  const isSet = [own, other].some(
    (one) => resourcesOf(valueAt(one, "requests")).length + resourcesOf(valueAt(one, "limits")).length > 0,
  );
  if (!isSet) return;
  if (isObject(other) && !isObject(own)) {
    found.forbidden("spec.resources", "pod-level resources cannot be removed");
    return;
  }
  if (isObject(other)) {
    for (const [field, word] of [
      ["requests", "request"],
      ["limits", "limit"],
    ] as const) {
      if (anyRemoved(valueAt(own, field), valueAt(other, field)))
        found.forbidden(`spec.resources.${field}`, `pod-level resource ${word}s cannot be removed`);
    }
  }
  if (!sameMeaning(asBefore(own, other, false), asBefore(other, other, false)))
    found.forbidden("spec", "only cpu and memory resources are mutable at pod-level");
}

/** Somebody who runs its containers tells what they have. */
function canResize({ status }: KubeObject): boolean {
  const running = listAt(status, "containerStatuses").find((one) => isObject(valueAt(one, "state", "running")));
  return running === undefined || isObject(valueAt(running, "resources"));
}

function checkContainers(found: Findings, now: Json | undefined, before: Json | undefined): void {
  for (const list of ["initContainers", "containers"]) {
    for (const [index, other] of listAt(before, list).entries()) {
      const own = valueAt(listAt(now, list)[index], "resources");
      checkKept(found, `spec.${list}[${index}].resources`, own, valueAt(other, "resources"), "resource");
    }
  }
  for (const [index, container] of listAt(now, "containers").entries()) {
    if (!sameContainer(container, listAt(before, "containers")[index]))
      found.forbidden("spec", "only cpu and memory resources are mutable");
  }
  for (const [index, container] of listAt(now, "initContainers").entries()) {
    const other = listAt(before, "initContainers")[index];
    const field = `spec.initContainers[${index}]`;
    if (!sameContainer(container, other))
      found.forbidden(field, "only cpu and memory resources for init or sidecar containers are mutable");
    const restarts = listAt(container, "resizePolicy").some(
      (one) => textAt(one, "restartPolicy") === "RestartContainer",
    );
    if (restarts && !isSidecar(container) && !sameMeaning(container, other)) {
      const why = "non-sidecar init containers with a resize policy of RestartContainer cannot be resized";
      found.forbidden(field, why);
    }
  }
}

/** A change through `resize`: of processors and memory alone. */
export function checkPodResize(found: Findings, object: KubeObject, old: KubeObject): void {
  const [spec, before] = [object["spec"], old["spec"]];
  const refused =
    old.metadata.annotations?.[MIRROR] !== undefined
      ? "static pods cannot be resized"
      : textAt(before, "os", "name") === "windows"
        ? "windows pods cannot be resized"
        : undefined;
  if (refused !== undefined) {
    found.forbidden("", refused);
    return;
  }
  const known = textAt(old, "status", "qosClass") || quality(before);
  if (known !== quality(spec))
    found.invalid(
      "spec",
      valueAt(object, "status", "qosClass"),
      "Pod QOS Class may not change as a result of resizing",
    );
  if (!canResize(old)) found.forbidden("spec", "Pod running on node without support for resize");
  checkWhole(found, spec, before);
  if (listAt(old, "status", "nodeAllocatableResourceClaimStatuses").length > 0)
    found.forbidden("spec", "pods with node allocatable resource claims cannot be resized");
  if (checkOrder(found, spec, before)) checkContainers(found, spec, before);
}

/** A pod as a change through `resize` leaves it: what it cannot change is as it was. */
export function keepButResources(spec: Json | undefined, before: Json | undefined): Json | undefined {
  if (LISTS.some((list) => listAt(spec, list).length !== listAt(before, list).length)) return spec;
  const own: JsonObject = isObject(before) ? { ...before } : {};
  const whole = valueAt(spec, "resources");
  if (whole === undefined) delete own["resources"];
  else own["resources"] = whole;
  for (const list of LISTS) {
    const others = listAt(before, list);
    if (others.length === 0) continue;
    const containers = listAt(spec, list);
    const isSame = containers.every((one, index) => textAt(one, "name") === textAt(others[index], "name"));
    own[list] = isSame
      ? others.map((other, index) => {
          const kept: JsonObject = { ...(other as JsonObject) };
          for (const field of ["resources", "resizePolicy"]) {
            const value = valueAt(containers[index], field);
            if (value === undefined) delete kept[field];
            else kept[field] = value;
          }
          return kept;
        })
      : [...containers];
  }
  return own;
}

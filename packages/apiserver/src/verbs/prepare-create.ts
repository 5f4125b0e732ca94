import { randomInt, randomUUID } from "node:crypto";
import { applyDefaults, badRequest, type KubeObject, timestamp } from "@boxship/api";
import type { ResourceRequest, ServerContext } from "../server-context.ts";

/** Letters that spell no words. */
const ALPHABET = "bcdfghjklmnpqrstvwxz2456789";
const LONGEST_BASE = 58;

/** A name that begins with `base`. */
export function generateName({ naming }: ServerContext, resource: string, base: string): string {
  const draw = (): string => Array.from({ length: 5 }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");
  const suffix = naming?.suffix(resource, base) ?? draw();
  return base.slice(0, LONGEST_BASE) + suffix;
}

/** Gives a new object what the server sets, and takes from it what a client cannot. @throws BadRequest */
export function prepareCreate(
  { clock, naming }: ServerContext,
  { kind, info }: ResourceRequest,
  object: KubeObject,
): void {
  const { metadata } = object;
  checkNamespace(kind.namespaced, info.namespace, object);
  if (metadata.resourceVersion) throw badRequest("resourceVersion should not be set on objects to be created");
  delete metadata.resourceVersion;
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  delete metadata["selfLink"];
  metadata.uid = naming?.uid(kind.resource, info.namespace, metadata.name ?? "") ?? randomUUID();
  metadata.creationTimestamp = timestamp(clock.now());
  if (kind.subresources.has("status") && kind.hooks.keepsStatus !== true) delete object["status"];
  if (tracksGeneration(kind)) metadata.generation = 1;
  else delete metadata.generation;
  kind.hooks.prepareCreate?.(object);
}

/** The status of a new built-in object before anybody has written it: nobody manages what is in there. */
export function beginStatus({ custom, schema }: ResourceRequest["kind"], object: KubeObject): void {
  const status = schema.properties?.get("status");
  if (custom || status === undefined || object["status"] !== undefined) return;
  const zeros = (status.required ?? []).flatMap((field) => {
    const type = status.properties?.get(field)?.type;
    return type === "integer" || type === "boolean" ? [[field, type === "integer" ? 0 : false] as const] : [];
  });
  object["status"] = Object.fromEntries(zeros);
  applyDefaults(status, object["status"]);
}

export function tracksGeneration({ custom, hooks }: ResourceRequest["kind"]): boolean {
  return hooks.tracksGeneration ?? custom;
}

function checkNamespace(namespaced: boolean, namespace: string, { metadata }: KubeObject): void {
  if (!namespaced) {
    delete metadata.namespace;
    return;
  }
  if (metadata.namespace && metadata.namespace !== namespace) {
    throw badRequest(otherNamespace(metadata.namespace, namespace));
  }
  metadata.namespace = namespace;
}

export const otherNamespace = (own = "", asked = ""): string =>
  `the namespace of the provided object does not match the namespace sent on the request (${own} != ${asked})`;

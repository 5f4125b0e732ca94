import { randomInt, randomUUID } from "node:crypto";
import { badRequest, type KubeObject, timestamp } from "@boxship/api";
import type { ResourceRequest, ServerContext } from "../server-context.ts";

/** Letters that spell no words. */
const ALPHABET = "bcdfghjklmnpqrstvwxz2456789";
const LONGEST_BASE = 58;

/** A name that begins with `base`. */
export function generateName(base: string): string {
  const suffix = Array.from({ length: 5 }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");
  return base.slice(0, LONGEST_BASE) + suffix;
}

/** Gives a new object what the server sets, and takes from it what a client cannot. @throws BadRequest */
export function prepareCreate({ clock }: ServerContext, { kind, info }: ResourceRequest, object: KubeObject): void {
  const { metadata } = object;
  checkNamespace(kind.namespaced, info.namespace, object);
  if (metadata.resourceVersion) throw badRequest("resourceVersion should not be set on objects to be created");
  delete metadata.resourceVersion;
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  delete metadata["selfLink"];
  metadata.uid = randomUUID();
  metadata.creationTimestamp = timestamp(clock.now());
  if (kind.subresources.has("status")) delete object["status"];
  if (tracksGeneration(kind)) metadata.generation = 1;
  else delete metadata.generation;
  kind.hooks.prepareCreate?.(object);
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
    throw badRequest(
      `the namespace of the provided object does not match the namespace sent on the request (${metadata.namespace} != ${namespace})`,
    );
  }
  metadata.namespace = namespace;
}

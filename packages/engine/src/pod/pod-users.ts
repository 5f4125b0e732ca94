import { existsSync, mkdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { InvalidArgument } from "@boxship/base";
import { releaseMountsBelow, unbindNamespace } from "@boxship/kernel";
import type { EngineContext } from "../context.ts";
import { makeNamespaces, type Remap, remapAt, requireWay } from "../remap/remap.ts";
import { podMounts } from "./pod-namespaces.ts";
import type { RunPodRequest } from "./record.ts";

/** Below a pod's mounts. */
const PLACE = "users";

/** The user namespace of a pod's containers; undefined when that is the machine's, or there is no such pod. */
export function podUsers(context: EngineContext, id: string): Remap | undefined {
  const users = context.pods.get(id)?.request.users;
  return users === undefined ? undefined : remapAt(placeOf(context, id), users);
}

const placeOf = ({ options }: EngineContext, id: string): string => join(podMounts(options.runDir), id, PLACE);

/**
 * Makes the user namespace that a pod asks for; it stays until {@link releasePodUsers}.
 *
 * @returns undefined where it asks for none
 * @throws InvalidArgument, FailedPrecondition
 */
export async function holdPodUsers(
  context: EngineContext,
  id: string,
  { users, network, ipc }: RunPodRequest,
): Promise<Remap | undefined> {
  if (users === undefined) return undefined;
  if (network === "host" || ipc === "host") {
    throw new InvalidArgument(
      `a pod in a user namespace of its own cannot be in the host's ${network === "host" ? "network" : "IPC"} namespace`,
    );
  }
  const remap = remapAt(placeOf(context, id), users);
  requireWay(context.options.root, remap.root);
  mkdirSync(remap.sources, { recursive: true, mode: 0o711 });
  await makeNamespaces(remap, "or let the pod have the host's users");
  return remap;
}

/** Takes the namespace away, and what was mounted by its ids. Idempotent. */
export async function releasePodUsers(context: EngineContext, id: string): Promise<void> {
  const place = placeOf(context, id);
  if (!existsSync(place)) return;
  await releaseMountsBelow(join(place, "sources"));
  for (const file of ["containers", "files"]) {
    if (existsSync(join(place, file))) unbindNamespace(join(place, file));
  }
  await rm(place, { recursive: true, force: true });
}

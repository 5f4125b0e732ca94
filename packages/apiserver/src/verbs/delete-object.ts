import { conflict, type Kind, type KubeObject, notFound, timestamp } from "@boxship/api";
import { jsonReply, type Reply } from "../http/reply.ts";
import type { ResourceRequest, ServerContext } from "../server-context.ts";
import { CachedObject } from "../storage/cached-object.ts";
import { objectKey } from "../storage/object-bytes.ts";
import { replaceRevision } from "../storage/object-store.ts";
import { Admission } from "./admit.ts";
import { unsaved } from "./create-object.ts";
import { readDeleteOptions } from "./read-object-body.ts";
import { objectReply } from "./render.ts";
import { type DeleteOptions, deleteOptions } from "./write-options.ts";

/** Kinds whose deletion answers with what was deleted. */
const ANSWERS_WITH_OBJECT = new Set([
  "/namespaces",
  "/persistentvolumeclaims",
  "/persistentvolumes",
  "/pods",
  "/podtemplates",
  "/resourcequotas",
  "/serviceaccounts",
  "/services",
  "policy/podsecuritypolicies",
  "storage.k8s.io/csidrivers",
  "storage.k8s.io/storageclasses",
  "storage.k8s.io/volumeattachments",
]);

/** Kinds that let their pods go where nobody says what becomes of them, as they did before there was a collector. */
const ORPHANS_BY_DEFAULT = new Set(["/replicationcontrollers", "batch/jobs"]);

const PRESERVED =
  "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning";

const resourceOf = ({ group, resource }: Kind): string => `${group}/${resource}`;

/** `DELETE` of an object. */
export async function deleteObject(context: ServerContext, request: ResourceRequest): Promise<Reply> {
  const options = deleteOptions(request.query, await readDeleteOptions(request));
  const { object, gone, uid } = await commitDelete(context, request, request.info.name, options);
  const { kind } = request;
  if (options.propagationPolicy === undefined && resourceOf(kind) === "batch/jobs") request.warn(PRESERVED);
  if (!gone || ANSWERS_WITH_OBJECT.has(`${kind.group}/${kind.resource}`)) return objectReply(request, object, 200);
  const { name } = request.info;
  const group = kind.group === "" ? {} : { group: kind.group };
  return jsonReply({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    details: { name, ...group, kind: kind.resource, uid },
  });
}

export interface Deleted {
  /** As it was last. */
  readonly object: CachedObject;
  readonly uid: string;
  /** Otherwise it waits for its finalizers or for its time. */
  readonly gone: boolean;
}

/**
 * Deletes an object, or marks it as being deleted where somebody has to finish with it first.
 *
 * @param isAdmitted whether admission has been asked already, about what deletes it
 */
export async function commitDelete(
  context: ServerContext,
  request: ResourceRequest,
  name: string,
  options: DeleteOptions,
  isAdmitted = false,
): Promise<Deleted> {
  const { kind, info } = request;
  for (;;) {
    const current = await context.objects.get(kind, info.namespace, name);
    if (current === undefined) throw notFound(kind, name);
    await request.pause?.(current.bytes.length);
    const old = current.parse();
    checkPreconditions(request, old, name, options);
    const { dryRun } = options;
    const admission = new Admission(context, request, {
      operation: "DELETE",
      name,
      object: null,
      oldObject: old,
      dryRun,
    });
    if (!isAdmitted) {
      await admission.mutate();
      await admission.validate();
    }
    const done = await tryDelete(context, request, { current, old, options });
    if (done !== undefined) return done;
    if (options.preconditions.resourceVersion !== undefined) throw conflict(kind, name);
  }
}

/** @throws Conflict where the object is another one, or another version, than the options say */
export function checkPreconditions(
  { kind }: ResourceRequest,
  { metadata }: KubeObject,
  name: string,
  { preconditions }: DeleteOptions,
): void {
  const { uid, resourceVersion } = preconditions;
  if (uid !== undefined && uid !== metadata.uid) {
    throw conflict(kind, name, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`);
  }
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
    throw conflict(
      kind,
      name,
      `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${metadata.resourceVersion}`,
    );
  }
}

interface Attempt {
  readonly current: CachedObject;
  readonly old: KubeObject;
  readonly options: DeleteOptions;
}

/** @returns undefined where somebody else was quicker */
async function tryDelete(
  { objects, clock }: ServerContext,
  { kind, info }: ResourceRequest,
  { current, old, options }: Attempt,
): Promise<Deleted | undefined> {
  const key = objectKey(kind, info.namespace, old.metadata.name);
  const { uid = "" } = old.metadata;
  const finalizers = finalizersFor(kind, old.metadata.finalizers ?? [], options);
  const grace = kind.hooks.gracePeriod?.(old, options.gracePeriodSeconds) ?? 0;
  const heldBySpec = kind.group === "" && kind.resource === "namespaces" && specFinalizers(old) > 0;
  if (finalizers.length === 0 && grace === 0 && !heldBySpec) {
    if (options.dryRun) return { object: current, uid, gone: true };
    const revision = await objects.delete(key, current.revision);
    if (revision === undefined) return undefined;
    return { object: new CachedObject(key, replaceRevision(current.bytes, revision), revision), uid, gone: true };
  }
  const marked = current.parse();
  const { metadata } = marked;
  if (finalizers.length > 0) metadata.finalizers = finalizers;
  if (!isMarked(old, grace)) {
    metadata.deletionTimestamp = timestamp(clock.now() + grace * 1000);
    metadata.deletionGracePeriodSeconds = grace;
    if (metadata.generation !== undefined) metadata.generation++;
  } else if (finalizers.length === (old.metadata.finalizers?.length ?? 0)) return { object: current, uid, gone: false };
  if (heldBySpec) marked["status"] = { ...(marked["status"] as object), phase: "Terminating" };
  if (options.dryRun) return { object: unsaved(key, marked, current.revision), uid, gone: false };
  const object = await objects.update(kind, marked, current.revision);
  return object === undefined ? undefined : { object, uid, gone: false };
}

/** Already being deleted, and not later than is asked for now. */
function isMarked({ metadata }: KubeObject, grace: number): boolean {
  return metadata.deletionTimestamp !== undefined && (metadata.deletionGracePeriodSeconds ?? 0) <= grace;
}

function finalizersFor(kind: Kind, present: readonly string[], { propagationPolicy }: DeleteOptions): string[] {
  const others = present.filter((name) => name !== "orphan" && name !== "foregroundDeletion");
  switch (propagationPolicy) {
    case "Orphan":
      return [...others, "orphan"];
    case "Foreground":
      return [...others, "foregroundDeletion"];
    case "Background":
      return others;
    case undefined: {
      const isSaid = others.length < present.length;
      return isSaid || !ORPHANS_BY_DEFAULT.has(resourceOf(kind)) ? [...present] : [...others, "orphan"];
    }
  }
}

function specFinalizers({ spec }: KubeObject): number {
  const { finalizers } = (spec ?? {}) as { finalizers?: unknown };
  return Array.isArray(finalizers) ? finalizers.length : 0;
}

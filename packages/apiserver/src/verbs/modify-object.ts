import {
  conflict,
  deepCopy,
  deepEqual,
  errorsOfObject,
  errorsOfUpdate,
  type FieldError,
  invalid,
  invalidObject,
  type JsonObject,
  type KubeObject,
  notFound,
  refuseObject,
  validateObjectRules,
} from "@boxship/api";
import { Conflict, inTurns } from "@boxship/base";
import type { ObjectKind } from "../contract.ts";
import type { ResourceRequest, ServerContext } from "../server-context.ts";
import type { CachedObject } from "../storage/cached-object.ts";
import { objectKey } from "../storage/object-bytes.ts";
import { Admission } from "./admit.ts";
import { unsaved } from "./create-object.ts";
import { defaultObject } from "./finish-object.ts";
import { keepManagers, sameButTimes } from "./managed-fields.ts";
import { prepareUpdate } from "./prepare-update.ts";
import type { WriteOptions } from "./write-options.ts";

/**
 * How often an update without a resourceVersion is tried again when somebody else was quicker. Of those that are tried
 * again one is at a time, so that this is far more than it takes.
 */
const ATTEMPTS = 1000;

export interface Modification {
  /** The new object, from the one that is there; called again when that has changed. Its argument is a copy. */
  change(old: KubeObject): KubeObject | Promise<KubeObject>;
  /** The change looks at nothing of the old object, and gets no copy of it. @default false */
  readonly replaces?: boolean;
  /** Notes who has set what, before admission is asked. */
  track(object: KubeObject, old: KubeObject): void | Promise<void>;
  /** What admission is shown in its place; undefined: it has been asked already. @default the object */
  readonly admitted?: AdmittedAs | undefined;
  /**
   * The change is the server's own and right by itself: nobody is asked about it, nothing else in the object is looked at,
   * and what it is given is no copy. @default false
   */
  readonly isOwn?: boolean;
}

/** A part of an object that is an object by itself. */
export interface AdmittedAs {
  readonly objectKind: ObjectKind;
  of(object: KubeObject): KubeObject;
  /** Puts back what admission has changed. */
  put(part: KubeObject, object: KubeObject): void;
}

/**
 * Replaces an object by what is made of it: one path for updates, patches and subresources. Where nothing changes,
 * nothing is written.
 */
export async function modifyObject(
  context: ServerContext,
  request: ResourceRequest,
  options: WriteOptions,
  modification: Modification,
): Promise<CachedObject> {
  const { kind, info } = request;
  if (modification.isOwn === true) {
    const quick = await changeRecent(context, request, options, modification);
    if (quick !== undefined) return quick;
  }
  const first = await attempt(context, request, options, modification);
  if (first !== undefined) return first;
  return context.objects.retries.run(objectKey(kind, info.namespace, info.name), async () => {
    for (let tries = 1; tries < ATTEMPTS; tries++) {
      const done = await attempt(context, request, options, modification);
      if (done !== undefined) return done;
    }
    throw conflict(kind, info.name);
  });
}

/** @returns undefined when somebody else was quicker, and the client has not named the version that it changes */
async function attempt(
  context: ServerContext,
  request: ResourceRequest,
  options: WriteOptions,
  modification: Modification,
): Promise<CachedObject | undefined> {
  const { kind, info } = request;
  const current = await context.objects.get(kind, info.namespace, info.name);
  if (current === undefined) throw notFound(kind, info.name);
  await request.pause?.(current.bytes.length);
  const old = current.parse();
  if (modification.isOwn === true) return await keepOwn(context, request, options, modification, { current, old });
  await request.pause?.();
  const object = await modification.change(modification.replaces === true ? old : deepCopy(old));
  await request.pause?.();
  const conditional = checkPreconditions(request, object, old);
  const done = await tryModify(context, request, { current, old, object, options, modification });
  if (done === undefined && conditional) throw conflict(kind, info.name);
  return done;
}

/** @returns undefined where what is in memory may be old: whether it is, and what is wrong, the store tells */
async function changeRecent(
  context: ServerContext,
  request: ResourceRequest,
  options: WriteOptions,
  modification: Modification,
): Promise<CachedObject | undefined> {
  const { kind, info } = request;
  const current = await context.objects.recent(kind, info.namespace, info.name);
  if (current === undefined) return undefined;
  try {
    return await keepOwn(context, request, options, modification, { current, old: current.parse() });
  } catch (error) {
    if (error instanceof Conflict) return undefined;
    throw error;
  }
}

async function keepOwn(
  { objects }: ServerContext,
  { kind, info }: ResourceRequest,
  { dryRun }: WriteOptions,
  modification: Modification,
  { current, old }: Pick<Attempt, "current" | "old">,
): Promise<CachedObject | undefined> {
  const object = await modification.change(old);
  if (dryRun) return unsaved(objectKey(kind, info.namespace, info.name), object, current.revision);
  return await objects.update(kind, object, current.revision);
}

/** @returns whether the client named the version that it changes */
function checkPreconditions({ kind, info }: ResourceRequest, { metadata }: KubeObject, old: KubeObject): boolean {
  const { resourceVersion, uid } = metadata;
  if (uid !== undefined && uid !== "" && uid !== old.metadata.uid) {
    throw conflict(
      kind,
      info.name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.metadata.uid}`,
    );
  }
  if (!resourceVersion) return false;
  if (!/^\d+$/.test(resourceVersion)) {
    throw invalidObject({ group: kind.group, resource: kind.kind }, info.name, [
      invalid(
        "metadata.resourceVersion",
        resourceVersion,
        `strconv.ParseUint: parsing ${JSON.stringify(resourceVersion)}: invalid syntax`,
      ),
    ]);
  }
  if (resourceVersion !== old.metadata.resourceVersion) throw conflict(kind, info.name);
  return true;
}

interface Attempt {
  readonly current: CachedObject;
  readonly old: KubeObject;
  readonly object: KubeObject;
  readonly options: WriteOptions;
  readonly modification: Modification;
}

async function tryModify(
  context: ServerContext,
  request: ResourceRequest,
  { current, old, object, options, modification }: Attempt,
): Promise<CachedObject | undefined> {
  const { kind, info } = request;
  const { dryRun } = options;
  defaultObject(kind, object);
  prepareUpdate(request, object, old);
  await request.pause?.();
  // Before anybody else changes it: what admission adds is nobody's.
  await modification.track(object, old);
  const { managedFields } = object.metadata;
  await request.pause?.();
  const admission = admissionOf(context, request, { old, object, dryRun, modification });
  await admission?.mutate();
  keepManagers(request, object, managedFields);
  defaultObject(kind, object);
  await request.pause?.();
  bumpGeneration(request, object, old);
  await checkChange(request, object, old);
  await inTurns(validateObjectRules(kind, object, old));
  if (info.subresource === "") for (const warning of kind.hooks.warnings?.(object, old) ?? []) request.warn(warning);
  await admission?.validate();
  await request.pause?.();
  const key = objectKey(kind, info.namespace, info.name);
  if (mayGoNow(object)) return await removeNow(context, key, object, current, dryRun);
  // What lies in the store in an old version is written anew: so objects are brought to the one that is kept now.
  const isSame = sameButTimes(object, old);
  await request.pause?.();
  if (isSame && !context.objects.versions.isOutdated(kind, current)) return current;
  return dryRun ? unsaved(key, object, current.revision) : await context.objects.update(kind, object, current.revision);
}

/** @throws Invalid */
async function checkChange(request: ResourceRequest, object: KubeObject, old: KubeObject): Promise<void> {
  const { kind, info } = request;
  const errorsFrom = async (before: KubeObject): Promise<readonly FieldError[]> => {
    const errors = await inTurns(errorsOfObject(kind, object, info.subresource, before));
    await request.pause?.();
    return errors.concat(errorsOfUpdate(kind, object, before, info.subresource));
  };
  if ((await errorsFrom(old)).length === 0) return;
  // What was kept before there was a default lacks it, and has not changed for that.
  const before = deepCopy(old);
  defaultObject(kind, before);
  refuseObject(kind, object, await errorsFrom(before));
}

interface Asked {
  readonly old: KubeObject;
  readonly object: KubeObject;
  readonly dryRun: boolean;
  readonly modification: Modification;
}

function admissionOf(
  context: ServerContext,
  request: ResourceRequest,
  { old, object, dryRun, modification }: Asked,
): Pick<Admission, "mutate" | "validate"> | undefined {
  const about = { operation: "UPDATE", name: request.info.name, dryRun } as const;
  if (!("admitted" in modification)) return new Admission(context, request, { ...about, object, oldObject: old });
  const { admitted } = modification;
  if (admitted === undefined) return undefined;
  const part = admitted.of(object);
  const { objectKind } = admitted;
  const admission = new Admission(context, request, {
    ...about,
    object: part,
    oldObject: admitted.of(old),
    objectKind,
  });
  return {
    async mutate() {
      await admission.mutate();
      admitted.put(part, object);
    },
    validate: () => admission.validate(),
  };
}

function bumpGeneration({ kind, info }: ResourceRequest, object: KubeObject, old: KubeObject): void {
  const { generation } = old.metadata;
  if (generation === undefined || info.subresource === "status") return;
  const wanted = (one: KubeObject): JsonObject => {
    const copy: JsonObject = { ...one };
    delete copy["metadata"];
    // Where it is no subresource, it is a field like any other.
    if (!kind.custom || kind.subresources.has("status")) delete copy["status"];
    // Of deployments, upstream counts their annotations.
    if (kind.group === "apps" && kind.kind === "Deployment") copy["metadata"] = { ...one.metadata.annotations };
    return copy;
  };
  object.metadata.generation = deepEqual(wanted(object), wanted(old)) ? generation : generation + 1;
}

/** It was deleted before, and its last finalizer is gone. */
function mayGoNow({ metadata, spec }: KubeObject): boolean {
  if (metadata.deletionTimestamp === undefined || (metadata.finalizers?.length ?? 0) > 0) return false;
  const held = (spec as { finalizers?: readonly string[] } | undefined)?.finalizers;
  return (metadata.deletionGracePeriodSeconds ?? 0) === 0 && !(Array.isArray(held) && held.length > 0);
}

async function removeNow(
  { objects }: ServerContext,
  key: string,
  object: KubeObject,
  { revision }: CachedObject,
  dryRun: boolean,
): Promise<CachedObject | undefined> {
  if (dryRun) return unsaved(key, object, revision);
  const gone = await objects.delete(key, revision);
  return gone === undefined ? undefined : unsaved(key, object, gone);
}

import {
  alreadyExists,
  badRequest,
  type KubeObject,
  statusOf,
  validateObject,
  validateObjectRules,
} from "@boxship/api";
import { BoxshipError, inTurns } from "@boxship/base";
import type { Reply } from "../http/reply.ts";
import type { ResourceRequest, ServerContext } from "../server-context.ts";
import { CachedObject } from "../storage/cached-object.ts";
import { encodeObject, objectKey, withRevision } from "../storage/object-bytes.ts";
import { Admission } from "./admit.ts";
import { decodeObject } from "./decode-object.ts";
import { defaultObject } from "./finish-object.ts";
import { keepManagers, trackCreate } from "./managed-fields.ts";
import { beginStatus, generateName, otherNamespace, prepareCreate } from "./prepare-create.ts";
import { readObjectBody } from "./read-object-body.ts";
import { objectReply } from "./render.ts";
import { type WriteOptions, writeOptions } from "./write-options.ts";

/** Names are drawn so often before a generated one that is taken is an error. */
const DRAWS = 8;

/** `POST` to a collection. */
export async function createObject(context: ServerContext, request: ResourceRequest): Promise<Reply> {
  const options = writeOptions(request, "CreateOptions");
  const { body, duplicates } = await readObjectBody(request);
  await request.pause?.();
  const object = decodeObject(request.kind, body, {
    fieldValidation: options.fieldValidation,
    duplicates,
    warn: request.warn,
  });
  const created = await commitCreate(context, request, object, options);
  return objectReply(request, created, 201);
}

/** Creates a decoded object: prepares it, asks admission, validates, and keeps it. */
export async function commitCreate(
  context: ServerContext,
  request: ResourceRequest,
  object: KubeObject,
  options: WriteOptions,
  track: (object: KubeObject) => void | Promise<void> = (made) => trackCreate(context, request, made, options),
): Promise<CachedObject> {
  const { metadata } = object;
  const generated = !metadata.name && metadata.generateName ? metadata.generateName : undefined;
  if (!metadata.name && generated === undefined && request.info.name === "") {
    // Validation says it in upstream's words.
    metadata.name = "";
  }
  defaultObject(request.kind, object);
  await request.pause?.();
  // Before anybody else changes it: what the server and admission add is nobody's.
  await track(object);
  for (let draw = 1; ; draw++) {
    if (generated !== undefined) metadata.name = generateName(context, request.kind.resource, generated);
    prepareCreate(context, request, object);
    try {
      return await keep(context, request, object, options);
    } catch (error) {
      if (generated === undefined || draw === DRAWS || !isTaken(error)) throw error;
    }
    delete metadata.resourceVersion;
  }
}

function isTaken(error: unknown): boolean {
  return error instanceof BoxshipError && statusOf(error)?.reason === "AlreadyExists";
}

async function keep(
  context: ServerContext,
  request: ResourceRequest,
  object: KubeObject,
  options: WriteOptions,
): Promise<CachedObject> {
  const { kind } = request;
  await request.pause?.();
  defaultObject(kind, object);
  const { name = "", namespace, managedFields, uid, creationTimestamp } = object.metadata;
  const { dryRun } = options;
  const admission = new Admission(context, request, { operation: "CREATE", name, object, oldObject: null, dryRun });
  await admission.mutate();
  keepManagers(request, object, managedFields);
  // These are the server's alone.
  Object.assign(object.metadata, { uid, creationTimestamp });
  if (object.metadata.namespace !== namespace) throw badRequest(otherNamespace(object.metadata.namespace, namespace));
  defaultObject(kind, object);
  await request.pause?.();
  await inTurns(validateObject(kind, object));
  await request.pause?.();
  await inTurns(validateObjectRules(kind, object, undefined));
  for (const warning of kind.hooks.warnings?.(object) ?? []) request.warn(warning);
  await admission.validate();
  await request.pause?.();
  beginStatus(kind, object);
  if (!dryRun) return await context.objects.create(kind, object, await context.leases?.leaseFor(kind));
  const key = objectKey(kind, object.metadata.namespace, name);
  if ((await context.objects.get(kind, request.info.namespace, name)) !== undefined) throw alreadyExists(kind, name);
  return unsaved(key, object);
}

/** An object that a dry run would have kept. */
export function unsaved(key: string, object: KubeObject, revision?: number): CachedObject {
  const value = encodeObject(object);
  const bytes = revision === undefined ? Buffer.from(value) : withRevision(value, revision);
  return new CachedObject(key, bytes, revision ?? 0);
}

/** @throws BadRequest */
export function checkName(object: KubeObject, name: string): void {
  const own = object.metadata.name;
  if (own !== undefined && own !== "" && own !== name) {
    throw badRequest(`the name of the object (${own}) does not match the name on the URL (${name})`);
  }
  object.metadata.name = name;
}

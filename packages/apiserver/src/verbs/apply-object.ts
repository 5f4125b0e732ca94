import {
  apiVersionOf,
  applyConfiguration,
  badRequest,
  deepCopy,
  failureOf,
  invalidObject,
  isObject,
  type JsonObject,
  type Kind,
  type KubeObject,
  required,
  statusOf,
  textAt,
  timestamp,
  typedProblems,
  valueAt,
} from "@boxship/api";
import { asBoxshipError } from "@boxship/base";
import { parseBody } from "../http/parse-body.ts";
import type { Reply } from "../http/reply.ts";
import type { ResourceRequest, ServerContext } from "../server-context.ts";
import { checkName, commitCreate } from "./create-object.ts";
import { decodeObject } from "./decode-object.ts";
import { inVersionOf, managerOf } from "./managed-fields.ts";
import { modifyObject } from "./modify-object.ts";
import { objectReply } from "./render.ts";
import { type WriteOptions, writeOptions } from "./write-options.ts";

/** `PATCH` by server-side apply: makes the object, or makes it have what the applier says. */
export async function applyObject(context: ServerContext, request: ResourceRequest): Promise<Reply> {
  const options = applyOptions(request);
  const configuration = await readConfiguration(request, options);
  for (;;) {
    try {
      const applied = await update(context, request, configuration, options);
      return objectReply(request, applied, 200);
    } catch (error) {
      if (!isReason(error, "NotFound") || request.info.subresource !== "") throw error;
    }
    try {
      return objectReply(request, await create(context, request, configuration, options), 201);
    } catch (error) {
      if (!isReason(error, "AlreadyExists")) throw error;
    }
  }
}

/** @throws Invalid */
export function applyOptions(request: ResourceRequest): WriteOptions {
  const options = writeOptions(request, "PatchOptions", true);
  if (request.query.get("fieldManager")) return options;
  throw invalidObject({ group: "meta.k8s.io", resource: "PatchOptions" }, "", [
    required("fieldManager", "is required for apply patch"),
  ]);
}

const isReason = (error: unknown, reason: string): boolean => statusOf(asBoxshipError(error))?.reason === reason;

/** What is to be applied: as it was sent, and as an object of its kind. */
interface Configuration {
  readonly sent: JsonObject;
  readonly object: KubeObject;
}

async function readConfiguration(request: ResourceRequest, { fieldValidation }: WriteOptions): Promise<Configuration> {
  const { kind, info } = request;
  const sent = await readApplied(request, kind);
  const object = decodeObject(kind, sent, { fieldValidation, warn: request.warn });
  checkName(object, info.name);
  if (kind.namespaced) object.metadata.namespace ??= info.namespace;
  return { sent, object };
}

/**
 * The body of a request that applies.
 *
 * @param kind what is to be in it
 * @throws BadRequest, and what upstream answers where nobody could own what the body says
 */
export async function readApplied(
  request: ResourceRequest,
  kind: Pick<Kind, "group" | "kind" | "schema" | "version">,
): Promise<JsonObject> {
  const body = await parseBody(await request.body(), request.contentType);
  request.received?.(body);
  await request.pause?.();
  if (!isObject(body)) throw badRequest("error decoding patch: the patch is no object");
  const type = typeOf(textAt(body, "apiVersion"), textAt(body, "kind"));
  if (type !== typeOf(apiVersionOf(kind), kind.kind)) throw badRequest(`invalid object type: ${type}`);
  const managedFields = valueAt(body, "metadata", "managedFields");
  if (Array.isArray(managedFields)) throw badRequest("metadata.managedFields must be nil");
  const problems = typedProblems(kind.schema, body);
  await request.pause?.();
  if (problems.length === 0) return body;
  const why = problems.length === 1 ? problems[0] : ["errors:", ...problems.map((one) => `  ${one}`)].join("\n");
  const what = `${textAt(body, "metadata", "namespace")}/${textAt(body, "metadata", "name")}; ${type}`;
  const message = `failed to create typed patch object (${what}): ${why}`;
  throw failureOf({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, code: 500 });
}

/** A type as Go prints it. */
function typeOf(apiVersion: string, kind: string): string {
  return `${apiVersion.includes("/") ? apiVersion : `/${apiVersion}`}, Kind=${kind}`;
}

function update(context: ServerContext, request: ResourceRequest, configuration: Configuration, options: WriteOptions) {
  let managed: KubeObject["metadata"]["managedFields"];
  return modifyObject(context, request, options, {
    async change(live) {
      const { resourceVersion, uid } = configuration.object.metadata;
      const object = await apply(context, request, live, configuration, options);
      managed = object.metadata.managedFields;
      delete object.metadata.resourceVersion;
      if (resourceVersion !== undefined) object.metadata.resourceVersion = resourceVersion;
      if (uid !== undefined) object.metadata.uid = uid;
      return object;
    },
    track(object) {
      if (managed !== undefined) object.metadata.managedFields = managed;
    },
  });
}

async function create(
  context: ServerContext,
  request: ResourceRequest,
  configuration: Configuration,
  options: WriteOptions,
) {
  if (configuration.object.metadata.uid !== undefined) {
    throw badRequest("uid mismatch: the provided object specified a uid, and no existing object was found");
  }
  const object = await apply(context, request, undefined, configuration, options);
  const { managedFields } = object.metadata;
  const collection = { ...request, info: { ...request.info, name: "" } };
  return await commitCreate(context, collection, object, options, (made) => {
    if (managedFields !== undefined) made.metadata.managedFields = managedFields;
  });
}

function apply(
  context: ServerContext,
  request: ResourceRequest,
  live: KubeObject | undefined,
  configuration: Configuration,
  options: WriteOptions,
): Promise<KubeObject> {
  const inVersion = inVersionOf(context, request);
  return applyConfiguration({
    ...(inVersion === undefined ? {} : { inVersion }),
    kind: request.kind,
    live,
    configuration: deepCopy(configuration.object),
    sent: configuration.sent,
    who: managerOf(request, options, "Apply"),
    time: timestamp(context.clock.now()),
    force: options.force,
    pause: request.pause,
  });
}

import {
  applyConfiguration,
  badRequest,
  deepCopy,
  invalidObject,
  type KubeObject,
  required,
  statusOf,
  timestamp,
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
  const options = writeOptions(request, "PatchOptions", true);
  if (!request.query.get("fieldManager")) {
    throw invalidObject({ group: "meta.k8s.io", resource: "PatchOptions" }, "", [
      required("fieldManager", "is required for apply patch"),
    ]);
  }
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

const isReason = (error: unknown, reason: string): boolean => statusOf(asBoxshipError(error))?.reason === reason;

async function readConfiguration(request: ResourceRequest, { fieldValidation }: WriteOptions): Promise<KubeObject> {
  const body = await parseBody(await request.body(), request.contentType);
  await request.pause?.();
  const configuration = decodeObject(request.kind, body, { fieldValidation, warn: request.warn });
  if (configuration.metadata.managedFields !== undefined) throw badRequest("metadata.managedFields must be nil");
  checkName(configuration, request.info.name);
  if (request.kind.namespaced) configuration.metadata.namespace ??= request.info.namespace;
  return configuration;
}

function update(context: ServerContext, request: ResourceRequest, configuration: KubeObject, options: WriteOptions) {
  let managed: KubeObject["metadata"]["managedFields"];
  return modifyObject(context, request, options, {
    async change(live) {
      const { resourceVersion, uid } = configuration.metadata;
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
  configuration: KubeObject,
  options: WriteOptions,
) {
  if (configuration.metadata.uid !== undefined) {
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
  configuration: KubeObject,
  options: WriteOptions,
): Promise<KubeObject> {
  const inVersion = inVersionOf(context, request);
  return applyConfiguration({
    ...(inVersion === undefined ? {} : { inVersion }),
    kind: request.kind,
    live,
    configuration: deepCopy(configuration),
    who: managerOf(request, options, "Apply"),
    time: timestamp(context.clock.now()),
    force: options.force,
    pause: request.pause,
  });
}

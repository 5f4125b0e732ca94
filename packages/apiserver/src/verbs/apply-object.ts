import {
  applyConfiguration,
  badRequest,
  deepCopy,
  failureOf,
  invalidObject,
  isObject,
  type Json,
  type Kind,
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
  const refusal = (unknown: readonly string[]): Error => undeclared(request, body, unknown);
  const configuration = decodeObject(request.kind, body, { fieldValidation, warn: request.warn, refusal });
  if (configuration.metadata.managedFields !== undefined) throw badRequest("metadata.managedFields must be nil");
  checkName(configuration, request.info.name);
  if (request.kind.namespaced) configuration.metadata.namespace ??= request.info.namespace;
  return configuration;
}

const MOST_TOLD = 100;

/** Nobody can own what the schema does not know. As upstream says it, and with its code. */
function undeclared({ kind, info }: ResourceRequest, body: Json, unknown: readonly string[]): Error {
  const told = unknown
    .slice(0, MOST_TOLD)
    .map((path) => `${typedPath(kind.schema, body, path)}: field not declared in schema`);
  const what = `${info.namespace}/${info.name}; ${kind.group}/${kind.version}, Kind=${kind.kind}`;
  const why = told.length === 1 ? told[0] : ["errors:", ...told.map((one) => `  ${one}`)].join("\n");
  const message = `failed to create typed patch object (${what}): ${why}`;
  return failureOf({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, code: 500 });
}

/** `spec.ports[0].x` as `.spec.ports[port=80,protocol="TCP"].x`. */
function typedPath(root: Kind["schema"], body: Json, path: string): string {
  let schema: Kind["schema"] | undefined = root;
  let value: Json | undefined = body;
  return path.replace(/\[(\d+)\]|\.?([^.[]+)/g, (whole, index?: string, field = "") => {
    if (index === undefined) {
      schema = schema?.properties?.get(field) ?? schema?.additional;
      value = isObject(value) ? value[field] : undefined;
      return `.${field}`;
    }
    const { listType, listKeys = [], items }: Kind["schema"] = schema ?? {};
    schema = items;
    value = Array.isArray(value) ? value[Number(index)] : undefined;
    if (listType !== "map" || !isObject(value)) return whole;
    const item = value;
    const keys = listKeys.map(
      (key) => `${key}=${JSON.stringify(item[key] ?? items?.properties?.get(key)?.default ?? null)}`,
    );
    return `[${keys.sort().join(",")}]`;
  });
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

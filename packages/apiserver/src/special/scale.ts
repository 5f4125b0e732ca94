import {
  apiVersionOf,
  applyConfiguration,
  applyJsonPatch,
  applyMergePatch,
  definition,
  failure,
  invalid,
  invalidObject,
  isObject,
  type Json,
  type JsonObject,
  type Kind,
  type KubeObject,
  notFound,
  setField,
  textAt,
  timestamp,
  trackChanges,
  valueAt,
} from "@boxship/api";
import type { ObjectKind } from "../contract.ts";
import { jsonReply, type Reply } from "../http/reply.ts";
import type { ResourceRequest, ServerContext } from "../server-context.ts";
import { applyOptions, readApplied } from "../verbs/apply-object.ts";
import { checkName } from "../verbs/create-object.ts";
import { decodeOrder } from "../verbs/decode-order.ts";
import { managerOf } from "../verbs/managed-fields.ts";
import { modifyObject } from "../verbs/modify-object.ts";
import { readBodyOf } from "../verbs/read-object-body.ts";
import { type WriteOptions, writeOptions } from "../verbs/write-options.ts";
import { objectManagers, scaleManagers } from "./scale-managers.ts";
import { selectorText } from "./selector-text.ts";

const SCALE: ObjectKind = { group: "autoscaling", version: "v1", kind: "Scale", definition: "autoscaling.v1.Scale" };

const SCALE_KIND = { ...SCALE, schema: definition(SCALE.definition), custom: false };

const APPLY_PATCH = "application/apply-patch+yaml";

const SCALED = { group: "autoscaling", resource: "Scale" };

/** An object as `autoscaling/v1.Scale` shows it. */
export function scaleOf({ scale }: Kind, object: KubeObject): JsonObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const number = (path: readonly string[] | undefined): number => Number(valueAt(object, ...(path ?? [])) ?? 0);
  const selector = scale?.selector === undefined ? "" : selectorText(valueAt(object, ...scale.selector));
  const metadata = { name, ...(namespace === undefined ? {} : { namespace }), uid, resourceVersion, creationTimestamp };
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata,
    spec: number(scale?.specReplicas) === 0 ? {} : { replicas: number(scale?.specReplicas) },
    status: { replicas: number(scale?.statusReplicas), ...(selector === "" ? {} : { selector }) },
  };
}

export async function getScale({ objects }: ServerContext, { kind, info }: ResourceRequest): Promise<Reply> {
  const object = await objects.get(kind, info.namespace, info.name);
  if (object === undefined) throw notFound(kind, info.name);
  return jsonReply(scaleOf(kind, object.parse()));
}

export const updateScale = (context: ServerContext, request: ResourceRequest): Promise<Reply> =>
  replace(context, request, "UpdateOptions", (_, body) => body);

export const patchScale = (context: ServerContext, request: ResourceRequest): Promise<Reply> =>
  request.contentType === APPLY_PATCH
    ? applyScale(context, request)
    : replace(context, request, "PatchOptions", (scale, patch) => {
        switch (request.contentType) {
          case "application/json-patch+json":
            return applyJsonPatch(scale, patch);
          case "application/merge-patch+json":
          case "application/strategic-merge-patch+json":
            return applyMergePatch(scale, patch);
          default:
            throw failure("UnsupportedMediaType", `a scale cannot be patched by ${request.contentType}`);
        }
      });

async function replace(
  context: ServerContext,
  request: ResourceRequest,
  optionsKind: string,
  next: (scale: JsonObject, body: Json) => Json,
): Promise<Reply> {
  const options = writeOptions(request, optionsKind);
  const body = await readBodyOf(request, "autoscaling.v1.Scale");
  return await change(context, request, options, (scale) => {
    const { fieldValidation } = options;
    const changed = decodeOrder(request, SCALE, next(scale, body), fieldValidation);
    checkName(changed, request.info.name);
    return changed;
  });
}

/** Server-side apply, to the scale alone: who applies it manages the number of replicas and nothing else. */
async function applyScale(context: ServerContext, request: ResourceRequest): Promise<Reply> {
  const options = applyOptions(request);
  const sent = await readApplied(request, SCALE_KIND);
  return await change(context, request, options, (scale) =>
    applyConfiguration({
      kind: SCALE_KIND,
      live: scale as KubeObject,
      configuration: { ...sent, metadata: { ...(sent["metadata"] as JsonObject | undefined) } } as KubeObject,
      who: { ...managerOf(request, options, "Apply"), apiVersion: apiVersionOf(SCALE_KIND) },
      time: timestamp(context.clock.now()),
      force: options.force,
    }),
  );
}

async function change(
  context: ServerContext,
  request: ResourceRequest,
  options: WriteOptions,
  next: (scale: JsonObject) => JsonObject | Promise<JsonObject>,
): Promise<Reply> {
  const { kind } = request;
  let managed: KubeObject["metadata"]["managedFields"];
  const changed = await modifyObject(context, request, options, {
    async change(old) {
      const { resourceVersion, managedFields } = old.metadata;
      const before = scaleOf(kind, old) as KubeObject;
      const owners = scaleManagers(kind, managedFields);
      const scale = (await next({ ...before, metadata: { ...before.metadata, managedFields: owners } })) as KubeObject;
      const wanted = textAt(scale, "metadata", "resourceVersion");
      delete old.metadata.resourceVersion;
      if (wanted !== "" && wanted !== resourceVersion) old.metadata.resourceVersion = wanted;
      if (scale.metadata.uid !== undefined) old.metadata.uid = scale.metadata.uid;
      setAt(old, kind.scale?.specReplicas ?? [], replicasOf(kind, old, scale));
      if (request.contentType === APPLY_PATCH) managed = scale.metadata.managedFields;
      else {
        const now = scaleOf(kind, old) as KubeObject;
        const who = { ...managerOf(request, options, "Update"), apiVersion: apiVersionOf(SCALE_KIND) };
        const was: KubeObject = { ...before, metadata: { ...before.metadata, managedFields: owners } };
        await trackChanges(SCALE_KIND, now, was, who, timestamp(context.clock.now()));
        managed = now.metadata.managedFields;
      }
      managed = objectManagers(kind, managedFields, managed);
      return old;
    },
    track(now) {
      if (managed === undefined) delete now.metadata.managedFields;
      else now.metadata.managedFields = managed;
    },
    admitted: {
      objectKind: SCALE,
      of: (object) => scaleOf(kind, object) as KubeObject,
      put: (scale, object) => setAt(object, kind.scale?.specReplicas ?? [], replicasOf(kind, object, scale)),
    },
  });
  return jsonReply(scaleOf(kind, changed.parse()));
}

function replicasOf(kind: Kind, { metadata }: KubeObject, scale: JsonObject): number {
  const replicas = valueAt(scale, "spec", "replicas") ?? 0;
  if (Number(replicas) < 0) {
    const { group, scale: paths } = kind;
    const [about, wrong] = kind.custom
      ? [
          { group, resource: kind.kind },
          [`.${paths?.specReplicas.join(".")}`, "should be a non-negative integer"] as const,
        ]
      : [SCALED, ["spec.replicas", "must be greater than or equal to 0"] as const];
    throw invalidObject(about, metadata.name ?? "", [invalid(wrong[0], replicas, wrong[1])]);
  }
  return Number(replicas);
}

function setAt(object: JsonObject, path: readonly string[], value: Json): void {
  let here = object;
  for (const field of path.slice(0, -1)) {
    if (!isObject(here[field])) setField(here, field, {});
    here = here[field] as JsonObject;
  }
  setField(here, path.at(-1) ?? "", value);
}

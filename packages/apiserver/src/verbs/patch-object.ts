import {
  applyJsonPatchInTurns,
  applyMergePatch,
  applyStrategicMergePatch,
  failure,
  goText,
  invalid,
  invalidObject,
  isObject,
  type Json,
  type Kind,
  type Mismatch,
} from "@boxship/api";
import { nextTurn } from "@boxship/base";
import { parseBody } from "../http/parse-body.ts";
import type { Reply } from "../http/reply.ts";
import type { ResourceRequest, ServerContext } from "../server-context.ts";
import { applyObject } from "./apply-object.ts";
import { checkName } from "./create-object.ts";
import { decodeObject } from "./decode-object.ts";
import { duplicateFields } from "./duplicate-fields.ts";
import { trackUpdate } from "./managed-fields.ts";
import { modifyObject } from "./modify-object.ts";
import { objectReply } from "./render.ts";
import { writeOptions } from "./write-options.ts";

const JSON_PATCH = "application/json-patch+json";
const MERGE_PATCH = "application/merge-patch+json";
const STRATEGIC_PATCH = "application/strategic-merge-patch+json";
const APPLY_PATCH = "application/apply-patch+yaml";

/** `PATCH` of an object, in each of the four ways. */
export async function patchObject(context: ServerContext, request: ResourceRequest): Promise<Reply> {
  const { kind, contentType } = request;
  if (contentType === APPLY_PATCH) return await applyObject(context, request);
  const accepted = [JSON_PATCH, MERGE_PATCH, ...(kind.custom ? [] : [STRATEGIC_PATCH]), APPLY_PATCH];
  if (!accepted.includes(contentType)) {
    throw failure(
      "UnsupportedMediaType",
      `the body of the request was in an unknown format - accepted media types include: ${accepted.join(", ")}`,
    );
  }
  const options = writeOptions(request, "PatchOptions");
  const bytes = await request.body();
  const patch = await parseBody(bytes, contentType);
  request.received?.(patch);
  await request.pause?.();
  const duplicates = contentType === JSON_PATCH || options.fieldValidation === "Ignore" ? [] : duplicateFields(bytes);
  const patched = await modifyObject(context, request, options, {
    async change(old) {
      const { resourceVersion } = old.metadata;
      const result = await applyPatch(kind, contentType, old, patch);
      await request.pause?.();
      const object = decodeObject(kind, result, {
        fieldValidation: options.fieldValidation,
        duplicates,
        warn: request.warn,
        refuse: (problem, mismatch) => refusal(contentType, patch, result, problem, mismatch),
      });
      checkName(object, request.info.name);
      // What the patch did not name is no condition.
      if (object.metadata.resourceVersion === resourceVersion) delete object.metadata.resourceVersion;
      return object;
    },
    track: (now, old) => trackUpdate(context, request, now, old, options),
  });
  return objectReply(request, patched, 200);
}

/** What an object would be after the patch is not of its kind. */
function refusal(contentType: string, patch: Json, result: Json, problem: string, mismatch?: Mismatch): Error {
  const isStrategic = contentType === STRATEGIC_PATCH;
  const value = isStrategic ? goText(patch) : JSON.stringify(result);
  const why = isStrategic && mismatch !== undefined && mismatch.problem === undefined ? conversion(mismatch) : problem;
  return invalidObject({ group: "", resource: "" }, "", [invalid("patch", value, why)]);
}

/** What Go says of a value that it cannot convert. */
function conversion({ wanted, found }: Mismatch): string {
  const kind = goKind(found);
  if (wanted.startsWith("map[")) return `cannot restore map from ${kind}`;
  if (wanted.startsWith("[]")) return `cannot restore slice from ${kind}`;
  if (wanted.startsWith("v1.")) return `cannot restore struct from: ${kind}`;
  const isNumber = kind === "int64" || kind === "float64";
  if (isNumber && wanted !== "bool") return `cannot convert ${kind} to ${wanted}`;
  return `unrecognized type: ${wanted}`;
}

function goKind(value: Json): string {
  if (Array.isArray(value)) return "slice";
  if (typeof value === "number") return Number.isInteger(value) ? "int64" : "float64";
  return isObject(value) ? "map" : typeof value === "boolean" ? "bool" : typeof value;
}

function applyPatch(kind: Kind, contentType: string, document: Json, patch: Json): Json | Promise<Json> {
  switch (contentType) {
    case JSON_PATCH:
      return applyJsonPatchInTurns(document, patch, nextTurn);
    case MERGE_PATCH:
      return applyMergePatch(document, patch);
    default:
      return applyStrategicMergePatch(kind.schema, document, patch);
  }
}

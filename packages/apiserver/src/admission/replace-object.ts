import {
  applyJsonPatch,
  decode,
  deepCopy,
  deepEqual,
  definition,
  failure,
  type Json,
  type Kind,
  type KubeObject,
} from "@boxship/api";
import { errorMessage, InvalidArgument } from "@boxship/base";
import type { AdmissionRequest } from "../contract.ts";
import type { ServerContext } from "../server-context.ts";
import { decodeObject } from "../verbs/decode-object.ts";
import { defaultObject } from "../verbs/finish-object.ts";
import { inVersion } from "./matching/match-rules.ts";

/** Applies a patch to the object of a request, in place. @throws InternalError naming whose patch it is */
export async function replaceObject(
  context: ServerContext,
  request: AdmissionRequest,
  kind: Kind,
  patch: Json,
  whose: string,
): Promise<void> {
  const { object } = request;
  if (object === null) return;
  const seen = await inVersion(context, request, object, kind);
  let patched: KubeObject;
  try {
    const result = applyJsonPatch(seen, patch) as KubeObject;
    patched = decoded(request, kind, result);
  } catch (error) {
    throw failure("InternalError", `Internal error occurred: ${whose}: ${errorMessage(error)}`);
  }
  await putInPlace(context, request, patched);
}

function decoded({ objectKind }: AdmissionRequest, kind: Kind, result: KubeObject): KubeObject {
  if (objectKind === undefined) return decodeObject(kind, result, { fieldValidation: "Ignore", warn: () => {} });
  const { value, mismatches } = decode(definition(objectKind.definition), result, { dropEmpty: true });
  if (mismatches.length > 0) throw new InvalidArgument(`${mismatches[0]?.path} is of a wrong type`);
  return value as KubeObject;
}

/** Makes the request's object another one, of whichever version. */
export async function putInPlace(
  context: ServerContext,
  { object, kind, objectKind }: AdmissionRequest,
  given: KubeObject,
): Promise<void> {
  if (object === null) return;
  const isOwn = objectKind === undefined;
  const changed = isOwn ? await context.objects.versions.convert(kind, given, object.apiVersion) : given;
  if (deepEqual(object, changed)) return;
  for (const field of Object.keys(object)) delete object[field];
  Object.assign(object, deepCopy(changed));
  if (isOwn) defaultObject(kind, object);
}

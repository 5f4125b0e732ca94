import { applyJsonPatch, deepCopy, deepEqual, failure, type Json, type Kind, type KubeObject } from "@boxship/api";
import { errorMessage } from "@boxship/base";
import type { AdmissionRequest } from "../contract.ts";
import { decodeObject } from "../verbs/decode-object.ts";
import { defaultObject } from "../verbs/finish-object.ts";
import { inVersion } from "./matching/match-rules.ts";

/** Applies a patch to the object of a request, in place. @throws InternalError naming whose patch it is */
export function replaceObject(request: AdmissionRequest, kind: Kind, patch: Json, whose: string): void {
  const { object } = request;
  if (object === null) return;
  let patched: KubeObject;
  try {
    const seen = inVersion(object, kind) as KubeObject;
    const result = { ...(applyJsonPatch(seen, patch) as KubeObject), apiVersion: object.apiVersion };
    patched = decodeObject(request.kind, result, { fieldValidation: "Ignore", warn: () => {} });
  } catch (error) {
    throw failure("InternalError", `Internal error occurred: ${whose}: ${errorMessage(error)}`);
  }
  putInPlace(request, patched);
}

/** Makes the request's object another one. */
export function putInPlace({ object, kind }: AdmissionRequest, changed: KubeObject): void {
  if (object === null || deepEqual(object, changed)) return;
  for (const field of Object.keys(object)) delete object[field];
  Object.assign(object, deepCopy(changed));
  defaultObject(kind, object);
}

import { deepCopy, type JsonObject, type KubeObject } from "@boxship/api";
import type { ObjectRef } from "@boxship/client";
import type { ControllerClient } from "../contract.ts";

/** Replaces an object's status. @throws Conflict where the object has changed since it was seen */
export async function writeStatus<T extends KubeObject>(
  client: ControllerClient,
  ref: ObjectRef,
  object: T,
  status: JsonObject,
): Promise<T> {
  const copy = deepCopy({ ...object, status });
  return await client.update<T>(ref, copy, { subresource: "status" });
}

import { type Call, empty } from "../http/call.ts";
import { refuseWithoutDeletion } from "./deletion.ts";

/** `DELETE /v2/{name}/manifests/{reference}`: a tag alone, or a manifest with its tags. */
export async function manifestDelete(call: Call): Promise<void> {
  await call.allow("delete");
  refuseWithoutDeletion(call);
  await call.repositories.deleteManifest(call.repository, call.reference);
  empty(call, 202);
}

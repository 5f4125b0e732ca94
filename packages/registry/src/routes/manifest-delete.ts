import { type Call, empty } from "../http/call.ts";
import { refuseWithoutDeletion } from "./deletion.ts";

/** `DELETE /v2/{name}/manifests/{reference}`: a tag alone, or a manifest with its tags. */
export async function manifestDelete(call: Call): Promise<void> {
  await call.allow("delete");
  refuseWithoutDeletion(call);
  const { repository, reference, repositories, listener } = call;
  for (const tag of await repositories.deleteManifest(repository, reference)) {
    await listener?.untagged({ repository, tag });
  }
  empty(call, 202);
}

import { isDigest } from "@boxship/oci";
import { type Call, empty } from "../http/call.ts";
import { refuseWithoutDeletion } from "./deletion.ts";

/** `DELETE /v2/{name}/manifests/{reference}`: a tag alone, or a manifest with its tags. */
export async function manifestDelete(call: Call): Promise<void> {
  await call.allow("delete");
  refuseWithoutDeletion(call);
  const { repository, reference, repositories, listener } = call;
  const tags = await repositories.deleteManifest(repository, reference);
  for (const tag of tags) await call.tell({ action: "delete", tag });
  if (isDigest(reference)) await call.tell({ action: "delete", digest: reference });
  for (const tag of tags) await listener?.untagged({ repository, tag });
  empty(call, 202);
}

import { type Call, digestArgument, empty } from "../http/call.ts";
import { refuseWithoutDeletion } from "./deletion.ts";

/** `DELETE /v2/{name}/blobs/{digest}` */
export async function blobDelete(call: Call): Promise<void> {
  await call.allow("delete");
  refuseWithoutDeletion(call);
  const digest = digestArgument(call.reference);
  await call.repositories.unlinkBlob(call.repository, digest);
  await call.tell({ action: "delete", digest });
  empty(call, 202);
}

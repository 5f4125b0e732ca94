import { type Call, digestArgument, empty } from "../http/call.ts";
import { refuseWithoutDeletion } from "./deletion.ts";

/** `DELETE /v2/{name}/blobs/{digest}` */
export async function blobDelete(call: Call): Promise<void> {
  await call.allow("delete");
  refuseWithoutDeletion(call);
  await call.repositories.unlinkBlob(call.repository, digestArgument(call.reference));
  empty(call, 202);
}

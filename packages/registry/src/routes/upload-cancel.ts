import { type Call, empty } from "../http/call.ts";

/** `DELETE /v2/{name}/blobs/uploads/{id}` */
export async function uploadCancel(call: Call): Promise<void> {
  await call.allow("push");
  await call.uploads.cancel(call.repository, call.reference);
  empty(call, 204);
}

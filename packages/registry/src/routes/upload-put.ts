import { type Call, digestArgument } from "../http/call.ts";
import { finished } from "./upload-headers.ts";

/** `PUT /v2/{name}/blobs/uploads/{id}?digest=`: the last piece, which may be all or nothing. */
export async function uploadPut(call: Call): Promise<void> {
  await call.allow("push");
  const digest = digestArgument(call.query.get("digest"));
  await call.uploads.finish(call.repository, call.reference, call.request, digest);
  finished(call, digest);
}

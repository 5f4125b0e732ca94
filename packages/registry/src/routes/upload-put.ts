import { bodyOf, type Call, digestArgument } from "../http/call.ts";
import { finished, rangeStart } from "./upload-headers.ts";

/** `PUT /v2/{name}/blobs/uploads/{id}?digest=`: the last piece, which may be all or nothing. */
export async function uploadPut(call: Call): Promise<void> {
  await call.allow("push");
  const digest = digestArgument(call.query.get("digest"));
  const { repository, reference, request, uploads } = call;
  await uploads.finish(repository, reference, bodyOf(request), digest, rangeStart(request));
  await finished(call, digest);
}

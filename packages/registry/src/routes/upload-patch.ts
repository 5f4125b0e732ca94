import { bodyOf, type Call, empty } from "../http/call.ts";
import { rangeStart, uploadAt } from "./upload-headers.ts";

/** `PATCH /v2/{name}/blobs/uploads/{id}`: a piece, with or without `Content-Range`. */
export async function uploadPatch(call: Call): Promise<void> {
  await call.allow("push");
  const { repository, reference, uploads, request } = call;
  const offset = await uploads.append(repository, reference, bodyOf(request), rangeStart(request));
  empty(call, 202, uploadAt(repository, reference, offset));
}

import { type Call, empty } from "../http/call.ts";
import { uploadAt } from "./upload-headers.ts";

/** `GET /v2/{name}/blobs/uploads/{id}` */
export async function uploadStatus(call: Call): Promise<void> {
  await call.allow("push");
  const { repository, reference, uploads } = call;
  empty(call, 204, uploadAt(repository, reference, await uploads.offset(repository, reference)));
}

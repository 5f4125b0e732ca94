import { isDigest, MANIFEST_SIZE_LIMIT } from "@boxship/oci";
import { type Call, empty, readBody } from "../http/call.ts";

/** `PUT /v2/{name}/manifests/{reference}` */
export async function manifestPut(call: Call): Promise<void> {
  await call.allow("push");
  const { repository, reference, request } = call;
  const mediaType = request.headers["content-type"]?.split(";")[0]?.trim();
  const body = await readBody(request, MANIFEST_SIZE_LIMIT);
  const stored = await call.repositories.putManifest(repository, reference, body, mediaType);
  const { digest, subject, size } = stored;
  if (!isDigest(reference)) {
    const manifest = { digest, size, mediaType: stored.mediaType };
    await call.listener?.tagged({ repository, tag: reference, host: request.headers.host ?? "", manifest });
  }
  empty(call, 201, {
    location: `/v2/${repository}/manifests/${digest}`,
    "docker-content-digest": digest,
    ...(subject !== undefined && { "oci-subject": subject }),
  });
}

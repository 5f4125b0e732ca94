import { isDigest, MediaType } from "@boxship/oci";
import type { Call } from "../http/call.ts";
import { isKnown } from "../http/conditions.ts";

/** `GET|HEAD /v2/{name}/manifests/{reference}` */
export async function manifestGet(call: Call): Promise<void> {
  await call.allow("pull");
  const { manifest, warning } = await call.upstreams.manifest(call.repository, call.reference);
  const { digest, mediaType, size } = manifest;
  if (warning !== undefined) call.response.setHeader("warning", `299 - ${JSON.stringify(warning)}`);
  const headers = {
    "content-type": mediaType === "" ? MediaType.OciManifest : mediaType,
    "content-length": String(size),
    "docker-content-digest": digest,
    etag: `"${digest}"`,
  };
  if (isKnown(call.request.headers["if-none-match"], headers.etag)) {
    call.response.writeHead(304, { etag: headers.etag, "docker-content-digest": digest }).end();
    return;
  }
  const body = call.request.method === "HEAD" ? undefined : await call.repositories.content.read(digest);
  call.response.writeHead(200, headers).end(body);
  if (body === undefined) return;
  const tag = isDigest(call.reference) ? {} : { tag: call.reference };
  await call.tell({ action: "pull", digest, mediaType: headers["content-type"], size, ...tag });
}

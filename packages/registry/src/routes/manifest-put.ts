import { InvalidArgument } from "@boxship/base";
import { isDigest, MANIFEST_SIZE_LIMIT } from "@boxship/oci";
import { type Call, empty, readBody, warningOf } from "../http/call.ts";

/** More would not fit in what clients and proxies take as the head of an answer. */
const MOST_TAGS = 100;

/** `PUT /v2/{name}/manifests/{reference}`, of a digest with `?tag=` for each tag that it gets. */
export async function manifestPut(call: Call): Promise<void> {
  await call.allow("push");
  call.upstreams.refuseToChange(call.repository);
  const { repository, reference, request } = call;
  const mediaType = request.headers["content-type"]?.split(";")[0]?.trim();
  const more = isDigest(reference) ? [...new Set(call.query.getAll("tag"))] : [];
  if (more.length > MOST_TAGS) {
    throw new InvalidArgument(`${more.length} tags by one request are more than ${MOST_TAGS}`, {
      subject: { kind: "tag", name: String(more.length) },
    });
  }
  const body = await readBody(request, MANIFEST_SIZE_LIMIT);
  const stored = await call.repositories.putManifest(repository, reference, body, mediaType, more);
  const { digest, subject, size } = stored;
  const manifest = { digest, size, mediaType: stored.mediaType };
  const tags = isDigest(reference) ? more : [reference];
  if (tags.length === 0) await call.tell({ action: "push", ...manifest });
  for (const tag of tags) {
    await call.tell({ action: "push", ...manifest, tag });
    await call.listener?.tagged({ repository, tag, host: request.headers.host ?? "", manifest });
  }
  empty(call, 201, {
    ...warningOf(call),
    location: `/v2/${repository}/manifests/${digest}`,
    "docker-content-digest": digest,
    ...(subject !== undefined && { "oci-subject": subject }),
    ...(more.length > 0 && { "oci-tag": more.join(", ") }),
  });
}

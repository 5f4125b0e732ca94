import { MediaType } from "@boxship/oci";
import { type Call, digestArgument, json } from "../http/call.ts";

/** `GET /v2/{name}/referrers/{digest}`: an index, empty where nothing is about the digest. */
export async function referrers(call: Call): Promise<void> {
  await call.allow("pull");
  const found = await call.repositories.referrers(call.repository, digestArgument(call.reference));
  const wanted = call.query.get("artifactType");
  const manifests = wanted === null ? found : found.filter(({ artifactType }) => artifactType === wanted);
  json(
    call,
    { schemaVersion: 2, mediaType: MediaType.OciIndex, manifests },
    { "content-type": MediaType.OciIndex, ...(wanted !== null && { "oci-filters-applied": "artifactType" }) },
  );
}

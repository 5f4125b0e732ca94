import { MediaType } from "@boxship/oci";
import { type Call, digestArgument, json } from "../http/call.ts";
import type { ReferrerRecord } from "../store/records.ts";

/** Clients take no longer document (OCI distribution spec 1.1, "Pushing Manifests"). */
const LONGEST = 3 * 1024 * 1024;

/** `GET /v2/{name}/referrers/{digest}`: an index, empty where nothing is about the digest, in parts where it is long. */
export async function referrers(call: Call): Promise<void> {
  await call.allow("pull");
  const { repository, reference, query } = call;
  const [wanted, last] = [query.get("artifactType"), query.get("last")];
  const after = last === null ? "" : digestArgument(last);
  const found = await call.upstreams.referrers(repository, digestArgument(reference), after);
  const { manifests, more } = await fitting(found.manifests, wanted);
  if (found.warning !== undefined) call.response.setHeader("warning", `299 - ${JSON.stringify(found.warning)}`);
  const next = new URLSearchParams({
    ...(wanted !== null && { artifactType: wanted }),
    last: manifests.at(-1)?.digest ?? "",
  });
  json(
    call,
    { schemaVersion: 2, mediaType: MediaType.OciIndex, manifests },
    {
      "content-type": MediaType.OciIndex,
      ...(wanted !== null && { "oci-filters-applied": "artifactType" }),
      ...(more && { link: `</v2/${repository}/referrers/${reference}?${next.toString()}>; rel="next"` }),
    },
  );
}

/** As many of a type as one document takes, at least one, and whether there are more. */
async function fitting(records: AsyncIterable<ReferrerRecord>, artifactType: string | null) {
  const manifests: ReferrerRecord[] = [];
  let size = 0;
  for await (const record of records) {
    if ((artifactType ?? record.artifactType) !== record.artifactType) continue;
    size += Buffer.byteLength(JSON.stringify(record));
    if (manifests.length > 0 && size > LONGEST) return { manifests, more: true };
    manifests.push(record);
  }
  return { manifests, more: false };
}

import { MediaType } from "@boxship/oci";
import { type Call, digestArgument, json } from "../http/call.ts";
import type { ReferrerRecord } from "../store/records.ts";

/** Clients take no longer document (OCI distribution spec 1.1, "Pushing Manifests"). */
const LONGEST = 3 * 1024 * 1024;

/** `GET /v2/{name}/referrers/{digest}`: an index, empty where nothing is about the digest, in parts where it is long. */
export async function referrers(call: Call): Promise<void> {
  await call.allow("pull");
  const { repository, reference, query } = call;
  const { manifests: found, warning } = await call.upstreams.referrers(repository, digestArgument(reference));
  if (warning !== undefined) call.response.setHeader("warning", `299 - ${JSON.stringify(warning)}`);
  const [wanted, last] = [query.get("artifactType"), query.get("last")];
  const after = last === null ? "" : digestArgument(last);
  const rest = found.filter(({ digest, artifactType }) => digest > after && (wanted ?? artifactType) === artifactType);
  const manifests = fitting(rest);
  const more = new URLSearchParams({
    ...(wanted !== null && { artifactType: wanted }),
    last: manifests.at(-1)?.digest ?? "",
  });
  json(
    call,
    { schemaVersion: 2, mediaType: MediaType.OciIndex, manifests },
    {
      "content-type": MediaType.OciIndex,
      ...(wanted !== null && { "oci-filters-applied": "artifactType" }),
      ...(manifests.length < rest.length && {
        link: `</v2/${repository}/referrers/${reference}?${more.toString()}>; rel="next"`,
      }),
    },
  );
}

/** As many as one document takes, at least one. */
function fitting(records: readonly ReferrerRecord[]): readonly ReferrerRecord[] {
  let size = 0;
  const end = records.findIndex((record, index) => {
    size += Buffer.byteLength(JSON.stringify(record));
    return index > 0 && size > LONGEST;
  });
  return end === -1 ? records : records.slice(0, end);
}

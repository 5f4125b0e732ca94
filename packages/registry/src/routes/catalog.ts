import { type Call, json, nextLink, pageOf } from "../http/call.ts";
import { visibleRepositories } from "../store/visible-repositories.ts";

/** `GET /v2/_catalog` (Docker's registry API): what the client may pull from. */
export async function catalog(call: Call): Promise<void> {
  const visible = await call.visible();
  const page = pageOf(call.query);
  const found = await visibleRepositories(call.repositories, visible, page);
  json(call, { repositories: found.names }, nextLink("/v2/_catalog", found, page.limit));
}

import { type Call, json, nextLink, pageOf } from "../http/call.ts";

/** `GET /v2/_catalog` (Docker's registry API) */
export async function catalog(call: Call): Promise<void> {
  await call.allow("pull", "");
  const page = pageOf(call.query);
  const found = await call.repositories.repositories(page);
  json(call, { repositories: found.names }, nextLink("/v2/_catalog", found, page.limit));
}

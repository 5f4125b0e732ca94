import { type Call, json, nextLink, pageOf } from "../http/call.ts";

/** `GET /v2/{name}/tags/list` */
export async function tagsList(call: Call): Promise<void> {
  await call.allow("pull");
  const page = pageOf(call.query);
  const found = await call.upstreams.tags(call.repository, page);
  const link = nextLink(`/v2/${call.repository}/tags/list`, found, page.limit);
  json(call, { name: call.repository, tags: found.names }, link);
}

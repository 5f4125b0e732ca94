import { type Call, json, pageOf } from "../http/call.ts";
import { visibleRepositories } from "../store/visible-repositories.ts";

/** What `docker search` asks for by itself. */
const USUAL = 25;

/** `GET /v1/search?q=&n=` (Docker's first registry API, which its search still speaks). */
export async function search(call: Call): Promise<void> {
  const visible = await call.visible();
  const term = (call.query.get("q") ?? "").toLowerCase();
  const limit = call.query.has("n") ? pageOf(call.query).limit : USUAL;
  const { names } = await visibleRepositories(call.repositories, (name) => name.includes(term) && visible(name), {
    limit,
  });
  const results = names.map((name) => {
    return { name, description: "", star_count: 0, is_official: false, is_automated: false };
  });
  json(call, { query: term, num_results: results.length, results });
}

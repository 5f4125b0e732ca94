import { InvalidArgument } from "@boxship/base";
import { Filters } from "../../http/filters.ts";
import { integer, text } from "../../http/query.ts";
import { defineRoute, ok } from "../../http/route.ts";
import { credentialsFromHeader } from "../../wire/registry-auth.ts";

const DEFAULT_LIMIT = 25;
const MOST = 100;

export const imageSearch = defineRoute({
  method: "GET",
  path: "/images/search",
  doc: {
    state: "differs",
    note: "a registry without a search of its own is looked through by its catalogue, which knows names only",
  },
  query: (query) => {
    const term = text(query, "term");
    const limit = integer(query, "limit") ?? DEFAULT_LIMIT;
    const filters = Filters.from(query, ["is-automated", "is-official", "stars"]);
    if (limit < 0 || limit > MOST) throw new InvalidArgument(`limit ${limit} is outside the range of [1, ${MOST}]`);
    const stars = filters.get("stars").map((least) => {
      if (!/^\d{1,9}$/.test(least)) throw new InvalidArgument(`invalid filter 'stars=${least}'`);
      return Number(least);
    });
    if (term === undefined) throw new InvalidArgument("parameter term must say what to search for");
    return {
      term,
      limit: limit === 0 ? DEFAULT_LIMIT : limit,
      official: filters.flag("is-official"),
      automated: filters.flag("is-automated"),
      stars: Math.max(0, ...stars),
    };
  },
  handle: async (call, { query: { term, limit, official, automated, stars } }) => {
    const credentials = credentialsFromHeader(call.request.headers["x-registry-auth"]);
    const options = { limit, credentials, signal: call.signal };
    const found = await call.engine.images.search(term, options);
    const wanted = found.filter(
      (one) =>
        (official === undefined || one.official === official) &&
        (automated === undefined || one.automated === automated) &&
        one.stars >= stars,
    );
    return ok(
      wanted.map((one) => ({
        star_count: one.stars,
        is_official: one.official,
        name: one.name,
        is_automated: one.automated,
        description: one.description,
      })),
    );
  },
});

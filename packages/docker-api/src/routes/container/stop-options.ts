import { integer, text } from "../../http/query.ts";

/** Query of `stop` and `restart`: seconds of grace (`t`), and since 1.42 the signal. */
export function stopOptions(
  query: URLSearchParams,
  version: number,
): { readonly timeout?: number; readonly signal?: string } {
  const timeout = integer(query, "t");
  const signal = version < 42 ? undefined : text(query, "signal");
  return { ...(timeout === undefined ? {} : { timeout }), ...(signal === undefined ? {} : { signal }) };
}

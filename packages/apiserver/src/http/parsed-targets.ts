import type { RequestInfo } from "../contract.ts";
import { authorizedAs, requestInfo } from "./request-info.ts";

/** What a request's method and target say. */
export interface ParsedTarget {
  readonly url: URL;
  /** Undefined where the path cannot be decoded. */
  readonly info: RequestInfo | undefined;
  /** What it is decided about. */
  readonly authorizedAs: RequestInfo | undefined;
}

/** How many are remembered, and how long they may be. */
const MOST = 2000;
const LONGEST = 512;

/** Targets that were asked for lately: clients ask for the same again and again. Nobody changes what is in them. */
export class ParsedTargets {
  readonly #known = new Map<string, ParsedTarget>();

  /** @returns undefined for what is no target */
  get(method: string, target: string): ParsedTarget | undefined {
    const key = `${method} ${target}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const url = parseUrl(target);
    if (url === undefined) return undefined;
    const info = requestInfo(method, url.pathname, url.searchParams);
    const parsed: ParsedTarget = { url, info, authorizedAs: info && authorizedAs(info) };
    if (key.length > LONGEST) return parsed;
    if (this.#known.size >= MOST) this.#known.clear();
    this.#known.set(key, parsed);
    return parsed;
  }
}

function parseUrl(target: string): URL | undefined {
  try {
    return new URL(target.startsWith("/") ? `http://x${target}` : target);
  } catch {
    return undefined;
  }
}

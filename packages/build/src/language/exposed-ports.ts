import { isIP } from "node:net";

/** What one word of `EXPOSE` names. */
export interface ExposedPorts {
  /** `80/tcp`, each. */
  readonly ports: readonly string[];
  /** As written, or `tcp`. */
  readonly protocol: string;
  /** An address or a port of the host is given, which means nothing to an image. */
  readonly mapped: boolean;
}

const HIGHEST = 65_535;

/** `80`, `80/udp`, `8000-8010/tcp`, and `[address:][port:]80`; undefined when it is none of them. */
export function parseExposedPorts(word: string): ExposedPorts | undefined {
  const parts = word.split(":");
  const container = parts.pop() ?? "";
  const host = parts.pop();
  const address = parts.join(":");
  const match = /^(\d{1,5}(?:-\d{1,5})?)(?:\/([a-zA-Z]*))?$/.exec(container);
  const [range = "", protocol = ""] = match?.slice(1) ?? [];
  const own = rangeOf(range);
  if (own === undefined || !["", "tcp", "udp", "sctp"].includes(protocol.toLowerCase())) return undefined;
  if (address !== "" && isIP(address.replace(/^\[(.*)\]$/, "$1")) === 0) return undefined;
  const theirs = host === undefined || host === "" ? undefined : rangeOf(host);
  if (host !== undefined && host !== "" && theirs === undefined) return undefined;
  const [first, last] = own;
  if (theirs !== undefined && theirs[1] - theirs[0] !== last - first && first !== last) return undefined;
  const used = protocol === "" ? "tcp" : protocol;
  return {
    ports: Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${used.toLowerCase()}`),
    protocol: used,
    mapped: address !== "" || (host !== undefined && host !== ""),
  };
}

function rangeOf(text: string): readonly [number, number] | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])];
  return last > HIGHEST || first > last ? undefined : [first, last];
}

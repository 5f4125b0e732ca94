import { InvalidArgument } from "@boxship/base";
import type { PortBinding } from "@boxship/engine";
import { type Codec, field, list, map, object, set, string } from "./codec.ts";

const PORT = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i;

/** `80`, `80/tcp` or `80-90/udp` with its protocol written out. Throws `InvalidArgument`. */
export function normalizePort(text: string): string {
  const match = PORT.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? first);
  if (match === null || first > 65_535 || last > 65_535 || last < first) {
    throw new InvalidArgument(`invalid port specification: ${JSON.stringify(text)}`);
  }
  const ports = last === first ? String(first) : `${first}-${last}`;
  return `${ports}/${match[3]?.toLowerCase() ?? "tcp"}`;
}

/** `ExposedPorts`. */
export const portSet: Codec<readonly string[]> = {
  ...set,
  decode: (value, at, context) => [...new Set(set.decode(value, at, context).map(normalizePort))],
};

export const binding = object<PortBinding>("PortBinding", {
  hostIp: field("HostIp", string, { zero: "" }),
  hostPort: field("HostPort", string, { zero: "" }),
});

const bindingLists = map<readonly PortBinding[]>({
  ...list(binding),
  // Null is Docker's "exposed, not published".
  type: "[]PortBinding",
});

/** `PortBindings`: container port to where it is published. */
export const portMap: Codec<Readonly<Record<string, readonly PortBinding[]>>> = {
  type: "PortMap",
  decode(value, at, context) {
    const published = bindingLists.decode(withoutNulls(value), at, context);
    return Object.fromEntries(Object.entries(published).map(([port, bindings]) => [normalizePort(port), bindings]));
  },
  encode: (value, version) => bindingLists.encode(value, version),
};

function withoutNulls(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([port, bindings]) => [port, bindings ?? []]));
}

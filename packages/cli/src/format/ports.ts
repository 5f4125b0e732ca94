import { hostAndPort } from "@boxship/base/dial-words";

/** One published or exposed port as the engine lists it. */
export interface ListedPort {
  readonly IP?: string;
  readonly PrivatePort: number;
  readonly PublicPort?: number;
  readonly Type: string;
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function comparePorts(a: ListedPort, b: ListedPort): number {
  return (
    a.PrivatePort - b.PrivatePort ||
    compare(a.IP ?? "", b.IP ?? "") ||
    (a.PublicPort ?? 0) - (b.PublicPort ?? 0) ||
    compare(a.Type, b.Type)
  );
}

interface PortGroup {
  readonly ip: string;
  readonly type: string;
  readonly first: number;
  readonly last: number;
}

function groupText({ ip, type, first, last }: PortGroup): string {
  const range = first === last ? String(first) : `${first}-${last}`;
  return `${ip === "" ? range : `${hostAndPort(ip, range)}->${range}`}/${type}`;
}

/** Ports of a container in one line; neighbours that are published under their own number become ranges. */
export function describePorts(ports: readonly ListedPort[]): string {
  const groups = new Map<string, PortGroup>();
  const finished: string[] = [];
  const mapped: string[] = [];
  for (const port of ports.toSorted(comparePorts)) {
    const { IP: ip = "", PrivatePort: inside, PublicPort: outside = 0, Type: type } = port;
    if (ip !== "" && outside !== inside) {
      mapped.push(`${hostAndPort(ip, outside)}->${inside}/${type}`);
      continue;
    }
    const key = `${ip}/${type}`;
    const group = groups.get(key);
    if (group !== undefined && inside === group.last + 1) {
      groups.set(key, { ...group, last: inside });
      continue;
    }
    if (group !== undefined) finished.push(groupText(group));
    groups.set(key, { ip, type, first: inside, last: inside });
  }
  return [...finished, ...[...groups.values()].map(groupText), ...mapped].join(", ");
}

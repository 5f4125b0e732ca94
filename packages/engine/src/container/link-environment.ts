import type { ContainerRecord } from "./record.ts";

/** A container that another is linked to, as far as the other is told of it. */
export interface LinkedContainer {
  readonly alias: string;
  /** IPv4, on the default bridge. */
  readonly address: string;
  /** As `80/tcp`. */
  readonly exposedPorts: readonly string[];
  readonly env: readonly string[];
}

interface Port {
  readonly number: number;
  readonly protocol: string;
}

/** Of the image, and of no use to others. */
const OWN = new Set(["HOME", "PATH"]);

/**
 * The variables by which `--link` on the default bridge told of the other container before networks had names, as Docker
 * still sets them: `DB_NAME`, `DB_PORT`, `DB_PORT_5432_TCP_ADDR` …, `DB_ENV_…`.
 */
export function linkEnvironment(own: Pick<ContainerRecord, "name">, links: readonly LinkedContainer[]): string[] {
  return links.flatMap((link) => {
    const prefix = link.alias.toUpperCase().replaceAll("-", "_");
    const ports = link.exposedPorts.map(parsePort).sort(byNumber);
    const [first] = ports;
    return [
      ...(first === undefined ? [] : [`${prefix}_PORT=${url(first, link.address)}`]),
      ...ranges(ports).flatMap((range) => rangeVariables(prefix, range, link.address)),
      ...ports.flatMap((port) => {
        const name = variable(prefix, port);
        return [
          `${name}=${url(port, link.address)}`,
          `${name}_ADDR=${link.address}`,
          `${name}_PORT=${port.number}`,
          `${name}_PROTO=${port.protocol}`,
        ];
      }),
      `${prefix}_NAME=/${own.name}/${link.alias}`,
      ...link.env.filter((entry) => !OWN.has(entry.split("=", 1)[0] ?? "")).map((entry) => `${prefix}_ENV_${entry}`),
    ];
  });
}

function parsePort(text: string): Port {
  const [number, protocol = "tcp"] = text.split("/");
  return { number: Number(number), protocol };
}

function byNumber(a: Port, b: Port): number {
  return a.number - b.number || (a.protocol < b.protocol ? -1 : 1);
}

function variable(prefix: string, { number, protocol }: Port): string {
  return `${prefix}_PORT_${number}_${protocol.toUpperCase()}`;
}

function url({ number, protocol }: Port, address: string): string {
  return `${protocol}://${address}:${number}`;
}

/** Ports that follow each other, three at least. */
function ranges(ports: readonly Port[]): Port[][] {
  const found: Port[][] = [];
  for (const port of ports) {
    const last = found.at(-1)?.at(-1);
    if (last?.protocol === port.protocol && last.number + 1 === port.number) found.at(-1)?.push(port);
    else found.push([port]);
  }
  return found.filter(({ length }) => length > 2);
}

function rangeVariables(prefix: string, range: readonly Port[], address: string): string[] {
  const [first, last] = [range[0], range.at(-1)];
  if (first === undefined || last === undefined) return [];
  const name = variable(prefix, first);
  return [
    `${name}_START=${url(first, address)}`,
    `${name}_ADDR=${address}`,
    `${name}_PROTO=${first.protocol}`,
    `${name}_PORT_START=${first.number}`,
    `${name}_END=${url(last, address)}`,
    `${name}_PORT_END=${last.number}`,
  ];
}

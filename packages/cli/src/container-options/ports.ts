import { isIP } from "node:net";
import { Failure } from "../failure.ts";

export interface PortBinding {
  readonly HostIp: string;
  readonly HostPort: string;
}

/** What `--publish` and `--expose` ask for, as the engine takes it. */
export interface PortConfig {
  readonly exposed: Readonly<Record<string, Readonly<Record<string, never>>>>;
  readonly bindings: Readonly<Record<string, readonly PortBinding[]>>;
}

interface Range {
  readonly first: number;
  readonly last: number;
}

/** `80` or `80-90`. */
function parseRange(text: string): Range | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return last <= 65535 && first <= last ? { first, last } : undefined;
}

function splitProtocol(text: string): { readonly port: string; readonly protocol: string } {
  const [port = "", protocol = ""] = text.split("/");
  return { port, protocol: protocol || "tcp" };
}

/** Takes brackets off an IPv6 address. */
function checkIp(text: string): string {
  const ip = /^\[(.*)\]$/.exec(text)?.[1] ?? text;
  if (ip !== "" && isIP(ip) === 0) throw new Failure(`invalid IP address: ${ip}`);
  return ip;
}

interface Mapping {
  readonly port: string;
  readonly binding: PortBinding;
}

/**
 * `[[IP:][HOST_PORTS]:]PORTS[/PROTOCOL]`, ports being single or ranges.
 *
 * @throws Failure in the words that users know
 */
export function parsePublish(spec: string): readonly Mapping[] {
  const parts = spec.split(":");
  const container = parts.pop() ?? "";
  const host = parts.pop() ?? "";
  const { port, protocol: given } = splitProtocol(container);
  const protocol = given.toLowerCase();
  if (!["tcp", "udp", "sctp"].includes(protocol)) throw new Failure(`invalid proto: ${protocol}`);
  const HostIp = checkIp(parts.join(":"));
  if (port === "") throw new Failure(`no port specified: ${spec}<empty>`);
  const inside = parseRange(port);
  if (inside === undefined) throw new Failure(`invalid containerPort: ${port}`);
  const outside = host === "" ? undefined : parseRange(host);
  if (host !== "" && outside === undefined) throw new Failure(`invalid hostPort: ${host}`);
  return pair(inside, outside, { port, host }).map(({ number, HostPort }) => ({
    port: `${number}/${protocol}`,
    binding: { HostIp, HostPort },
  }));
}

function pair(inside: Range, outside: Range | undefined, texts: { readonly port: string; readonly host: string }) {
  const count = inside.last - inside.first;
  if (outside !== undefined && count > 0 && outside.last - outside.first !== count) {
    throw new Failure(`invalid ranges specified for container and host Ports: ${texts.port} and ${texts.host}`);
  }
  // One port in the container and several outside: any of them will do.
  const any = outside !== undefined && count === 0 && outside.last > outside.first;
  return Array.from({ length: count + 1 }, (_, index) => ({
    number: inside.first + index,
    HostPort: outside === undefined ? "" : `${outside.first + index}${any ? `-${outside.last}` : ""}`,
  }));
}

/** `published=80,target=8080,protocol=tcp` in the short form. */
function shorten(spec: string): string {
  if (!spec.includes("=")) return spec;
  const fields: Record<string, string> = { protocol: "tcp" };
  for (const field of spec.split(",")) {
    const at = field.indexOf("=");
    if (at < 1) throw new Failure(`invalid publish opts format (should be name=value but got '${field}')`);
    fields[field.slice(0, at)] = field.slice(at + 1);
  }
  return `${fields["published"] ?? ""}:${fields["target"] ?? ""}/${fields["protocol"] ?? ""}`;
}

function exposedPorts(spec: string): readonly string[] {
  if (spec.includes(":")) throw new Failure(`invalid port format for --expose: ${spec}`);
  const { port, protocol } = splitProtocol(spec);
  const range = parseRange(port);
  if (range === undefined) {
    throw new Failure(`invalid range format for --expose: ${spec}, error: invalid port range '${port}'`);
  }
  return Array.from({ length: range.last - range.first + 1 }, (_, index) => `${range.first + index}/${protocol}`);
}

/** @throws Failure naming the first specification that is wrong */
export function buildPorts(publish: readonly string[], expose: readonly string[]): PortConfig {
  const exposed: Record<string, Readonly<Record<string, never>>> = {};
  const bindings: Record<string, PortBinding[]> = {};
  for (const { port, binding } of publish.map(shorten).flatMap(parsePublish)) {
    exposed[port] = {};
    (bindings[port] ??= []).push(binding);
  }
  for (const port of expose.flatMap(exposedPorts)) exposed[port] = {};
  return { exposed, bindings };
}

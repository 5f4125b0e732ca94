import { InvalidArgument, isLoopbackHost, PermissionDenied } from "@boxship/base";
import { DEFAULT_DOMAIN } from "../reference.ts";
import type { TlsOptions } from "./http.ts";

/** How one registry is reached; keys of {@link RegistriesConfig} are its host with optional port, as in references. */
export interface RegistryConfig {
  /**
   * Where to look first, in this order: `host[:port][/prefix]`, or with `http://` or `https://` before it. The registry
   * itself comes last.
   * @default []
   */
  readonly mirrors?: readonly string[];
  /** Accept any certificate, and plain HTTP where there is no TLS. @default false, true for loopback addresses */
  readonly insecure?: boolean;
  /** PEM certificates trusted besides the system's. */
  readonly ca?: string;
  /** Refuse to use it at all. @default false */
  readonly blocked?: boolean;
}

export type RegistriesConfig = Readonly<Record<string, RegistryConfig>>;

/** One place that answers the registry API. */
export interface Endpoint {
  /** Host with optional port, as credentials are filed under. */
  readonly host: string;
  /** Before `/v2/`; empty or `/prefix`. */
  readonly prefix: string;
  /** Tried in this order until one answers. */
  readonly schemes: readonly ("https" | "http")[];
  readonly tls: TlsOptions;
  /** Whether it stands in for the registry that was named. */
  readonly mirror: boolean;
}

const DOCKER_HUB = "registry-1.docker.io";
const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::\d{1,5})?$/;

/**
 * The places where images of a registry are looked for, mirrors first.
 *
 * @throws PermissionDenied if the registry is blocked
 * @throws InvalidArgument for a malformed mirror
 */
export function registryEndpoints(domain: string, config: RegistriesConfig): readonly [Endpoint, ...Endpoint[]] {
  const own = Object.hasOwn(config, domain) ? config[domain] : undefined;
  if (own?.blocked === true) {
    throw new PermissionDenied(`registry ${domain} is blocked by the configuration`, {
      subject: { kind: "registry", name: domain },
      remedy: `remove "blocked" from its entry under registries`,
    });
  }
  const origin = endpoint(domain === DEFAULT_DOMAIN ? DOCKER_HUB : domain, "", undefined, own, false);
  const mirrors = (own?.mirrors ?? []).map((mirror) => mirrorEndpoint(mirror, config));
  const [first, ...others] = [...mirrors, origin];
  return [first ?? origin, ...others];
}

function mirrorEndpoint(text: string, config: RegistriesConfig): Endpoint {
  const match = /^(?:(https?):\/\/)?([^/]+)(\/.*)?$/.exec(text);
  const host = match?.[2] ?? "";
  if (!HOST.test(host)) {
    throw new InvalidArgument(`invalid registry mirror ${JSON.stringify(text)}`, {
      subject: { kind: "registry mirror", name: text },
      remedy: "write it as host, host:port or https://host/prefix",
    });
  }
  const scheme = match?.[1] === "http" ? "http" : match?.[1] === "https" ? "https" : undefined;
  const own = Object.hasOwn(config, host) ? config[host] : undefined;
  return endpoint(host, (match?.[3] ?? "").replace(/\/+$/, ""), scheme, own, true);
}

function endpoint(
  host: string,
  prefix: string,
  scheme: "http" | "https" | undefined,
  config: RegistryConfig | undefined,
  mirror: boolean,
): Endpoint {
  const insecure = config?.insecure ?? isLoopbackHost(host.replace(/:\d+$/, ""));
  return {
    host,
    prefix,
    schemes: scheme !== undefined ? [scheme] : insecure ? ["https", "http"] : ["https"],
    tls: { verify: !insecure, ...(config?.ca === undefined ? {} : { ca: config.ca }) },
    mirror,
  };
}

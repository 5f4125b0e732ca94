import type { CniNetworkList } from "../cni/configuration.ts";
import type {
  DnsSettings,
  EndpointLink,
  EndpointRecord,
  ExtraHost,
  NetworkRecord,
  PortBinding,
  PortMapping,
} from "../contract.ts";
import type { EndpointLinkKind } from "../worker/endpoint-operations.ts";
import type { ParentKind } from "../worker/network-operations.ts";

/** A network as it is kept on disk. */
export interface StoredNetwork {
  readonly record: NetworkRecord;
  /** The bridge or parent was made for the network, and goes with it. */
  readonly ownsInterface: boolean;
  /** How the parent is made again. */
  readonly createParent?: ParentKind;
  /** What its plugins are run with. */
  readonly cni?: CniNetworkList;
}

/** An endpoint as it is kept in the run directory. */
export interface StoredEndpoint extends EndpointRecord {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly links: readonly EndpointLink[];
  readonly gatewayPriority: number;
  /** Absent on the `none` network. */
  readonly link?: EndpointLinkKind;
  /** DNS servers that came with the address; asked when the container names none. */
  readonly nameservers?: readonly string[];
  /** Where names without a network of names are looked for, and how; came with the address, too. */
  readonly search?: readonly string[];
  readonly resolverOptions?: readonly string[];
}

/** A sandbox as it is kept in the run directory. */
export interface StoredSandbox {
  readonly id: string;
  readonly path: string;
  readonly hostname: string;
  readonly domainname?: string;
  readonly dns: DnsSettings;
  readonly extraHosts: readonly ExtraHost[];
  readonly endpoints: readonly StoredEndpoint[];
  readonly published: readonly PublishedMapping[];
}

/** What was asked for and what came of it: no binding as long as the sandbox is on no network that leads out. */
export interface PublishedMapping {
  readonly mapping: PortMapping;
  readonly bindings: readonly PortBinding[];
}

/** The host's ports that a sandbox has. */
export function bindingsOf({ published }: StoredSandbox): PortBinding[] {
  return published.flatMap(({ bindings }) => bindings);
}

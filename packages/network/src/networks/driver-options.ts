import { InvalidArgument, Unsupported } from "@boxship/base";
import { addressBytes, type IpvlanFlag, type IpvlanMode, type MacvlanMode } from "@boxship/kernel";
import type { NetworkDriver } from "../contract.ts";

/** Options of the bridge driver, understood. */
export interface BridgeSettings {
  readonly driver: "bridge";
  /** `com.docker.network.bridge.name` */
  readonly bridgeName: string | undefined;
  /** `com.docker.network.bridge.enable_icc`: members may talk to each other. @default true */
  readonly interContainer: boolean;
  /** `com.docker.network.bridge.enable_ip_masquerade` @default true */
  readonly masquerade: boolean;
  /** `com.docker.network.bridge.host_binding_ipv4`: where ports without an address are published. */
  readonly hostBinding: string | undefined;
  /** `com.boxship.network.names`: members find each other by name. @default true */
  readonly names: boolean;
  readonly mtu: number | undefined;
  readonly interfacePrefix: string;
}

export interface MacvlanSettings {
  readonly driver: "macvlan";
  /** `parent`: an interface, or `<interface>.<vlan id>`, which is made when it does not exist. */
  readonly parent: string | undefined;
  /** `macvlan_mode` @default "bridge" */
  readonly mode: MacvlanMode;
  readonly mtu: number | undefined;
  readonly interfacePrefix: string;
}

export interface IpvlanSettings {
  readonly driver: "ipvlan";
  readonly parent: string | undefined;
  /** `ipvlan_mode` @default "l2" */
  readonly mode: IpvlanMode;
  /** `ipvlan_flag` @default "bridge" */
  readonly flag: IpvlanFlag;
  readonly mtu: number | undefined;
  readonly interfacePrefix: string;
}

export interface CniSettings {
  readonly driver: "cni";
  /** `conflist`: the configuration itself, in JSON. */
  readonly conflist: string | undefined;
  /** `file`: its name in the directory of configurations. @default the file whose `name` is the network's */
  readonly file: string | undefined;
  /** `directory`: its first configuration, by file name, whatever its name; changes of it are followed. */
  readonly directory: string | undefined;
  /** `plugins`: directories of programs, with colons between them. @default those of the configuration file */
  readonly plugins: readonly string[] | undefined;
  /** `com.boxship.network.names`: members find each other by name. @default true */
  readonly names: boolean;
  readonly interfacePrefix: string;
}

export type DriverSettings =
  | BridgeSettings
  | CniSettings
  | MacvlanSettings
  | IpvlanSettings
  | { readonly driver: "host" }
  | { readonly driver: "null" };

const MTU = "com.docker.network.driver.mtu";
const PREFIX = "com.docker.network.container_iface_prefix";
const BRIDGE = "com.docker.network.bridge";
const NAMES = "com.boxship.network.names";

/**
 * The options of a network's driver. Throws {@link InvalidArgument} for an option or value that is not known and
 * {@link Unsupported} for one that is known and not done here.
 */
export function parseDriverOptions(driver: NetworkDriver, given: Readonly<Record<string, string>>): DriverSettings {
  const options = new Options(driver, given);
  const settings = settingsOf(driver, options);
  options.refuseRest();
  return settings;
}

function settingsOf(driver: NetworkDriver, options: Options): DriverSettings {
  if (driver === "bridge") return bridgeSettings(options);
  if (driver === "macvlan") {
    const mode = options.oneOf("macvlan_mode", ["bridge", "private", "vepa", "passthru"] as const, "bridge");
    return { driver, parent: options.take("parent"), mode, ...linkSettings(options) };
  }
  if (driver === "ipvlan") {
    const mode = options.oneOf("ipvlan_mode", ["l2", "l3", "l3s"] as const, "l2");
    const flag = options.oneOf("ipvlan_flag", ["bridge", "private", "vepa"] as const, "bridge");
    return { driver, parent: options.take("parent"), mode, flag, ...linkSettings(options) };
  }
  if (driver === "cni") return cniSettings(options);
  return { driver };
}

function cniSettings(options: Options): CniSettings {
  const conflist = options.take("conflist");
  const file = options.take("file");
  const directory = absolute(options, "directory");
  const plugins = absolute(options, "plugins")?.split(":");
  const [first, second] = Object.entries({ conflist, file, directory }).filter(([, value]) => value !== undefined);
  if (first !== undefined && second !== undefined) {
    throw new InvalidArgument(`options ${first[0]} and ${second[0]} exclude each other`, {
      subject: { kind: "option", name: second[0] },
    });
  }
  const names = options.flag(NAMES, true);
  return { driver: "cni", conflist, file, directory, plugins, names, interfacePrefix: linkPrefix(options) };
}

/** One path, or several with colons between them. */
function absolute(options: Options, name: string): string | undefined {
  const value = options.take(name);
  if (value === undefined || value.split(":").every((path) => path.startsWith("/"))) return value;
  throw options.bad(name, value, "give absolute paths");
}

function bridgeSettings(options: Options): BridgeSettings {
  for (const family of ["ipv4", "ipv6"]) {
    const option = `${BRIDGE}.gateway_mode_${family}`;
    const mode = options.take(option);
    if (mode === undefined || mode === "nat") continue;
    throw new Unsupported(`option ${option} is supported with the value nat only, not ${JSON.stringify(mode)}`);
  }
  // Shown on the predefined network; of another one it may only say that it is not.
  options.take(`${BRIDGE}.default_bridge`);
  const hostBinding = options.take(`${BRIDGE}.host_binding_ipv4`);
  if (hostBinding !== undefined) addressBytes(hostBinding);
  return {
    driver: "bridge",
    bridgeName: options.take(`${BRIDGE}.name`),
    interContainer: options.flag(`${BRIDGE}.enable_icc`, true),
    masquerade: options.flag(`${BRIDGE}.enable_ip_masquerade`, true),
    hostBinding,
    names: options.flag(NAMES, true),
    ...linkSettings(options),
  };
}

function linkPrefix(options: Options): string {
  const prefix = options.take(PREFIX) ?? "eth";
  if (!/^[a-zA-Z][a-zA-Z0-9_-]{0,11}$/.test(prefix)) throw options.bad(PREFIX, prefix);
  return prefix;
}

function linkSettings(options: Options): { readonly mtu: number | undefined; readonly interfacePrefix: string } {
  const interfacePrefix = linkPrefix(options);
  const text = options.take(MTU);
  if (text === undefined) return { mtu: undefined, interfacePrefix };
  const mtu = Number(text);
  if (!/^\d+$/.test(text) || (mtu !== 0 && (mtu < 68 || mtu > 65535))) throw options.bad(MTU, text);
  return { mtu: mtu === 0 ? undefined : mtu, interfacePrefix };
}

/** Takes options one by one, so that those nobody took can be named. */
class Options {
  readonly #driver: string;
  readonly #left: Map<string, string>;

  constructor(driver: string, given: Readonly<Record<string, string>>) {
    this.#driver = driver;
    this.#left = new Map(Object.entries(given));
  }

  take(name: string): string | undefined {
    const value = this.#left.get(name);
    this.#left.delete(name);
    return value;
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.take(name);
    if (value === undefined || value === "") return fallback;
    if (["1", "t", "T", "true", "TRUE", "True"].includes(value)) return true;
    if (["0", "f", "F", "false", "FALSE", "False"].includes(value)) return false;
    throw this.bad(name, value);
  }

  oneOf<Value extends string>(name: string, values: readonly Value[], fallback: Value): Value {
    const value = this.take(name);
    if (value === undefined || value === "") return fallback;
    const found = values.find((candidate) => candidate === value);
    if (found === undefined) throw this.bad(name, value, `use one of ${values.join(", ")}`);
    return found;
  }

  bad(name: string, value: string, remedy?: string): InvalidArgument {
    return new InvalidArgument(`${JSON.stringify(value)} is no value for option ${name}`, {
      subject: { kind: "option", name },
      ...(remedy === undefined ? {} : { remedy }),
    });
  }

  refuseRest(): void {
    const [name] = this.#left.keys();
    if (name === undefined) return;
    throw new InvalidArgument(`driver ${this.#driver} has no option ${name}`, { subject: { kind: "option", name } });
  }
}

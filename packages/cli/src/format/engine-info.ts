import { binarySize } from "./units.ts";

interface Named {
  readonly Name?: string;
}

/** What `GET /info` says, as far as it is shown. */
export interface EngineInfo {
  readonly Containers?: number;
  readonly ContainersRunning?: number;
  readonly ContainersPaused?: number;
  readonly ContainersStopped?: number;
  readonly Images?: number;
  readonly ServerVersion?: string;
  readonly Driver?: string;
  readonly DriverStatus?: readonly (readonly [string, string])[] | null;
  readonly LoggingDriver?: string;
  readonly CgroupDriver?: string;
  readonly CgroupVersion?: string;
  readonly Plugins?: Readonly<Record<string, readonly string[] | null>>;
  readonly Swarm?: { readonly LocalNodeState?: string };
  readonly Runtimes?: Readonly<Record<string, unknown>> | null;
  readonly DefaultRuntime?: string;
  readonly InitBinary?: string;
  readonly SecurityOptions?: readonly string[] | null;
  readonly KernelVersion?: string;
  readonly OperatingSystem?: string;
  readonly OSType?: string;
  readonly Architecture?: string;
  readonly NCPU?: number;
  readonly MemTotal?: number;
  readonly Name?: string;
  readonly ID?: string;
  readonly DockerRootDir?: string;
  readonly Debug?: boolean;
  readonly HttpProxy?: string;
  readonly HttpsProxy?: string;
  readonly NoProxy?: string;
  readonly Labels?: readonly string[] | null;
  readonly ExperimentalBuild?: boolean;
  readonly RegistryConfig?: {
    readonly IndexConfigs?: Readonly<Record<string, Named & { readonly Secure?: boolean }>> | null;
    readonly InsecureRegistryCIDRs?: readonly string[] | null;
    readonly Mirrors?: readonly string[] | null;
  } | null;
  readonly LiveRestoreEnabled?: boolean;
  readonly DefaultAddressPools?: readonly { readonly Base: string; readonly Size: number }[] | null;
  readonly Warnings?: readonly string[] | null;
}

type Line = readonly [label: string, value: string | number | boolean | undefined];

const always = ([label, value]: Line): string => ` ${label}: ${value ?? ""}`;

function ifGiven(lines: readonly Line[]): readonly string[] {
  return lines.filter(([, value]) => value !== undefined && value !== "").map(always);
}

function nested(title: string, items: readonly string[], indent = "  "): readonly string[] {
  return items.length === 0 ? [] : [` ${title}:`, ...items.map((item) => indent + item)];
}

/** `name=seccomp,profile=builtin` and its kin. */
function securityLines(options: readonly string[]): readonly string[] {
  const lines = options.flatMap((option) => {
    const pairs = option.split(",").map((pair) => pair.split("="));
    const name = pairs.find(([key]) => key === "name")?.[1] ?? option;
    const profiles = pairs.filter(([key]) => key === "profile").map(([, value]) => ` Profile: ${value ?? ""}`);
    return [name, ...profiles];
  });
  return nested("Security Options", lines);
}

function registryLines({ RegistryConfig }: EngineInfo): readonly string[] {
  const insecure = Object.values(RegistryConfig?.IndexConfigs ?? {})
    .filter(({ Secure }) => !Secure)
    .map(({ Name = "" }) => Name);
  const networks = RegistryConfig?.InsecureRegistryCIDRs ?? [];
  return [
    ...nested("Insecure Registries", [...insecure, ...networks]),
    ...nested("Registry Mirrors", RegistryConfig?.Mirrors ?? []),
  ];
}

function pluginLines({ Plugins = {} }: EngineInfo): readonly string[] {
  const names = (kind: string): string => (Plugins[kind] ?? []).join(" ");
  return [" Plugins:", `  Volume: ${names("Volume")}`, `  Network: ${names("Network")}`, `  Log: ${names("Log")}`];
}

/** The engine's side of `info`, a line for each thing known. */
export function describeInfo(info: EngineInfo): string {
  const pools = (info.DefaultAddressPools ?? []).map(({ Base, Size }) => ` Base: ${Base}, Size: ${Size}`);
  return [
    always(["Containers", info.Containers]),
    `  Running: ${info.ContainersRunning ?? 0}`,
    `  Paused: ${info.ContainersPaused ?? 0}`,
    `  Stopped: ${info.ContainersStopped ?? 0}`,
    always(["Images", info.Images]),
    ...ifGiven([
      ["Server Version", info.ServerVersion],
      ["Storage Driver", info.Driver],
    ]),
    ...(info.DriverStatus ?? []).map(([key, value]) => `  ${key}: ${value}`),
    ...ifGiven([
      ["Logging Driver", info.LoggingDriver],
      ["Cgroup Driver", info.CgroupDriver],
      ["Cgroup Version", info.CgroupVersion],
    ]),
    ...pluginLines(info),
    ...ifGiven([["Swarm", info.Swarm?.LocalNodeState]]),
    ...ifGiven([
      ["Runtimes", Object.keys(info.Runtimes ?? {}).join(" ")],
      ["Default Runtime", info.DefaultRuntime],
      ["Init Binary", info.InitBinary],
    ]),
    ...securityLines(info.SecurityOptions ?? []),
    ...hostLines(info),
    ...nested("Labels", info.Labels ?? []),
    always(["Experimental", info.ExperimentalBuild ?? false]),
    ...registryLines(info),
    always(["Live Restore Enabled", info.LiveRestoreEnabled ?? false]),
    ...nested("Default Address Pools", pools),
    "",
  ].join("\n");
}

function hostLines(info: EngineInfo): readonly string[] {
  return [
    ...ifGiven([
      ["Kernel Version", info.KernelVersion],
      ["Operating System", info.OperatingSystem],
      ["OSType", info.OSType],
      ["Architecture", info.Architecture],
    ]),
    always(["CPUs", info.NCPU ?? 0]),
    always(["Total Memory", binarySize(info.MemTotal ?? 0)]),
    ...ifGiven([
      ["Name", info.Name],
      ["ID", info.ID],
    ]),
    always(["Docker Root Dir", info.DockerRootDir]),
    always(["Debug Mode", info.Debug ?? false]),
    ...ifGiven([
      ["HTTP Proxy", info.HttpProxy],
      ["HTTPS Proxy", info.HttpsProxy],
      ["No Proxy", info.NoProxy],
    ]),
  ];
}

import { access, constants } from "node:fs/promises";
import { join } from "node:path";
import { InvalidArgument } from "@boxship/base";
import { type CdiDevices, joinEdits } from "./cdi-devices.ts";
import { type ContainerEdits, NO_EDITS } from "./cdi-spec.ts";

/** A request for devices by what they can do (`--gpus`), or by names of the Container Device Interface. */
export interface DriverRequest {
  /** `cdi`, `nvidia`; absent: whichever has the capabilities. */
  readonly driver?: string;
  /** -1 is all. */
  readonly count?: number;
  readonly deviceIds?: readonly string[];
  /** Alternatives; all of one are needed. */
  readonly capabilities?: readonly (readonly string[])[];
  readonly options?: Readonly<Record<string, string>>;
}

const NVIDIA_KIND = "nvidia.com/gpu";
const NVIDIA_HOOK = "nvidia-container-runtime-hook";
/** What NVIDIA's own driver tells apart. */
const NVIDIA_PARTS: ReadonlySet<string> = new Set(["compute", "compat32", "graphics", "utility", "video", "display"]);
const NVIDIA_CAPABILITIES: ReadonlySet<string> = new Set([...NVIDIA_PARTS, "gpu", "nvidia"]);

export interface DriverHost {
  readonly devices: CdiDevices;
  /** Where NVIDIA's hook is looked for, as `PATH` has it. */
  readonly path: string;
}

/**
 * What a container needs for the devices that it asks for. NVIDIA's are found by their device specifications, or by the
 * hook of their container toolkit.
 *
 * @throws InvalidArgument in Docker's words when nothing has them
 */
export async function editsOfDrivers(requests: readonly DriverRequest[], host: DriverHost): Promise<ContainerEdits> {
  const parts: ContainerEdits[] = [];
  for (const request of requests) parts.push(await editsOfDriver(request, host));
  return joinEdits(parts);
}

async function editsOfDriver(request: DriverRequest, host: DriverHost): Promise<ContainerEdits> {
  const { driver = "", deviceIds = [], capabilities = [] } = request;
  if (driver === "cdi") return host.devices.edits(deviceIds);
  const selected = capabilities.find((all) => all.every((name) => NVIDIA_CAPABILITIES.has(name)));
  if (selected !== undefined && (driver === "" || driver === "nvidia")) {
    checkCount(request);
    if (host.devices.hasKind(NVIDIA_KIND)) return host.devices.edits(nvidiaNames(request));
    const hook = await findProgram(NVIDIA_HOOK, host.path);
    if (hook !== undefined) return nvidiaHook(hook, request, selected);
  }
  const shown = `[${capabilities.map((names) => `[${names.join(" ")}]`).join(" ")}]`;
  throw new InvalidArgument(`could not select device driver "${driver}" with capabilities: ${shown}`, {
    subject: { kind: "option", name: "--gpus" },
    remedy: `put a device specification into /etc/cdi, or install the NVIDIA container toolkit`,
  });
}

function checkCount({ count = 0, deviceIds = [] }: DriverRequest): void {
  if (count === 0 || deviceIds.length === 0) return;
  throw new InvalidArgument("cannot set both Count and DeviceIDs on device request");
}

function nvidiaNames({ count = 0, deviceIds = [] }: DriverRequest): readonly string[] {
  if (deviceIds.length > 0) return deviceIds.map((id) => (id.includes("=") ? id : `${NVIDIA_KIND}=${id}`));
  if (count < 0) return [`${NVIDIA_KIND}=all`];
  return Array.from({ length: count }, (_, index) => `${NVIDIA_KIND}=${index}`);
}

function nvidiaHook(path: string, request: DriverRequest, selected: readonly string[]): ContainerEdits {
  const { count = 0, deviceIds = [] } = request;
  const counted = Array.from({ length: Math.max(0, count) }, (_, index) => String(index));
  const visible = deviceIds.length > 0 ? deviceIds.join(",") : count < 0 ? "all" : counted.join(",");
  const parts = selected.filter((name) => NVIDIA_PARTS.has(name));
  return {
    ...NO_EDITS,
    env: [
      ...(visible === "" ? [] : [`NVIDIA_VISIBLE_DEVICES=${visible}`]),
      ...(parts.length === 0 ? [] : [`NVIDIA_DRIVER_CAPABILITIES=${parts.join(",")}`]),
    ],
    hooks: [{ hookName: "prestart", path, args: [NVIDIA_HOOK, "prestart"], env: environment() }],
  };
}

function environment(): readonly string[] {
  return Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]));
}

async function findProgram(name: string, path: string): Promise<string | undefined> {
  for (const directory of path.split(":")) {
    if (!directory.startsWith("/")) continue;
    const file = join(directory, name);
    const found = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return file;
  }
  return undefined;
}

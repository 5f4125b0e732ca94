import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { errorMessage, InvalidArgument, type Logger, systemCode } from "@boxship/base";
import { type CdiSpec, type ContainerEdits, NO_EDITS, parseCdiSpec, parseQualifiedDevice } from "./cdi-spec.ts";

/** Where specifications are looked for; what stands in a later directory replaces what an earlier one says. */
export const CDI_DIRECTORIES: readonly string[] = ["/etc/cdi", "/var/run/cdi"];

interface Known {
  readonly spec: CdiSpec;
  readonly edits: ContainerEdits;
  readonly rank: number;
  /** Another file in the same directory has the device, too: neither counts. */
  readonly disputed: boolean;
}

/** The devices that the specifications of this host name, as they are at this moment. */
export class CdiDevices {
  readonly #devices: ReadonlyMap<string, Known>;

  private constructor(devices: ReadonlyMap<string, Known>) {
    this.#devices = devices;
  }

  /** Reads all specifications. A file that cannot be read is left out, and logged. */
  static async read(directories: readonly string[], logger: Logger): Promise<CdiDevices> {
    const devices = new Map<string, Known>();
    for (const [rank, directory] of directories.entries()) {
      for (const spec of await specsOf(directory, logger)) {
        for (const [name, edits] of spec.devices) {
          const id = `${spec.kind}=${name}`;
          const before = devices.get(id);
          devices.set(id, { spec, edits, rank, disputed: before?.rank === rank });
        }
      }
    }
    return new CdiDevices(devices);
  }

  /** Qualified names, sorted. */
  names(): readonly string[] {
    return [...this.#devices].flatMap(([id, { disputed }]) => (disputed ? [] : [id])).toSorted();
  }

  /** Whether any device of a kind, `vendor.com/class`, is there. */
  hasKind(kind: string): boolean {
    return this.names().some((name) => name.startsWith(`${kind}=`));
  }

  /** What a container needs for devices, in their order. @throws InvalidArgument for those that are not there, in Docker's words */
  edits(names: readonly string[]): ContainerEdits {
    const unknown = names.filter((name) => this.#find(name) === undefined);
    if (unknown.length > 0) {
      throw new InvalidArgument(`CDI device injection failed: unresolvable CDI devices ${unknown.join(", ")}`, {
        subject: { kind: "device", name: unknown.join(", ") },
        remedy: "see the files in /etc/cdi and /var/run/cdi; 'docker info' lists what they name",
      });
    }
    const found = [...new Set(names)].flatMap((name) => this.#find(name) ?? []);
    const shared = new Set(found.map(({ spec }) => spec));
    return joinEdits([...[...shared].map(({ common }) => common), ...found.map(({ edits }) => edits)]);
  }

  #find(name: string): Known | undefined {
    if (parseQualifiedDevice(name) === undefined) return undefined;
    const known = this.#devices.get(name);
    return known?.disputed === true ? undefined : known;
  }
}

export function joinEdits(parts: readonly ContainerEdits[]): ContainerEdits {
  return parts.reduce(
    (all, part) => ({
      env: [...all.env, ...part.env],
      deviceNodes: [...all.deviceNodes, ...part.deviceNodes],
      mounts: [...all.mounts, ...part.mounts],
      hooks: [...all.hooks, ...part.hooks],
      additionalGids: [...all.additionalGids, ...part.additionalGids],
    }),
    NO_EDITS,
  );
}

async function specsOf(directory: string, logger: Logger): Promise<readonly CdiSpec[]> {
  const specs: CdiSpec[] = [];
  for (const name of await namesIn(directory)) {
    if (!name.endsWith(".json") && !name.endsWith(".yaml")) continue;
    const file = join(directory, name);
    try {
      specs.push(parseCdiSpec(await readFile(file, "utf8"), file));
    } catch (error) {
      logger.warn("a device specification is left out", { file, reason: errorMessage(error) });
    }
  }
  return specs;
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return (await readdir(directory)).toSorted();
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES") return [];
    throw error;
  }
}

import { resolve } from "node:path";
import type { WorkingMount, WorkingSettings } from "@boxship/build";
import { checkExtraHost } from "../container-options/checks.ts";
import { parseUlimit, type Ulimit } from "../container-options/limits.ts";
import { FlagError } from "../failure.ts";
import { bytes, bytesOrUnlimited, commaList, custom, type FlagValues, integer, list, text } from "../flags/flag.ts";

/** How commands are run, as `from` keeps it. */
export const settingsFlags = {
  "add-host": list("Add a custom host-to-IP mapping (host:ip)", { check: checkExtraHost }),
  "cap-add": commaList("Add the specified capability when running"),
  "cap-drop": commaList("Drop the specified capability when running"),
  "cgroup-parent": text("Optional parent cgroup for the container"),
  "cpu-period": integer("Limit the CPU CFS (Completely Fair Scheduler) period"),
  "cpu-quota": integer("Limit the CPU CFS (Completely Fair Scheduler) quota"),
  "cpu-shares": integer("CPU shares (relative weight)", { short: "c" }),
  "cpuset-cpus": text("CPUs in which to allow execution (0-3, 0,1)"),
  "cpuset-mems": text("Memory nodes (MEMs) in which to allow execution (0-3, 0,1)"),
  memory: bytes("Memory limit", { short: "m" }),
  "memory-swap": bytesOrUnlimited("Swap limit equal to memory plus swap: '-1' to enable unlimited swap"),
  network: text("'private', 'none', 'host', or a network of the engine"),
  "shm-size": bytes("Size of '/dev/shm'"),
  ulimit: custom<readonly Ulimit[]>("Ulimit options", {
    hint: "ulimit",
    initial: [],
    parse: (value, before) => [...before, parseUlimit(value)],
  }),
  volume: list("Bind mount a directory of the host while commands run", { short: "v" }),
};

/** `oci`, `rootless` and `chroot` all become a container of the engine. */
export const isolationFlag = custom<string>("'oci'; 'rootless' and 'chroot' are taken for it", {
  hint: "type",
  initial: "",
  parse: (value) => {
    if (["", "oci", "rootless", "chroot"].includes(value)) return value;
    throw new FlagError(`unrecognized isolation type "${value}"`);
  },
});

export function settingsOf(flags: FlagValues<typeof settingsFlags>): WorkingSettings {
  const given = {
    extraHosts: flags["add-host"],
    capAdd: flags["cap-add"],
    capDrop: flags["cap-drop"],
    cgroupParent: flags["cgroup-parent"],
    cpuPeriod: flags["cpu-period"],
    cpuQuota: flags["cpu-quota"],
    cpuShares: flags["cpu-shares"],
    cpusetCpus: flags["cpuset-cpus"],
    cpusetMems: flags["cpuset-mems"],
    memory: flags.memory,
    memorySwap: flags["memory-swap"],
    network: networkOf(flags.network) ?? "",
    shmSize: flags["shm-size"],
    ulimits: flags.ulimit.map(({ Name, Soft, Hard }) => ({ name: Name, soft: Soft, hard: Hard })),
    mounts: flags.volume.map(volumeMount),
  };
  const isSet = (value: unknown) => value !== "" && value !== 0 && !(Array.isArray(value) && value.length === 0);
  return Object.fromEntries(Object.entries(given).filter(([, value]) => isSet(value)));
}

/** Buildah calls a network of its own `private` or `container`. */
export function networkOf(name: string): string | undefined {
  if (name === "") return undefined;
  if (["private", "container", "bridge"].includes(name)) return "default";
  if (name.startsWith("ns:"))
    throw new FlagError(`--network ${name}: joining a namespace by its path is not supported`);
  return name;
}

/** `SOURCE:TARGET[:OPTIONS]` */
export function volumeMount(spec: string): WorkingMount {
  const [source = "", target = "", options = "", ...rest] = spec.split(":");
  if (source === "" || !target.startsWith("/") || rest.length > 0) {
    throw new FlagError(
      `invalid volume ${JSON.stringify(spec)}: it is written SOURCE:TARGET[:OPTIONS], the target absolute`,
    );
  }
  const words = options.split(",").filter((word) => word !== "");
  const unknown = words.find((word) => !["ro", "rw", "z", "Z", "rbind", "bind", "rprivate", "private"].includes(word));
  if (unknown !== undefined)
    throw new FlagError(`invalid volume ${JSON.stringify(spec)}: option ${unknown} is not supported`);
  return { type: "bind", source: resolve(source), target, readOnly: words.includes("ro") };
}

/** `type=bind,source=…,target=…[,ro]`, `type=tmpfs,target=…`, `type=cache,target=…[,id=…]` */
export function mountOf(spec: string): WorkingMount {
  const fields = new Map(
    spec.split(",").map((field) => {
      const at = field.indexOf("=");
      return at < 0 ? [field, "true"] : [field.slice(0, at), field.slice(at + 1)];
    }),
  );
  const take = (...names: readonly string[]) => {
    const name = names.find((candidate) => fields.has(candidate));
    const value = name === undefined ? undefined : fields.get(name);
    for (const candidate of names) fields.delete(candidate);
    return value;
  };
  const type = take("type") ?? "bind";
  if (type !== "bind" && type !== "tmpfs" && type !== "cache") {
    throw new FlagError(`invalid mount ${JSON.stringify(spec)}: type ${type} is not supported`);
  }
  const target = take("target", "destination", "dst");
  if (target === undefined || !target.startsWith("/")) {
    throw new FlagError(`invalid mount ${JSON.stringify(spec)}: it needs an absolute target`);
  }
  const source = type === "cache" ? take("id") : type === "bind" ? take("source", "src") : undefined;
  if (type === "bind" && source === undefined)
    throw new FlagError(`invalid mount ${JSON.stringify(spec)}: it needs a source`);
  const readOnly = (take("ro", "readonly") ?? "false") === "true" || take("rw") === "false";
  const [unknown] = fields.keys();
  if (unknown !== undefined) throw new FlagError(`invalid mount ${JSON.stringify(spec)}: ${unknown} is not supported`);
  return {
    type,
    target,
    readOnly,
    ...(source === undefined ? {} : { source: type === "bind" ? resolve(source) : source }),
  };
}

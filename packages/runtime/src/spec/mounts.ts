import { InvalidArgument } from "@boxship/base";
import type { HostFacts } from "./host.ts";
import type { OciMount } from "./oci.ts";
import type { SpecRequest } from "./request.ts";

type MountFacts = Pick<HostFacts, "cgroup" | "userNamespace">;

const DEFAULT_SHM_SIZE = 64 * 1024 * 1024;

/**
 * All mounts of a container in the order in which they must be made: Docker's defaults, then the requested ones,
 * parents first. A request on a default's destination replaces it; one on `/dev` replaces everything below it.
 *
 * @throws InvalidArgument a destination that is not absolute, or is given twice
 */
export function resolveMounts(request: SpecRequest, host: MountFacts): readonly OciMount[] {
  const requested = request.mounts ?? [];
  const destinations = new Set<string>();
  for (const { destination } of requested) {
    if (!destination.startsWith("/")) {
      throw new InvalidArgument(`invalid mount path: '${destination}' mount path must be absolute`);
    }
    const clean = cleanPath(destination);
    if (destinations.has(clean)) throw new InvalidArgument(`duplicate mount point: ${clean}`);
    destinations.add(clean);
  }
  const replacesDev = destinations.has("/dev");
  const defaults = defaultMounts(request, host).filter(
    ({ destination }) => !destinations.has(destination) && !(replacesDev && destination.startsWith("/dev/")),
  );
  const sorted = requested
    .map((mount) => ({ ...mount, destination: cleanPath(mount.destination) }))
    .sort((a, b) => depth(a.destination) - depth(b.destination));
  return [...defaults, ...sorted];
}

/** Without `.`, `..`, doubled and trailing slashes. */
function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") parts.pop();
    else parts.push(part);
  }
  return `/${parts.join("/")}`;
}

function depth(path: string): number {
  return path === "/" ? 0 : path.split("/").length;
}

function defaultMounts(request: SpecRequest, host: MountFacts): readonly OciMount[] {
  const writable = request.privileged ? [] : ["ro"];
  const cgroups: OciMount = {
    destination: "/sys/fs/cgroup",
    type: "cgroup",
    source: "cgroup",
    options: [...writable, "nosuid", "noexec", "nodev"],
  };
  return [
    procMount(request, host),
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    sysMount(request),
    // Without groups of its own a container would be shown all of the host's.
    ...(host.cgroup.version === "none" ? [] : [cgroups]),
    mqueueMount(request),
    ...shmMount(request),
  ];
}

/** A user namespace may not mount a proc of the machine's processes: the machine's is bound then. */
function procMount({ namespaces }: SpecRequest, { userNamespace }: MountFacts): OciMount {
  const options = ["nosuid", "noexec", "nodev"];
  if (userNamespace && namespaces?.pid === "host") {
    return { destination: "/proc", type: "bind", source: "/proc", options: ["rbind", ...options] };
  }
  return { destination: "/proc", type: "proc", source: "proc", options };
}

/** A user namespace may not mount a sysfs of a network namespace that is not its own: the host's is bound then. */
function sysMount(request: SpecRequest): OciMount {
  const { user, network } = request.namespaces ?? {};
  const options = ["nosuid", "noexec", "nodev", ...(request.privileged ? [] : ["ro"])];
  if (user !== undefined && network !== undefined && network !== "private" && user.ownsNetwork !== true) {
    return { destination: "/sys", type: "bind", source: "/sys", options: ["rbind", ...options] };
  }
  return { destination: "/sys", type: "sysfs", source: "sysfs", options };
}

/** Nor may it mount the message queues of an IPC namespace that is not its own. */
function mqueueMount({ namespaces }: SpecRequest): OciMount {
  const options = ["nosuid", "noexec", "nodev"];
  const destination = "/dev/mqueue";
  if (namespaces?.user !== undefined && namespaces.ipc === "host") {
    return { destination, type: "bind", source: destination, options: ["rbind", ...options] };
  }
  return { destination, type: "mqueue", source: "mqueue", options };
}

function shmMount(request: SpecRequest): readonly OciMount[] {
  const shm = request.shm ?? (request.namespaces?.ipc === "host" ? "host" : "private");
  if (shm === "none") return [];
  if (shm === "private") {
    const size = request.shmSize ?? DEFAULT_SHM_SIZE;
    if (!Number.isInteger(size) || size <= 0) throw new InvalidArgument(`SHM size can not be less than 0: ${size}`);
    return [
      {
        destination: "/dev/shm",
        type: "tmpfs",
        source: "shm",
        options: ["nosuid", "noexec", "nodev", "mode=1777", `size=${size}`],
      },
    ];
  }
  const source = shm === "host" ? "/dev/shm" : shm.path;
  return [{ destination: "/dev/shm", type: "bind", source, options: ["rbind", "rprivate"] }];
}

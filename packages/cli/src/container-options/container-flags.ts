import { FlagError } from "../failure.ts";
import {
  bool,
  bytes,
  bytesOrUnlimited,
  custom,
  duration,
  type FlagSet,
  type FlagValues,
  integer,
  keyValues,
  list,
  parseBool,
  text,
} from "../flags/flag.ts";
import {
  checkAddress,
  checkDeviceRule,
  checkExtraHost,
  checkLabel,
  checkLink,
  checkSearchDomain,
  checkStream,
  checkSysctl,
  environmentChecker,
} from "./checks.ts";
import { type DeviceRequest, parseGpus } from "./gpus.ts";
import {
  type DeviceLimit,
  parseByteRate,
  parseCpus,
  parseDeviceWeight,
  parseOperationRate,
  parseUlimit,
  type Ulimit,
} from "./limits.ts";
import { type MountRequest, parseMount } from "./mount.ts";
import { type NetworkAttachment, parseNetwork } from "./network.ts";

/** A flag that users of Docker know and that means nothing here: refused by name, never ignored. */
function refused(help: string, reason: string) {
  return custom<undefined>(help, {
    hint: "string",
    hidden: true,
    initial: undefined,
    parse() {
      throw new FlagError(`not supported: ${reason}`);
    },
  });
}

const refusedBool = (help: string, reason: string) => ({ ...refused(help, reason), bare: "true" });

/** Signatures are not checked by this client: what asks for it is refused. */
export const contentTrust = custom<boolean>("Skip image verification", {
  hint: "bool",
  hidden: true,
  initial: true,
  parse(value) {
    if (!parseBool(value)) throw new FlagError("not supported: content trust is not implemented");
    return true;
  },
});

const WINDOWS = "it exists only for Windows containers";

function deviceLimits(help: string, parse: (value: string) => DeviceLimit) {
  return custom<readonly DeviceLimit[]>(help, {
    hint: "list",
    initial: [],
    parse: (value, before) => [...before, parse(value)],
  });
}

const networkFlag = (hidden: boolean) =>
  custom<readonly NetworkAttachment[]>("Connect a container to a network", {
    hint: "network",
    hidden,
    completes: "network",
    choices: ["container:"],
    initial: [],
    parse: (value, before) => [...before, parseNetwork(value)],
  });

const general = {
  annotation: keyValues("Add an annotation to the container (passed through to the OCI runtime)"),
  attach: list("Attach to STDIN, STDOUT or STDERR", { short: "a", check: checkStream }),
  cidfile: text("Write the container ID to the file"),
  entrypoint: text("Overwrite the default ENTRYPOINT of the image"),
  env: list("Set environment variables", { short: "e", check: environmentChecker(process.env) }),
  "env-file": list("Read in a file of environment variables"),
  "group-add": list("Add additional groups to join"),
  hostname: text("Container host name", { short: "h" }),
  domainname: text("Container NIS domain name"),
  init: bool("Run an init inside the container that forwards signals and reaps processes"),
  interactive: bool("Keep STDIN open even if not attached", { short: "i" }),
  label: list("Set meta data on a container", { short: "l", check: checkLabel }),
  "label-file": list("Read in a line delimited file of labels"),
  name: text("Assign a name to the container"),
  platform: text("Set platform if server is multi-platform capable"),
  pull: text('Pull image before creating ("always", "missing", "never")', {
    initial: "missing",
    choices: ["always", "missing", "never"],
  }),
  quiet: bool("Suppress the pull output", { short: "q" }),
  "read-only": bool("Mount the container's root filesystem as read only"),
  restart: text("Restart policy to apply when a container exits", {
    initial: "no",
    choices: ["no", "always", "on-failure", "unless-stopped"],
  }),
  rm: bool("Automatically remove the container and its associated anonymous volumes when it exits"),
  runtime: text("Runtime to use for this container"),
  "stop-signal": text("Signal to stop the container"),
  "stop-timeout": integer("Timeout (in seconds) to stop a container"),
  sysctl: keyValues("Sysctl options", { check: checkSysctl }),
  tty: bool("Allocate a pseudo-TTY", { short: "t" }),
  user: text("Username or UID (format: <name|uid>[:<group|gid>])", { short: "u" }),
  workdir: text("Working directory inside the container", { short: "w" }),
} satisfies FlagSet;

const security = {
  "cap-add": list("Add Linux capabilities"),
  "cap-drop": list("Drop Linux capabilities"),
  cgroupns: text("Cgroup namespace to use (host|private)", { choices: ["host", "private"] }),
  ipc: text("IPC mode to use"),
  pid: text("PID namespace to use"),
  privileged: bool("Give extended privileges to this container"),
  "security-opt": list("Security Options"),
  userns: text("User namespace to use"),
  uts: text("UTS namespace to use"),
} satisfies FlagSet;

const network = {
  "add-host": list("Add a custom host-to-IP mapping (host:ip)", { check: checkExtraHost }),
  dns: list("Set custom DNS servers", { check: checkAddress }),
  "dns-opt": list("Set DNS options", { hidden: true }),
  "dns-option": list("Set DNS options"),
  "dns-search": list("Set custom DNS search domains", { check: checkSearchDomain }),
  expose: list("Expose a port or a range of ports"),
  ip: text("IPv4 address (e.g., 172.30.100.104)"),
  ip6: text("IPv6 address (e.g., 2001:db8::33)"),
  link: list("Add link to another container", { check: checkLink, completes: "running-container" }),
  "link-local-ip": list("Container IPv4/IPv6 link-local addresses"),
  "mac-address": text("Container MAC address (e.g., 92:d0:c6:0a:29:33)"),
  net: networkFlag(true),
  "net-alias": list("Add network-scoped alias for the container", { hidden: true }),
  network: networkFlag(false),
  "network-alias": list("Add network-scoped alias for the container"),
  publish: list("Publish a container's port(s) to the host", { short: "p" }),
  "publish-all": bool("Publish all exposed ports to random ports", { short: "P" }),
} satisfies FlagSet;

const storage = {
  device: list("Add a host device to the container"),
  "device-cgroup-rule": list("Add a rule to the cgroup allowed devices list", { check: checkDeviceRule }),
  "log-driver": text("Logging driver for the container"),
  "log-opt": list("Log driver options"),
  mount: custom<readonly MountRequest[]>("Attach a filesystem mount to the container", {
    hint: "mount",
    initial: [],
    parse: (value, before) => [...before, parseMount(value, process.cwd())],
  }),
  "storage-opt": list("Storage driver options for the container"),
  tmpfs: list("Mount a tmpfs directory"),
  volume: list("Bind mount a volume", { short: "v", completes: "volume" }),
  "volume-driver": text("Optional volume driver for the container"),
  "volumes-from": list("Mount volumes from the specified container(s)", { completes: "container" }),
} satisfies FlagSet;

const health = {
  "health-cmd": text("Command to run to check health"),
  "health-interval": duration("Time between running the check (ms|s|m|h) (default 0s)"),
  "health-retries": integer("Consecutive failures needed to report unhealthy"),
  "health-start-interval": duration("Time between running the check during the start period (ms|s|m|h) (default 0s)"),
  "health-start-period": duration(
    "Start period for the container to initialize before starting health-retries countdown (ms|s|m|h) (default 0s)",
  ),
  "health-timeout": duration("Maximum time to allow one check to run (ms|s|m|h) (default 0s)"),
  "no-healthcheck": bool("Disable any container-specified HEALTHCHECK"),
} satisfies FlagSet;

const limits = {
  "blkio-weight": integer("Block IO (relative weight), between 10 and 1000, or 0 to disable", {
    bits: 16,
    unsigned: true,
  }),
  "blkio-weight-device": deviceLimits("Block IO weight (relative device weight)", parseDeviceWeight),
  "cgroup-parent": text("Optional parent cgroup for the container"),
  "cpu-period": integer("Limit CPU CFS (Completely Fair Scheduler) period"),
  "cpu-quota": integer("Limit CPU CFS (Completely Fair Scheduler) quota"),
  "cpu-rt-period": integer("Limit CPU real-time period in microseconds"),
  "cpu-rt-runtime": integer("Limit CPU real-time runtime in microseconds"),
  "cpu-shares": integer("CPU shares (relative weight)", { short: "c" }),
  cpus: custom<number>("Number of CPUs", { hint: "decimal", initial: 0, parse: parseCpus }),
  "cpuset-cpus": text("CPUs in which to allow execution (0-3, 0,1)"),
  "cpuset-mems": text("MEMs in which to allow execution (0-3, 0,1)"),
  "device-read-bps": deviceLimits("Limit read rate (bytes per second) from a device", parseByteRate),
  "device-read-iops": deviceLimits("Limit read rate (IO per second) from a device", parseOperationRate),
  "device-write-bps": deviceLimits("Limit write rate (bytes per second) to a device", parseByteRate),
  "device-write-iops": deviceLimits("Limit write rate (IO per second) to a device", parseOperationRate),
  gpus: custom<readonly DeviceRequest[]>("GPU devices to add to the container ('all' to pass all GPUs)", {
    hint: "gpu-request",
    initial: [],
    parse: (value, before) => [...before, parseGpus(value)],
  }),
  memory: bytes("Memory limit", { short: "m" }),
  "memory-reservation": bytes("Memory soft limit"),
  "memory-swap": bytesOrUnlimited("Swap limit equal to memory plus swap: '-1' to enable unlimited swap"),
  "memory-swappiness": integer("Tune container memory swappiness (0 to 100)", { initial: -1 }),
  "oom-kill-disable": bool("Disable OOM Killer"),
  "oom-score-adj": integer("Tune host's OOM preferences (-1000 to 1000)"),
  "pids-limit": integer("Tune container pids limit (set -1 for unlimited)"),
  "shm-size": bytes("Size of /dev/shm"),
  ulimit: custom<readonly Ulimit[]>("Ulimit options", {
    hint: "ulimit",
    initial: [],
    parse(value, before) {
      const limit = parseUlimit(value);
      return [...before.filter(({ Name }) => Name !== limit.Name), limit];
    },
  }),
} satisfies FlagSet;

const unsupported = {
  "cpu-count": refused("CPU count", WINDOWS),
  "cpu-percent": refused("CPU percent", WINDOWS),
  "disable-content-trust": { ...contentTrust, bare: "true" },
  "io-maxbandwidth": refused("Maximum IO bandwidth", WINDOWS),
  "io-maxiops": refused("Maximum IOps", WINDOWS),
  isolation: refused("Container isolation technology", WINDOWS),
  "kernel-memory": refused("Kernel memory limit", "Linux dropped kernel memory limits; use --memory"),
  "use-api-socket": refusedBool("Bind mount the API socket", "mount the engine's socket with --volume"),
} satisfies FlagSet;

/** Flags of `create` and `run`. */
export const containerFlags = {
  ...general,
  ...security,
  ...network,
  ...storage,
  ...health,
  ...limits,
  ...unsupported,
} satisfies FlagSet;

export type ContainerFlags = FlagValues<typeof containerFlags>;

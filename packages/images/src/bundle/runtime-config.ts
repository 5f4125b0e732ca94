import { readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { InvalidArgument, systemCode } from "@boxship/base";
import type { ImageConfig } from "@boxship/oci";

const CAPABILITIES = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];
const MOUNTS = [
  { destination: "/proc", type: "proc", source: "proc" },
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
  {
    destination: "/dev/shm",
    type: "tmpfs",
    source: "shm",
    options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
  },
  { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] },
  { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
];
const MASKED = [
  "/proc/kcore",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/sys/firmware",
  "/proc/scsi",
];
const READ_ONLY = ["/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/** The `config.json` of a bundle (OCI runtime specification), from an image's configuration (its conversion.md). */
export function runtimeConfig({ config = {} }: ImageConfig, rootfs: string): object {
  const args = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  const env = config.Env ?? [];
  const path = env.some((entry) => entry.startsWith("PATH="))
    ? []
    : ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];
  return {
    ociVersion: "1.0.2",
    process: {
      terminal: true,
      user: user(config.User ?? "", rootfs),
      args: args.length === 0 ? ["sh"] : args,
      env: [...path, ...env],
      cwd: config.WorkingDir || "/",
      capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
      rlimits: [{ type: "RLIMIT_NOFILE", hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: "rootfs" },
    hostname: "bundle",
    mounts: MOUNTS,
    annotations: config.Labels ?? {},
    linux: {
      namespaces: ["pid", "network", "ipc", "uts", "mount"].map((type) => ({ type })),
      maskedPaths: MASKED,
      readonlyPaths: READ_ONLY,
    },
  };
}

/** `user[:group]` by number, or by the names that the tree's own files know. @throws InvalidArgument for others */
function user(text: string, rootfs: string): { readonly uid: number; readonly gid: number } {
  const [name = "", group = ""] = text.split(":");
  const known = name === "" ? undefined : lineOf(rootfs, "etc/passwd", name);
  const uid = number(name, known?.[2], "user");
  const gid = group === "" ? Number(known?.[3] ?? 0) : number(group, lineOf(rootfs, "etc/group", group)?.[2], "group");
  return { uid, gid };
}

function number(name: string, found: string | undefined, what: string): number {
  if (name === "") return 0;
  if (/^\d+$/.test(name)) return Number(name);
  if (found !== undefined && /^\d+$/.test(found)) return Number(found);
  throw new InvalidArgument(`the image's ${what} ${JSON.stringify(name)} is not in its own files`);
}

function lineOf(rootfs: string, file: string, name: string): readonly string[] | undefined {
  try {
    // A link may lead out of the tree.
    const path = realpathSync(join(rootfs, file));
    if (!path.startsWith(`${realpathSync(rootfs)}/`)) return undefined;
    const lines = readFileSync(path, "utf8").split("\n");
    return lines.map((line) => line.split(":")).find(([first, , id]) => first === name || id === name);
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return undefined;
    throw error;
  }
}

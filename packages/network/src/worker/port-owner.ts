import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface PortOwner {
  readonly pid: number;
  /** As /proc/PID/comm has it. */
  readonly command: string;
}

export interface PortQuery {
  readonly protocol: "tcp" | "udp";
  readonly port: number;
}

const TCP_LISTEN = "0A";

/**
 * The process that holds a local port in the calling thread's network namespace, or undefined when it cannot be found
 * (it is the kernel's, or in another pid namespace). Reads the descriptors of every process: for error messages only.
 */
export function findPortOwner(_context: unknown, query: PortQuery): PortOwner | undefined {
  const inodes = new Set(
    [query.protocol, `${query.protocol}6`].flatMap((name) => socketInodes(`/proc/thread-self/net/${name}`, query)),
  );
  if (inodes.size === 0) return undefined;
  for (const entry of readdirSync("/proc")) {
    if (/^\d+$/.test(entry) && holds(entry, inodes)) {
      return { pid: Number(entry), command: readText(`/proc/${entry}/comm`).trimEnd() };
    }
  }
  return undefined;
}

/** Inodes of the sockets in a table of proc(5) that are bound to the port; for TCP only listening ones. */
function socketInodes(table: string, { protocol, port }: PortQuery): string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return readText(table)
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const fields = line.trim().split(/\s+/);
      const [, local, , state] = fields;
      const inode = fields[9];
      if (local?.endsWith(`:${hex}`) !== true || inode === undefined || inode === "0") return [];
      return protocol === "udp" || state === TCP_LISTEN ? [inode] : [];
    });
}

function holds(pid: string, inodes: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
      return inode !== undefined && inodes.has(inode);
    });
  } catch {
    // The process, or the descriptor, is gone: not the owner any more.
    return false;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

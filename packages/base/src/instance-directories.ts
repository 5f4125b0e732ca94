import { join } from "node:path";

/** Where an instance of a name lives. */
export interface InstanceDirectories {
  /** Durable state. */
  readonly root: string;
  /** Sockets, process ids, mounts: gone after a reboot. */
  readonly runDir: string;
}

export interface InstanceOwner {
  readonly env: NodeJS.ProcessEnv;
  /** @default the effective user of this process */
  readonly uid?: number;
}

export const DEFAULT_INSTANCE = "boxship";

/** For people whose name is not one. */
export const INSTANCE_NAME_RULE =
  "use up to 9 lower-case letters, digits and hyphens, a letter first: it becomes part of interface names";

/** Whether a name may become part of paths and of names of links, tables and control groups. */
export function isInstanceName(name: string): boolean {
  return /^[a-z][a-z0-9-]{0,8}$/.test(name);
}

/**
 * The machine's directories for root; for everybody else the user's own, after the XDG base directory specification.
 * Without `XDG_RUNTIME_DIR` it is a directory in `/tmp` that carries the user's id.
 */
export function instanceDirectories(name: string, owner: InstanceOwner): InstanceDirectories {
  const { env, uid = process.geteuid?.() ?? 0 } = owner;
  const suffix = name === DEFAULT_INSTANCE ? "" : `-${name}`;
  if (uid === 0) return { root: `/var/lib/boxship${suffix}`, runDir: `/run/boxship${suffix}` };
  const data = absolute(env["XDG_DATA_HOME"]) ?? join(absolute(env["HOME"]) ?? `/home/${uid}`, ".local/share");
  const runtime = absolute(env["XDG_RUNTIME_DIR"]);
  return {
    root: join(data, `boxship${suffix}`),
    runDir: runtime === undefined ? `/tmp/boxship-${uid}/boxship${suffix}` : join(runtime, `boxship${suffix}`),
  };
}

/** The specification says that relative paths are to be ignored. */
function absolute(path: string | undefined): string | undefined {
  return path?.startsWith("/") === true ? path : undefined;
}

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

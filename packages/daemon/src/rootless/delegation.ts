import { accessSync, constants, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { errorMessage, FailedPrecondition, findProgram, type Logger, sleep, systemClock } from "@boxship/base";
import { type CgroupHost, detectCgroups, lgetxattr, openCgroupTree, runProcess } from "@boxship/kernel";

/**
 * Control groups that were given to a user, on the machine's side: a directory of the v2 tree that the user may write to.
 * Below it an instance has a group of its own, which its namespaces show as the root of the tree:
 *
 *     what was given     a scope of systemd's, or the group that the engine was started in
 *       INSTANCE         the root of the tree inside; has no processes, so that its children can have controllers
 *         engine         the daemon, its helpers, the monitors of containers
 *         INSTANCE/ID    a container
 */

const PATIENCE_MS = 10_000;
const POLL_MS = 5;
const ENGINE = "/engine";

export interface DelegationOptions {
  readonly name: string;
  readonly logger: Logger;
  /** @default this process's */
  readonly env?: NodeJS.ProcessEnv;
  /** The trees of the machine. @default this machine's */
  readonly host?: CgroupHost;
  /** Text of `/proc/self/cgroup`. @default this process's, read again each time */
  readonly membership?: () => string;
}

/**
 * Finds a group that this user may divide, or has one made by the user's systemd, and moves this process into a group of the
 * instance in it.
 *
 * @returns the instance's group, a directory; undefined where none is given to users
 */
export async function claimDelegation(options: DelegationOptions): Promise<string | undefined> {
  const given = await givenGroup(options);
  if (given === undefined) return undefined;
  const tree = treeAt(given);
  const group = tree.open(`/${options.name}`);
  const base = join(given, options.name);
  mkdirSync(base, { recursive: true });
  // Controllers can be given on only by a group without processes: ours must not be the one that is in the way.
  await group.addProcess(process.pid);
  try {
    await tree.create(group.name);
  } catch (error) {
    options.logger.warn("a control group holds other processes too, so its limits cannot be used", {
      group: given,
      error: errorMessage(error),
    });
  }
  return base;
}

/** Moves processes to where those of the engine are, out of the way of containers' groups. */
export async function enterEngineGroup(base: string, pids: readonly number[]): Promise<void> {
  mkdirSync(join(base, ENGINE), { recursive: true });
  const group = treeAt(base).open(ENGINE);
  for (const pid of pids) await group.addProcess(pid);
}

/**
 * Moves this process into the group of an instance that was started earlier, perhaps from another session.
 *
 * @throws FailedPrecondition where that is not permitted
 */
export async function rejoinDelegation(base: string, options: DelegationOptions): Promise<void> {
  try {
    await enterEngineGroup(base, [process.pid]);
  } catch {
    // From outside of what was given to the user nothing can be moved into it.
    await askSystemd(options);
    try {
      await enterEngineGroup(base, [process.pid]);
    } catch (error) {
      throw new FailedPrecondition(`this process may not enter the control group ${base}: ${errorMessage(error)}`, {
        subject: { kind: "cgroup", name: base },
        remedy: "start the engine from where it was started first, or end its containers before",
        cause: error,
      });
    }
  }
}

async function givenGroup(options: DelegationOptions): Promise<string | undefined> {
  const own = ownGroup(options);
  if (own !== undefined && isWritable(own) && (isMarked(own) || !hasUserManager(options))) return own;
  if (own === undefined || !hasUserManager(options) || !(await askSystemd(options))) return undefined;
  const made = ownGroup(options);
  return made !== undefined && isWritable(made) ? made : undefined;
}

/** A v2 tree of which only what was given is used: its controllers are those that this directory offers. */
function treeAt(directory: string) {
  const text = readFileSync(join(directory, "cgroup.controllers"), "utf8").trim();
  const controllers = new Set(text === "" ? [] : text.split(" "));
  return openCgroupTree({ layout: "v2", hierarchies: new Map(), unified: directory, controllers });
}

/** The directory of this process's group in the v2 tree. */
function ownGroup({ host = machineTrees(), membership = ownMembership }: DelegationOptions): string | undefined {
  const path = /^0::(\/.*)$/m.exec(membership())?.[1];
  // A group that lies outside of what this mount shows begins with "/..".
  if (host?.unified === undefined || path === undefined || path.startsWith("/..")) return undefined;
  return join(host.unified, path);
}

const ownMembership = (): string => readFileSync("/proc/self/cgroup", "utf8");

function machineTrees(): CgroupHost | undefined {
  try {
    return detectCgroups({ onlyWritable: false });
  } catch {
    // A machine without any.
    return undefined;
  }
}

/** What a group must let its owner do to be divided; see cgroup-v2(7), "Delegation". */
function isWritable(directory: string): boolean {
  try {
    for (const file of ["", "cgroup.procs", "cgroup.subtree_control"]) {
      accessSync(join(directory, file), constants.W_OK);
    }
    return true;
  } catch {
    return false;
  }
}

/** Set by systemd on the groups of units with `Delegate=`; in all others it may remove what it does not know. */
function isMarked(directory: string): boolean {
  try {
    return lgetxattr(directory, "user.delegate")?.toString() === "1";
  } catch {
    return false;
  }
}

function busOf(env: NodeJS.ProcessEnv): string | undefined {
  const socket = env["XDG_RUNTIME_DIR"] === undefined ? undefined : `${env["XDG_RUNTIME_DIR"]}/bus`;
  return socket !== undefined && existsSync(socket) ? `unix:path=${socket}` : env["DBUS_SESSION_BUS_ADDRESS"];
}

function hasUserManager({ env = process.env }: DelegationOptions): boolean {
  return busOf(env) !== undefined && findProgram("busctl") !== undefined;
}

/**
 * Has the user's systemd put this process into a scope whose group is the user's to divide. Only the machine's systemd may
 * move processes from a login session there; the user's asks it for that.
 *
 * @returns whether this process is there now
 */
async function askSystemd(options: DelegationOptions): Promise<boolean> {
  const { env = process.env, logger, name } = options;
  const [bus, busctl] = [busOf(env), findProgram("busctl")];
  if (bus === undefined || busctl === undefined) return false;
  const unit = `boxship-${name}-${process.pid}.scope`;
  const manager = ["org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"];
  const properties = [
    ...["Description", "s", `container engine ${name}`],
    ...["CollectMode", "s", "inactive-or-failed"],
    ...["Delegate", "b", "true"],
    ...["PIDs", "au", "1", String(process.pid)],
  ];
  const call = ["StartTransientUnit", "ssa(sv)a(sa(sv))", unit, "fail", "4", ...properties, "0"];
  const variables = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const result = await runProcess({
    file: busctl,
    args: ["--user", "call", ...manager, ...call],
    env: { ...Object.fromEntries(variables), DBUS_SESSION_BUS_ADDRESS: bus },
    timeout: PATIENCE_MS,
  });
  const deadline = systemClock.monotonic() + PATIENCE_MS;
  while (result.code === 0 && systemClock.monotonic() < deadline) {
    if (ownGroup(options)?.endsWith(`/${unit}`)) return true;
    await sleep(systemClock, POLL_MS);
  }
  logger.warn("systemd gives no control group, so containers have no limits", {
    unit,
    error: result.stderr.toString().trim() || "the unit was not started",
  });
  return false;
}

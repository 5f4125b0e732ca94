import { findProgram } from "@boxship/base";
import { FailedPrecondition, InvalidArgument } from "@boxship/base/errors";
import { CurrentDirectory, MountFlag, mount, OpenFlag, openat, spawnProcess } from "@boxship/kernel";
import type { OverlayMount } from "./overlay-mount.ts";

const PROGRAM = "fuse-overlayfs";
const CHANNEL = 3;

/**
 * Mounts an overlay by fuse-overlayfs, for users whose kernel does not let them mount one. The mount is there at once, and
 * answers when the program does. The program belongs to the mount: it is in a session of its own, lives on when we end,
 * and ends when the mount goes, in whatever way. When it is killed, files of the mount cannot be reached (ENOTCONN) until
 * it is unmounted and mounted again.
 *
 * @throws FailedPrecondition without the program; a SyscallError where `/dev/fuse` cannot be opened
 */
export function mountFuseOverlay({ lowers, upper, work, target, options }: OverlayMount): void {
  const file = findProgram(PROGRAM);
  if (file === undefined) {
    throw new FailedPrecondition(`${PROGRAM} is not installed`, {
      subject: { kind: "program", name: PROGRAM },
      remedy: `install the package ${PROGRAM}`,
    });
  }
  const places = [`lowerdir=${lowers.map(place).join(":")}`, `upperdir=${place(upper)}`, `workdir=${place(work)}`];
  using channel = openat(CurrentDirectory, "/dev/fuse", OpenFlag.ReadWrite);
  mount({
    source: PROGRAM,
    target,
    type: `fuse.${PROGRAM}`,
    data: `fd=${channel.number},rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other`,
    flags: options.readOnly === true ? MountFlag.ReadOnly : 0,
  });
  // Once nobody has the channel the mount answers ENOTCONN, whatever became of the program.
  const server = spawnProcess({
    file,
    args: ["-f", "-o", places.join(","), `/dev/fd/${CHANNEL}`],
    stdio: { [CHANNEL]: channel },
    setsid: true,
    cwd: "/",
  });
  server.unref();
}

/** A path as the program takes it apart again. */
function place(path: string): string {
  if (!/[:,\\]/.test(path)) return path;
  throw new InvalidArgument(`${PROGRAM} takes no directory with a comma, a colon or a backslash: ${path}`);
}

import { chmod, chown, readFile, rm } from "node:fs/promises";
import type { Server } from "node:net";
import { FailedPrecondition, type Logger } from "@boxship/base";
import { inUserNamespace } from "@boxship/kernel";

/**
 * Listens on a unix socket that root and one group may use (0660), or in a user namespace its root alone. A socket file that a dead daemon left is replaced:
 * the caller holds the instance's lock, so nobody listens on it.
 */
export async function listenUnix(
  server: Server,
  path: string,
  group: string | undefined,
  logger: Logger,
): Promise<void> {
  await rm(path, { force: true });
  const gid = inUserNamespace() ? undefined : await groupId(group, logger);
  // Nobody may connect between bind(2) and chmod(2): the umask makes it root's alone until then.
  const umask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, () => {
        server.off("error", reject);
        resolve();
      });
    });
  } finally {
    process.umask(umask);
  }
  if (gid !== undefined) await chown(path, 0, gid);
  await chmod(path, gid === undefined ? 0o600 : 0o660);
}

/** The group that was asked for, else `boxship` where it exists, else root's. */
async function groupId(group: string | undefined, logger: Logger): Promise<number> {
  const entries = (await readFile("/etc/group", "utf8")).split("\n").map((line) => line.split(":"));
  const find = (name: string) => entries.find(([entry]) => entry === name)?.[2];
  if (group !== undefined) {
    const gid = /^\d+$/.test(group) ? group : find(group);
    if (gid === undefined) {
      throw new FailedPrecondition(`group ${group} does not exist`, { remedy: `make it with: groupadd ${group}` });
    }
    return Number(gid);
  }
  const own = find("boxship");
  if (own === undefined) logger.debug("no group boxship: only root can use the socket");
  return own === undefined ? 0 : Number(own);
}

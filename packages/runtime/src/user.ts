import { fstatSync, readFileSync } from "node:fs";
import { InvalidArgument, systemCode } from "@boxship/base";
import { CurrentDirectory, type Fd, OpenFlag, openat, openat2, ResolveFlag } from "@boxship/kernel";

/** Who a process runs as, in numbers. */
export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  /** The primary group first, then the others. */
  readonly additionalGids: readonly number[];
  /** From the passwd file, `/` without an entry. */
  readonly home: string;
}

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

const MOST_ID = 2 ** 31 - 1;
const LARGEST_FILE = 16 * 1024 * 1024;

/**
 * Resolves `user[:group]` as Docker does: names and numbers against `/etc/passwd` and `/etc/group` inside `rootfs`,
 * read so that no symbolic link leads out of it. Without a group the entry's primary group and all groups that list the
 * user count; a number without an entry is taken as it is, with group 0.
 *
 * @param specification empty is root
 * @param groupAdd further groups, by name or number
 * @param imageGroups see {@link ImageGroups}
 * @throws InvalidArgument `unable to find user X: no matching entries in passwd file`, and the like for groups
 */
export function resolveUser(
  rootfs: string,
  specification: string,
  groupAdd: readonly string[] = [],
  imageGroups?: ImageGroups,
): ResolvedUser {
  using root = openat(CurrentDirectory, rootfs, OpenFlag.Path | OpenFlag.Directory);
  return resolveUserIn(
    specification,
    groupAdd,
    {
      passwd: () => readInside(root, "etc/passwd"),
      group: () => readInside(root, "etc/group"),
    },
    imageGroups,
  );
}

/** The text of the two files, read when needed; empty when a file does not exist. */
export interface UserFiles {
  passwd(): string;
  group(): string;
}

/** Whether a user has the groups that the image's `/etc/group` puts it into; by itself, where no group is named. */
export type ImageGroups = "always" | "never";

export function resolveUserIn(
  specification: string,
  groupAdd: readonly string[],
  files: UserFiles,
  imageGroups?: ImageGroups,
): ResolvedUser {
  const colon = specification.indexOf(":");
  const userPart = colon === -1 ? specification : specification.slice(0, colon);
  const groupPart = colon === -1 ? "" : specification.slice(colon + 1);
  const entry = findUser(userPart, files);
  const groups = groupPart !== "" || entry.name !== "" || groupAdd.length > 0 ? parseGroup(files.group()) : [];
  const explicit = groupPart === "" ? undefined : findGroup(groupPart, groups);
  const gid = explicit ?? entry.gid;
  const isIn = imageGroups === undefined ? groupPart === "" : imageGroups === "always";
  const supplementary = isIn && entry.name !== "" ? groups.filter(({ members }) => members.includes(entry.name)) : [];
  const added = groupAdd.map((group) => findGroup(group, groups));
  const all = new Set([gid, ...supplementary.map((group) => group.gid), ...added]);
  return { uid: entry.uid, gid, additionalGids: [...all], home: entry.home === "" ? "/" : entry.home };
}

function findUser(user: string, files: UserFiles): PasswdEntry {
  const entries = parsePasswd(files.passwd());
  const number = idNumber(user);
  const found = entries.find((entry) =>
    user === "" ? entry.uid === 0 : entry.name === user || (number !== undefined && entry.uid === number),
  );
  if (found !== undefined) return found;
  if (user === "") return { name: "", uid: 0, gid: 0, home: "" };
  if (number === undefined) {
    throw new InvalidArgument(`unable to find user ${user}: no matching entries in passwd file`, {
      subject: { kind: "user", name: user },
    });
  }
  return { name: "", uid: checkRange(number), gid: 0, home: "" };
}

function findGroup(group: string, groups: readonly GroupEntry[]): number {
  const number = idNumber(group);
  const found = groups.find((entry) => entry.name === group || (number !== undefined && entry.gid === number));
  if (found !== undefined) return found.gid;
  if (number !== undefined) return checkRange(number);
  throw new InvalidArgument(`unable to find group ${group}: no matching entries in group file`, {
    subject: { kind: "group", name: group },
  });
}

function idNumber(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function checkRange(id: number): number {
  if (id > MOST_ID) throw new InvalidArgument(`uids and gids must be in range 0-${MOST_ID}`);
  return id;
}

/** Lines that are not entries are skipped, as libc does. */
export function parsePasswd(text: string): readonly PasswdEntry[] {
  const entries: PasswdEntry[] = [];
  for (const line of text.split("\n")) {
    const [name = "", , uid = "", gid = "", , home = ""] = line.trim().split(":");
    if (name === "" || name.startsWith("#") || idNumber(uid) === undefined) continue;
    entries.push({ name, uid: Number(uid), gid: idNumber(gid) ?? 0, home });
  }
  return entries;
}

export function parseGroup(text: string): readonly GroupEntry[] {
  const entries: GroupEntry[] = [];
  for (const line of text.split("\n")) {
    const [name = "", , gid = "", members = ""] = line.trim().split(":");
    if (name === "" || name.startsWith("#") || idNumber(gid) === undefined) continue;
    entries.push({ name, gid: Number(gid), members: members.split(",").filter((member) => member !== "") });
  }
  return entries;
}

function readInside(root: Fd, path: string): string {
  try {
    // Without O_NONBLOCK a FIFO of that name would hold us up.
    using file = openat2(root, path, {
      flags: OpenFlag.ReadOnly | OpenFlag.NonBlock | OpenFlag.NoControllingTerminal,
      resolve: ResolveFlag.InRoot | ResolveFlag.NoMagiclinks,
    });
    const stats = fstatSync(file.number);
    if (!stats.isFile()) return "";
    if (stats.size > LARGEST_FILE) throw new InvalidArgument(`/${path} of the container is larger than 16 MiB`);
    return readFileSync(file.number, "utf8");
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT" || code === "ENOTDIR" || code === "ELOOP" || code === "ENXIO") return "";
    throw error;
  }
}

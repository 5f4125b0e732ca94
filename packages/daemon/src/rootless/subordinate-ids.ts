import { FailedPrecondition, readIfPresent } from "@boxship/base";
import { type IdKind, SUBORDINATE_FILES, type SubordinateRange, subordinateLines } from "@boxship/kernel";

/** What the user's namespaces are made of. */
export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** Enough for every id that images of distributions use, `nobody` (65534) among them. */
const WANTED = 65_536;
const FIRST_OF_ALL = 100_000;

/**
 * The ranges of a user, by name or number.
 *
 * @param text of the file, @default `/etc/subuid` or `/etc/subgid`
 * @throws FailedPrecondition with the command that gives the user a range nobody has
 */
export function subordinateRanges(
  kind: IdKind,
  user: User,
  text = readIfPresent(SUBORDINATE_FILES[kind]) ?? "",
): readonly SubordinateRange[] {
  const lines = subordinateLines(text);
  const own = lines.filter(({ owner }) => owner === user.name || owner === String(user.uid));
  if (own.length > 0) return own.map(({ first, count }) => ({ first, count }));
  const free = Math.max(FIRST_OF_ALL, ...lines.map(({ first, count }) => first + count));
  const range = `${free}-${free + WANTED - 1}`;
  throw new FailedPrecondition(`user ${user.name} has no subordinate ${kind}s in ${SUBORDINATE_FILES[kind]}`, {
    subject: { kind: "user", name: user.name },
    remedy: `let root run: usermod --add-subuids ${range} --add-subgids ${range} ${user.name}`,
  });
}

/**
 * Arguments of newuidmap(1) or newgidmap(1) after the process id: root inside is the user, the ids from 1 on are the
 * subordinate ones.
 */
export function mapArguments(own: number, ranges: readonly SubordinateRange[]): readonly string[] {
  let inside = 1;
  const mapped = ranges.flatMap(({ first, count }) => {
    const start = inside;
    inside += count;
    return [start, first, count];
  });
  return [0, own, 1, ...mapped].map(String);
}

/** The user this process runs as. @param passwd text of `/etc/passwd` */
export function currentUser(passwd = readIfPresent("/etc/passwd") ?? ""): User {
  const uid = process.geteuid?.() ?? 0;
  const gid = process.getegid?.() ?? 0;
  const entry = passwd
    .split("\n")
    .map((line) => line.split(":"))
    .find(([, , id]) => id === String(uid));
  return { name: entry?.[0] ?? process.env["USER"] ?? String(uid), uid, gid };
}

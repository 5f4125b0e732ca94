import { appendFileSync } from "node:fs";
import { FailedPrecondition, InvalidArgument, readIfPresent } from "@boxship/base";
import {
  type IdKind,
  type IdMaps,
  type IdRange,
  SUBORDINATE_FILES,
  type SubordinateRange,
  subordinateLines,
} from "@boxship/kernel";

/** Who has the ids of `default`: Docker's own user where it exists. */
const DEFAULT_USERS = ["dockremap", "boxremap"] as const;
const WANTED = 65_536;
const FIRST_OF_ALL = 100_000;

/** Where names and ranges are looked up. */
export interface IdFiles {
  /** @default "/etc/passwd" */
  readonly passwd?: string;
  /** @default "/etc/group" */
  readonly group?: string;
  /** @default "/etc/subuid" */
  readonly subuid?: string;
  /** @default "/etc/subgid" */
  readonly subgid?: string;
}

/**
 * The ids of containers for `--userns-remap`, in Docker's words: `default`, `USER`, `USER:GROUP`, as names or numbers. The
 * ranges are those that subuid(5) and subgid(5) give. For `default` ranges are taken, and entered there, when nobody has
 * them yet.
 *
 * @throws InvalidArgument, FailedPrecondition
 */
export function remapIds(remap: string, files: IdFiles = {}): IdMaps {
  const [user = "", group = user, ...rest] = remap.split(":");
  if (user === "" || group === "" || rest.length > 0) {
    throw new InvalidArgument(`invalid userns-remap ${JSON.stringify(remap)}`, {
      remedy: "write default, USER or USER:GROUP",
    });
  }
  if (user === "root" || user === "0") {
    throw new InvalidArgument("root cannot be remapped with itself", {
      remedy: "write default, or a user of the containers' ids",
    });
  }
  if (remap === "default") return defaultIds(files);
  return {
    uids: rangesOf("uid", namesOf(user, files.passwd ?? "/etc/passwd"), files),
    gids: rangesOf("gid", namesOf(group, files.group ?? "/etc/group"), files),
  };
}

/** A user or group by name and number, whichever of them was given. */
function namesOf(given: string, file: string): readonly string[] {
  const entries = (readIfPresent(file) ?? "").split("\n").map((line) => line.split(":"));
  const numeric = /^\d+$/.test(given);
  const entry = entries.find(([name, , id]) => (numeric ? id : name) === given);
  const [name, , id] = entry ?? [];
  return [...new Set([given, ...(name === undefined ? [] : [name]), ...(id === undefined ? [] : [id])])];
}

function fileOf(kind: IdKind, files: IdFiles): string {
  return (kind === "uid" ? files.subuid : files.subgid) ?? SUBORDINATE_FILES[kind];
}

function rangesOf(kind: IdKind, owners: readonly string[], files: IdFiles): readonly IdRange[] {
  const file = fileOf(kind, files);
  const own = subordinateLines(readIfPresent(file) ?? "").filter(({ owner }) => owners.includes(owner));
  if (own.length > 0) return inARow(own);
  const what = kind === "uid" ? "user" : "group";
  throw new FailedPrecondition(`no sub${kind} ranges found for ${what} "${owners[0]}"`, {
    subject: { kind: what, name: owners[0] ?? "" },
    remedy: `enter a line such as ${owners[0]}:${FIRST_OF_ALL}:${WANTED} in ${file}, or use default`,
  });
}

/** Several ranges follow each other inside. */
function inARow(ranges: readonly SubordinateRange[]): readonly IdRange[] {
  let inside = 0;
  return ranges.map(({ first, count }) => {
    const range = { inside, outside: first, count };
    inside += count;
    return range;
  });
}

function defaultIds(files: IdFiles): IdMaps {
  const kinds = ["uid", "gid"] as const;
  const lines = (kind: IdKind) => subordinateLines(readIfPresent(fileOf(kind, files)) ?? "");
  const user = DEFAULT_USERS.find((name) => kinds.every((kind) => lines(kind).some(({ owner }) => owner === name)));
  if (user !== undefined) return { uids: rangesOf("uid", [user], files), gids: rangesOf("gid", [user], files) };
  const taken = kinds.flatMap((kind) => lines(kind).map(({ first, count }) => first + count));
  const first = Math.max(FIRST_OF_ALL, ...taken);
  for (const kind of kinds) {
    const file = fileOf(kind, files);
    const text = readIfPresent(file) ?? "";
    const separator = text === "" || text.endsWith("\n") ? "" : "\n";
    appendFileSync(file, `${separator}${DEFAULT_USERS[1]}:${first}:${WANTED}\n`, { mode: 0o644 });
  }
  const range = [{ inside: 0, outside: first, count: WANTED }];
  return { uids: range, gids: range };
}

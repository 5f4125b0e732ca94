import { lstat, mkdir, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { programCommand } from "@boxship/base/entry";
import { quoteWord } from "@boxship/base/shell-word";
import { socketAnswers } from "@boxship/base/socket-answers";

/** What was done, or why not, as a sentence for the user. */
export interface AliasResult {
  readonly done: boolean;
  readonly message: string;
}

/** One of the two names that Docker is known by. Both directions are idempotent, and touch only what is ours. */
export interface AliasPart {
  make(): Promise<AliasResult>;
  undo(): Promise<AliasResult>;
}

const done = (message: string): AliasResult => ({ done: true, message });
const refused = (message: string): AliasResult => ({ done: false, message });

/** A link at `path` to the engine's own socket. A socket that somebody answers on stays whatever it is. */
export function dockerSocketAlias(path: string, engine: string): AliasPart {
  return {
    async make() {
      const found = await kindOf(path);
      if (found === "link" && (await readlink(path)) === engine) return done(`${path} is ${engine} already`);
      if (found === "other") return refused(`${path} is no socket: it stays as it is`);
      if (found !== "absent" && (await socketAnswers(path))) {
        return refused(`${path} belongs to another engine that is running: it stays as it is`);
      }
      if (found === "socket") return refused(`${path} is the socket of another engine: it stays as it is`);
      if (found === "link") return refused(`${path} is a link to ${await readlink(path)}: it stays as it is`);
      await mkdir(dirname(path), { recursive: true });
      await symlink(engine, path);
      return done(`${path} is ${engine} now; /run is empty after a restart of the machine: do it again then`);
    },
    async undo() {
      const found = await kindOf(path);
      if (found !== "link" || (await readlink(path)) !== engine) return done(`${path} is not ours: nothing to undo`);
      await rm(path);
      return done(`${path} is gone`);
    },
  };
}

const MARK = "# made by boxship system alias";

/** A `docker` command that runs this program, where the path has none. */
export function dockerCommandAlias(path: string, searched: string): AliasPart {
  return {
    async make() {
      const [program, ...args] = programCommand();
      const script = `#!/bin/sh\n${MARK}\nexec ${[program, ...args].map(quoteWord).join(" ")} "$@"\n`;
      const existing = await firstOf([path, ...searched.split(delimiter).map((place) => join(place, "docker"))]);
      if (existing !== undefined && !(await isOurs(existing))) {
        return refused(`${existing} is another docker command: it stays as it is`);
      }
      const place = existing ?? path;
      await mkdir(dirname(place), { recursive: true });
      await writeFile(place, script, { mode: 0o755 });
      return done(`${place} runs ${[program, ...args].join(" ")}`);
    },
    async undo() {
      if ((await kindOf(path)) === "absent" || !(await isOurs(path))) {
        return done(`${path} is not ours: nothing to undo`);
      }
      await rm(path);
      return done(`${path} is gone`);
    },
  };
}

async function kindOf(path: string): Promise<"absent" | "socket" | "link" | "other"> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw error;
  });
  if (found === undefined) return "absent";
  if (found.isSocket()) return "socket";
  return found.isSymbolicLink() ? "link" : "other";
}

async function firstOf(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if ((await kindOf(path)) !== "absent") return path;
  return undefined;
}

async function isOurs(path: string): Promise<boolean> {
  if ((await kindOf(path)) !== "other") return false;
  return (await readFile(path)).subarray(0, 200).includes(MARK);
}

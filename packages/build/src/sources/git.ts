import { join } from "node:path";
import {
  FailedPrecondition,
  findProgram,
  hideCredentials,
  InvalidArgument,
  NotFound,
  systemCode,
  Unsupported,
} from "@boxship/base";
import { runProcess } from "@boxship/kernel";
import { removeTreeAway } from "@boxship/storage";
import { directoryInside } from "../files/directory-inside.ts";
import type { BuildSession } from "../solver/session.ts";

/** A repository as users write it: `https://host/name.git#reference:directory`. */
export interface GitUrl {
  readonly remote: string;
  /** Branch, tag or commit; empty is the remote's default. */
  readonly reference: string;
  /** Below the repository's root; empty is the root. */
  readonly directory: string;
}

/**
 * Reads the address of a repository: `git://…`, `ssh://…`, `git@host:path`, `http(s)://….git`, `github.com/…`; each with
 * `#reference:directory`. Undefined for anything else.
 */
export function gitUrl(text: string): GitUrl | undefined {
  const hash = text.indexOf("#");
  const address = hash === -1 ? text : text.slice(0, hash);
  const fragment = hash === -1 ? "" : text.slice(hash + 1);
  const isRepository =
    /^(?:git|ssh):\/\//.test(address) ||
    /^[\w.-]+@[\w.-]+:/.test(address) ||
    /^https?:\/\/.*\.git\/?$/.test(address) ||
    address.startsWith("github.com/");
  if (!isRepository) return undefined;
  const colon = fragment.indexOf(":");
  return {
    remote: address.startsWith("github.com/") ? `https://${address}` : address,
    reference: colon === -1 ? fragment : fragment.slice(0, colon),
    directory: colon === -1 ? "" : fragment.slice(colon + 1),
  };
}

export interface GitOptions {
  /** @default false */
  readonly keepGitDirectory?: boolean;
  /** Refuse any other commit. */
  readonly commit?: string | undefined;
}

/**
 * Fetches a repository into a directory of the build.
 *
 * @returns where the files are, and the commit
 */
export async function openGitContext(
  session: BuildSession,
  text: string,
  options: GitOptions = {},
): Promise<{ readonly path: string; readonly commit: string }> {
  const url = gitUrl(text);
  const shown = hideCredentials(text);
  if (url === undefined) {
    throw new InvalidArgument(`${shown} is not the address of a git repository`, {
      remedy: "write it like https://host/name.git#branch:directory",
    });
  }
  const { remote, reference, directory } = url;
  if (remote.startsWith("-") || reference.startsWith("-")) throw new InvalidArgument(`${shown} is no git address`);
  const path = await session.directory();
  const git = runner(session, path, shown);
  await git("init", "-q");
  await git("remote", "add", "origin", remote);
  await fetchReference(git, reference);
  await git("checkout", "-q", "--detach", "FETCH_HEAD");
  await git("submodule", "update", "--init", "--recursive", "--depth=1");
  const commit = (await git("rev-parse", "HEAD")).trim();
  if (options.commit !== undefined && !commit.startsWith(options.commit)) {
    throw new FailedPrecondition(`expected checksum to match ${options.commit}, got ${commit}`, {
      subject: { kind: "git", name: shown },
      remedy: "check the reference, and the commit that --checksum names",
    });
  }
  // What is kept of it becomes part of an image: no other address than the one that may be shown.
  if (options.keepGitDirectory === true) await git("remote", "set-url", "origin", hideCredentials(remote));
  else await removeTreeAway(join(path, ".git"));
  return { path: directory === "" ? path : insideOf(path, directory, shown), commit };
}

/** There is no such directory. */
const NOWHERE = "/nonexistent";

type Git = (...args: readonly string[]) => Promise<string>;

function runner(session: BuildSession, cwd: string, text: string): Git {
  const program = findGit();
  return async (...args) => {
    const { code, stdout, stderr } = await runProcess({
      file: program,
      args: ["-c", "protocol.file.allow=never", "-c", "protocol.ext.allow=never", ...args],
      cwd,
      env: {
        PATH: process.env["PATH"] ?? "/usr/bin:/bin",
        // No configuration but the one that is made here: a file of the repository must not become one.
        HOME: NOWHERE,
        XDG_CONFIG_HOME: NOWHERE,
        GIT_CONFIG_GLOBAL: "/dev/null",
        GIT_TERMINAL_PROMPT: "0",
        GIT_CONFIG_NOSYSTEM: "1",
        GIT_ALLOW_PROTOCOL: "http:https:git:ssh",
      },
      maxOutput: 16 << 20,
      signal: session.signal,
    });
    if (code === 0) return stdout.toString();
    const said = hideCredentials(stderr.toString().trim().split("\n").at(-1) ?? "");
    throw new FailedPrecondition(`git ${args[0]} of ${text} failed: ${said}`, {
      subject: { kind: "git", name: text },
      remedy: "check the address and the reference, and whether the repository is public",
    });
  };
}

/** A branch or tag alone; a commit that the server does not give by itself, out of everything. */
async function fetchReference(git: Git, reference: string): Promise<void> {
  const wanted = reference === "" ? "HEAD" : reference;
  try {
    await git("fetch", "-q", "--depth=1", "--no-tags", "origin", wanted);
  } catch (error) {
    if (!/^[0-9a-f]{7,64}$/.test(wanted)) throw error;
    await git("fetch", "-q", "--tags", "origin");
    await git("update-ref", "FETCH_HEAD", wanted);
  }
}

function insideOf(root: string, directory: string, text: string): string {
  try {
    return directoryInside(root, directory);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    throw new NotFound(`${text} has no directory ${directory}`, { cause: error });
  }
}

function findGit(): string {
  const found = findProgram("git");
  if (found !== undefined) return found;
  throw new Unsupported("building from a git repository needs git on this host", { remedy: "install git" });
}

import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hideCredentials } from "@boxship/base";
import { BuildFailure } from "../failure.ts";
import type { Repository } from "./repository.ts";

/** Runs a program to its end and collects what it prints. */
export type RunProgram = (
  program: string,
  args: readonly string[],
) => Promise<{ readonly status: number; readonly stdout: string; readonly stderr: string }>;

/** A repository's files; gone when it is disposed. */
export interface Clone extends AsyncDisposable {
  readonly directory: string;
}

/** Fetches one commit of a repository into a temporary directory. */
export async function cloneRepository(repository: Repository, run: RunProgram | undefined): Promise<Clone> {
  const shown = hideCredentials(repository.address);
  if (run === undefined) throw new BuildFailure(`${shown} is a git repository, and no programs are started here`);
  const { remote, reference, submodules } = repository;
  if (remote.startsWith("-") || reference.startsWith("-")) throw new BuildFailure(`${shown} is no git address`);
  const directory = await realpath(await mkdtemp(join(tmpdir(), "kustomize-")));
  const remove = (): Promise<void> => rm(directory, { recursive: true, force: true });
  const seconds = String(Math.ceil(repository.timeout / 1000));
  const git = async (...args: readonly string[]): Promise<void> => {
    const words = [seconds, "git", "-C", directory, "-c", "protocol.ext.allow=never", ...args];
    const { status, stderr } = await run("timeout", words);
    if (status === 0) return;
    const why = status === 124 ? `hit ${seconds}s timeout` : hideCredentials(stderr.trim());
    throw new BuildFailure(`failed to run 'git ${args.map(hideCredentials).join(" ")}': ${why}`);
  };
  try {
    await git("init", "-q");
    await git("remote", "add", "origin", remote);
    await git("fetch", "-q", "--depth=1", remote, reference === "" ? "HEAD" : reference);
    await git("checkout", "-q", "FETCH_HEAD");
    if (submodules) await git("submodule", "-q", "update", "--init", "--recursive");
  } catch (error) {
    await remove();
    throw error;
  }
  return { directory, [Symbol.asyncDispose]: remove };
}

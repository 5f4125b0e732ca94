import { join } from "node:path";
import { clusterCommand, daemonCommand, daemonFlags } from "@boxship/base/entry";
import { repositoryRoot } from "./run-program.ts";

/**
 * The program as the tests start it: the bundle that a run of all tests made from these sources and names in
 * `BOXSHIP_TEST_BUILD` (what users run, and a quarter of the time at each start), otherwise the sources themselves.
 */
function bundled(): string | undefined {
  const build = process.env["BOXSHIP_TEST_BUILD"];
  return build === undefined || build === "" ? undefined : join(build, "boxship.cjs");
}

/** Lets this process, too, start its worker threads and the commands of builds from that bundle, if there is one. */
export function startFromBundle(): void {
  const build = process.env["BOXSHIP_TEST_BUILD"];
  if (build === undefined || build === "") return;
  const file = (part: string) => join(build, `${part}.cjs`);
  Object.assign(globalThis, { [Symbol.for("boxship.bundle")]: { file } });
}

const nodeFlags = ["--disable-warning=ExperimentalWarning"];

/** This checkout's command line. Without `--` Node takes --env-file for a flag of its own. */
export function cliProgram(): readonly [string, ...string[]] {
  return [process.execPath, ...nodeFlags, "--", bundled() ?? join(repositoryRoot, "packages/cli/src/main.ts")];
}

/** What starts this checkout's daemon; append the daemon's flags. */
export function daemonProgram(): readonly [string, ...string[]] {
  const file = bundled();
  return file === undefined ? daemonCommand() : [process.execPath, ...daemonFlags, file, "daemon-process"];
}

/** What starts a cluster of this checkout; append the flags of `boxship up`. */
export function clusterProgram(): readonly [string, ...string[]] {
  const file = bundled();
  return file === undefined ? clusterCommand() : [process.execPath, ...nodeFlags, file, "cluster-process"];
}

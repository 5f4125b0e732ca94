import { join } from "node:path";
import { dockerProgram, repositoryRoot, runProgram } from "@boxship/testkit";
import type { Context } from "../context.ts";
import type { Benchmark, Side } from "../harness.ts";
import { releaseBuild } from "../release-build.ts";

const runs = 10;

/** User and system time of one start, from the shell's account of ten: the kernel counts in steps. */
async function processorTime(command: readonly string[]): Promise<number> {
  const line = command.map((word) => `'${word}'`).join(" ");
  const loop = `i=0; while [ $i -lt ${runs} ]; do ${line} >/dev/null 2>&1 || exit; i=$((i+1)); done; times`;
  const { status, stdout } = await runProgram(["bash", "-c", loop]);
  if (status !== 0) throw new Error(`${line} failed`);
  // The second line is the children's: 0m0.512s 0m0.130s
  const children = stdout.split("\n")[1] ?? "";
  const seconds = [...children.matchAll(/(\d+)m([\d.]+)s/g)].map((match) => Number(match[1]) * 60 + Number(match[2]));
  return (seconds.reduce((sum, value) => sum + value, 0) * 1000) / runs;
}

export const commandLineBenchmark: Benchmark<Context> = {
  name: "cli-start",
  title: "processor time of the command line's own start (--version)",
  unit: "ms CPU",
  rounds: 7,
  warmUp: 1,
  targets: [{ side: "boxship", atMost: 70 }],
  async prepare() {
    const sides: [string, readonly string[]][] = [];
    const release = await releaseBuild();
    const bundle = join(repositoryRoot, "dist/current/boxship.cjs");
    sides.push(["boxship", [release, "--version"]]);
    sides.push(["bundle", [process.execPath, "--disable-warning=ExperimentalWarning", bundle, "--version"]]);
    sides.push(["empty node", [process.execPath, "-e", "0"]]);
    const docker = dockerProgram();
    if (docker !== undefined) sides.push(["docker", [docker, "--version"]]);
    return sides.map(([name, command]): Side => ({ name, measure: () => processorTime(command) }));
  },
};

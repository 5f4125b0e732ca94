import { globSync, statSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot, runProgram } from "@boxship/testkit";

/** The release build, made anew where a source is newer: `bench.sh --only` does not build it. */
export async function releaseBuild(): Promise<string> {
  const executable = join(repositoryRoot, "dist/boxship");
  const built = statSync(executable, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const sources = globSync(["packages/*/{src,data}/**/*.{ts,js,json}", "scripts/build/*.ts", "package-lock.json"], {
    cwd: repositoryRoot,
  });
  const isNewer = (path: string): boolean =>
    !path.endsWith(".test.ts") && statSync(join(repositoryRoot, path)).mtimeMs > built;
  if (sources.some(isNewer)) {
    const { status, stderr } = await runProgram(["sh", join(repositoryRoot, "scripts/build.sh")]);
    if (status !== 0) throw new Error(`the release build failed: ${stderr}`);
  }
  return executable;
}

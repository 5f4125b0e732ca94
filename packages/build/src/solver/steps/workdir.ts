import { posix } from "node:path";
import { makeDirectory } from "../../files/files.ts";
import type { StageInstruction } from "../../language/index.ts";
import type { BuildSession } from "../session.ts";
import type { StageState } from "../state.ts";
import { finishLayer, withRoot } from "../working-layer.ts";
import { expander } from "./metadata.ts";
import type { Step } from "./step.ts";

/** Changes the working directory, and makes it where it does not exist. */
export function workdir(
  session: BuildSession,
  instruction: Extract<StageInstruction, { readonly kind: "workdir" | "user" | "stopsignal" | "maintainer" }>,
  state: StageState,
): Step {
  const word = expander(state, instruction, session.file.escape)(instruction.word);
  const path = absolutePath(state, word);
  return {
    key: ["WORKDIR", path],
    makesLayer: true,
    history: { classic: `WORKDIR ${path}`, buildkit: `WORKDIR ${path}` },
    apply: (before) => ({ ...before, config: { ...before.config, WorkingDir: path } }),
    run: (done) =>
      withRoot(session, state.layers, async (root) => {
        await makeDirectory(root.path, path);
        for (let above = path; above !== "/"; above = posix.dirname(above)) root.touched.push(above);
        return finishLayer(session, root, state.layers, done);
      }),
  };
}

/** A path as the stage means it: below its working directory unless it begins with a slash. A slash at the end stays. */
export function absolutePath(state: StageState, path: string): string {
  const absolute = posix.resolve("/", state.config.WorkingDir ?? "/", path);
  return absolute;
}

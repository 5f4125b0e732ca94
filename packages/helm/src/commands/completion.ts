import { completionScripts } from "@boxship/base/completion-scripts";
import { type Command, defineCommand } from "../command.ts";
import { bool } from "../flags.ts";

/** @param shell `bash`, `fish` or `zsh` */
export const completionCommand = (shell: string): Command =>
  defineCommand({
    usage: "[flags]",
    summary: `Print a script that completes helm's words in ${shell}`,
    operands: { min: 0, max: 0 },
    // Words are completed without descriptions.
    flags: { "no-descriptions": bool() },
    run({ io }) {
      io.stdout.write(completionScripts("helm")[shell] ?? "");
      return Promise.resolve();
    },
  });

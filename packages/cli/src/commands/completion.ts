import { completionScripts } from "@boxship/base/completion-scripts";
import { defineCommand } from "../command.ts";
import { Failure } from "../failure.ts";

export const command = defineCommand({
  usage: "bash|zsh|fish",
  summary: "Print a script that completes commands, flags and names in a shell",
  flags: {},
  operands: { min: 1, max: 1 },
  run(context, { operands: [shell = ""] }) {
    const scripts = completionScripts("boxship");
    const script = scripts[shell];
    if (script === undefined) {
      return Promise.reject(
        new Failure(`no completion for ${JSON.stringify(shell)}`, {
          remedy: `choose one of ${Object.keys(scripts).join(", ")}`,
        }),
      );
    }
    context.stdout.write(script);
    return Promise.resolve();
  },
});

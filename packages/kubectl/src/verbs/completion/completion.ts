import { type Command, defineCommand } from "../../command.ts";
import { Refusal, UsageRefusal } from "../../failure.ts";
import { scripts } from "./scripts.ts";

export const command: Command = defineCommand({
  usage: "SHELL",
  summary: "Output shell completion code for the specified shell (bash, zsh, fish, or powershell)",
  flags: {},
  async run(session, { operands, path }) {
    const [shell] = operands;
    if (shell === undefined) throw new UsageRefusal("Shell not specified.", path);
    if (operands.length > 1) throw new UsageRefusal("Too many arguments. Expected only the shell type.", path);
    if (shell === "powershell") throw new Refusal("kubectl completion powershell is not supported");
    const script = scripts[shell];
    if (script === undefined) throw new UsageRefusal(`Unsupported shell type ${JSON.stringify(shell)}.`, path);
    session.io.stdout.write(script);
  },
});

import { defineCommand } from "../command.ts";
import { buildContainer } from "../container-options/build-container.ts";
import { containerFlags } from "../container-options/container-flags.ts";
import { checkPullPolicy, createContainer } from "../container-options/create-container.ts";
import { withHelp } from "../container-options/status.ts";
import { print } from "../context.ts";

export const command = defineCommand({
  usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  summary: "Create a new container",
  flags: containerFlags,
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  interspersed: false,
  completes: "image",
  async run(context, { flags, changed, operands, path }) {
    const [image = "", ...args] = operands;
    const body = await withHelp(path, async () => {
      checkPullPolicy(flags.pull);
      return buildContainer(context, { flags, changed, image, args });
    });
    print(context, await createContainer(context, body, flags));
  },
});

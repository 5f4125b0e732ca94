import { defineCommand } from "../command.ts";

export const command = defineCommand({
  usage: "",
  summary: "Commands for features in alpha",
  flags: {},
  async run(session) {
    session.warn("No alpha commands are available in this version of kubectl");
  },
});

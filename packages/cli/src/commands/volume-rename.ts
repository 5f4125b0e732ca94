import { defineCommand } from "../command.ts";

export const command = defineCommand({
  usage: "VOLUME NEW_NAME",
  summary: "Rename a volume that no container has",
  flags: {},
  operands: { min: 2, max: 2 },
  completes: "volume",
  async run(context, { operands: [name = "", newName = ""] }) {
    await context.api.call("POST", `/boxship/volumes/${encodeURIComponent(name)}/rename`, { query: { name: newName } });
  },
});

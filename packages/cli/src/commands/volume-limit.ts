import { defineCommand } from "../command.ts";
import { print } from "../context.ts";

export const command = defineCommand({
  usage: "VOLUME SIZE",
  summary: "Give a volume a size limit, or a larger one",
  flags: {},
  operands: { min: 2, max: 2 },
  completes: "volume",
  async run(context, { operands: [name = "", size = ""] }) {
    await context.api.call("POST", `/boxship/volumes/${encodeURIComponent(name)}/limit`, { query: { size } });
    print(context, name);
  },
});

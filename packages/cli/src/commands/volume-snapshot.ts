import { defineCommand } from "../command.ts";
import { print } from "../context.ts";

export const command = defineCommand({
  usage: "VOLUME SNAPSHOT",
  summary: "Keep a copy of a volume's content",
  flags: {},
  operands: { min: 2, max: 2 },
  completes: "volume",
  async run(context, { operands: [name = "", snapshot = ""] }) {
    const path = `/boxship/volumes/${encodeURIComponent(name)}/snapshots`;
    await context.api.call("POST", path, { query: { name: snapshot } });
    print(context, snapshot);
  },
});

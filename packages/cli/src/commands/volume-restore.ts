import { defineCommand } from "../command.ts";

export const command = defineCommand({
  usage: "VOLUME SNAPSHOT",
  summary: "Make a volume's content what it was at the time of a snapshot",
  flags: {},
  operands: { min: 2, max: 2 },
  completes: "volume",
  async run(context, { operands: [name = "", snapshot = ""] }) {
    const [volume, of] = [encodeURIComponent(name), encodeURIComponent(snapshot)];
    await context.api.call("POST", `/boxship/volumes/${volume}/snapshots/${of}/restore`);
  },
});

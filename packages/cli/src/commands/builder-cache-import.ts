import { defineCommand } from "../command.ts";
import { archiveInput } from "../shared/archive-input.ts";

export const command = defineCommand({
  usage: "ID file|-",
  summary: "Put a tar archive in the place of what a cache mount holds",
  flags: {},
  operands: { min: 2, max: 2 },
  completes: "file",
  async run(context, { operands: [id = "", source = ""] }) {
    const stream = await archiveInput(context, source);
    await context.api.call("POST", "/boxship/build/mounts/import", { query: { id }, stream });
  },
});

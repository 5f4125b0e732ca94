import { defineCommand } from "../command.ts";
import { listName, manifestLists } from "../shared/manifest-lists.ts";

export const command = defineCommand({
  usage: "MANIFEST_LIST [MANIFEST_LIST...]",
  summary: "Delete one or more manifest lists from local storage",
  flags: {},
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  async run(context, { operands: names }) {
    const lists = await manifestLists(context);
    for (const name of names) await lists.remove(listName(name));
  },
});

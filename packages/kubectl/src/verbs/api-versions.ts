import { defineCommand } from "../command.ts";
import { Refusal } from "../failure.ts";

export const command = defineCommand({
  usage: "",
  summary: 'Print the supported API versions on the server, in the form of "group/version"',
  flags: {},
  async run(session, { operands, path }) {
    if (operands.length > 0)
      throw new Refusal(`unexpected arguments: [${operands.join(" ")}]\nSee '${path} -h' for help and examples`);
    const { groups } = (await session.mapper()).discovery;
    const all = groups.flatMap(({ group, versions }) =>
      versions.map((one) => (group === "" ? one : `${group}/${one}`)),
    );
    for (const one of all.sort()) session.print(one);
  },
});

import { defineCommand } from "../command.ts";
import { forEach } from "../failure.ts";
import { getObject } from "../request/objects.ts";
import { resolveTargets } from "../resource/targets.ts";
import { printCauses } from "../why/cause.ts";
import { Facts } from "../why/facts.ts";
import { whyObject } from "../why/why-object.ts";

export const command = defineCommand({
  usage: "TYPE/NAME [TYPE/NAME ...]",
  summary: "Tell why objects are not as they should be, and what helps",
  flags: {},
  async run(session, { operands }) {
    await forEach(await resolveTargets(session, operands, { all: false }), async (target) => {
      const object = await getObject(session, target);
      const causes = await whyObject(new Facts(session), object, target.mapping.group);
      const name = `${target.mapping.singular}/${target.name}`;
      if (causes.length === 0) session.print(`${name} is as it should be: nothing stands in its way`);
      else session.io.stdout.write(`${name} is not as it should be:\n${printCauses(causes)}`);
    });
  },
});

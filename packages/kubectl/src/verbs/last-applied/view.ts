import { parseJson } from "@boxship/api";
import { toYaml } from "@boxship/api/yaml";
import { lastAppliedText } from "../../apply-annotation.ts";
import { defineCommand } from "../../command.ts";
import { Refusal, UsageRefusal } from "../../failure.ts";
import { bool, str } from "../../flags.ts";
import { fileFlags, selectorFlag } from "../../global-flags.ts";
import { forEachObject } from "../objects-of.ts";
import { indented } from "./indented.ts";

export const command = defineCommand({
  usage: "(TYPE [NAME | -l label] | TYPE/NAME | -f FILENAME)",
  summary: "View the latest last-applied-configuration annotations of a resource/object",
  flags: { ...fileFlags, ...selectorFlag, all: bool(), output: str("yaml", { short: "o" }) },
  async run(session, { flags, operands, path }) {
    // A type alone is all of it where a namespace is named, and --all is too much then: so it is upstream.
    const { explicitNamespace } = await session.cluster();
    if (explicitNamespace && flags.all && operands.length === 1 && !operands[0]?.includes("/"))
      throw new Refusal("setting 'all' parameter but found a non empty selector. ");
    const texts: string[] = [];
    await forEachObject(session, operands, { ...flags, all: flags.all || explicitNamespace }, async ({ object }) => {
      const text = lastAppliedText(object);
      if (text !== "") texts.push(text);
    });
    for (const text of texts) {
      if (flags.output === "json") session.io.stdout.write(indented(text));
      else if (flags.output === "yaml") session.io.stdout.write(toYaml(parseJson(text)));
      else
        throw new UsageRefusal(
          `Unexpected -o output mode: ${flags.output}, the flag 'output' must be one of yaml|json`,
          path,
        );
    }
  },
});

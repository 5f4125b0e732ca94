import { defineBuildah } from "../../buildah/buildah-command.ts";
import { onWorking } from "../../buildah/working-api.ts";
import { Failure } from "../../failure.ts";

export const command = defineBuildah({
  usage: "CONTAINER NEW-NAME",
  summary: "Rename a working container",
  flags: {},
  async run(context, { operands }) {
    const [name = "", to = "", ...more] = operands;
    if (operands.length < 2 || more.length > 0)
      throw new Failure("a working container and its new name must be specified");
    await onWorking(context, "POST", name, "/rename", { query: { name: to } });
  },
});

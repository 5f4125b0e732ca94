import { defineCommand } from "../../command.ts";
import { Refusal } from "../../failure.ts";
import { splitPairs } from "../pairs.ts";
import { containersOf, patchContainers, setFlags, setOn } from "./pods.ts";

export const command = defineCommand({
  usage: "(-f FILENAME | TYPE NAME) CONTAINER_NAME_1=CONTAINER_IMAGE_1 ... CONTAINER_NAME_N=CONTAINER_IMAGE_N",
  summary: "Update the image of a pod template",
  flags: setFlags,
  async run(session, { flags, operands }) {
    const { resources, set } = splitPairs(operands, "image");
    const errors: string[] = [];
    if (resources.length === 0 && flags.filename.length === 0 && flags.kustomize === "") {
      errors.push("one or more resources must be specified as <resource> <name> or <resource>/<name>");
    }
    if (set.size === 0) errors.push("at least one image update is required");
    if (errors.length > 0) throw new Refusal(errors.length === 1 ? (errors[0] ?? "") : `[${errors.join(", ")}]`);
    await setOn(session, resources, flags, "image updated", (object) => {
      const changes = [...set].flatMap(([name, image]) => {
        const found = containersOf(object, name);
        if (found.length === 0 && name !== "*")
          throw new Refusal(`unable to find container named ${JSON.stringify(name)}`);
        return found.map((container) => ({ ...container, change: { image } }));
      });
      return patchContainers(object, changes);
    });
  },
});

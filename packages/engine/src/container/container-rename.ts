import { InvalidArgument, NotFound } from "@boxship/base";
import { type EngineContext, eventAttributes } from "../context.ts";
import { parseContainerName } from "./container-name.ts";

/** Gives a container another name; other containers find it by the new one at once. */
export async function renameContainer(context: EngineContext, ref: string, newName: string): Promise<void> {
  if (newName === "") throw new InvalidArgument("Neither old nor new names may be empty");
  const name = parseContainerName(newName);
  const { id } = context.containers.resolve(ref);
  await context.locks.run(id, async () => {
    const record = context.containers.resolve(id);
    if (record.name === name) {
      throw new InvalidArgument("Renaming a container with the same name as its current name", {
        subject: { kind: "container", name },
      });
    }
    context.containers.reserveName(name, id);
    const renamed = { ...record, name };
    try {
      await context.containers.save(renamed);
    } catch (error) {
      context.containers.releaseName(name, id);
      throw error;
    }
    context.containers.releaseName(record.name, id);
    try {
      await context.network.renameSandbox(id, name);
    } catch (error) {
      // Only a container that runs has a sandbox; the others take their name with them when they start.
      if (!(error instanceof NotFound)) throw error;
    }
    context.events.publish("container", "rename", id, { ...eventAttributes(renamed), oldName: `/${record.name}` });
  });
}

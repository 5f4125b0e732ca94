import { type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import type { Session } from "../session.ts";
import { heading, marks } from "./config.ts";
import { writeEvents } from "./events.ts";
import { longTime } from "./lines.ts";

/** Drivers of storage that a node has. */
export async function describeStorageNode(session: Session, object: KubeObject): Promise<string> {
  const lines = heading(object, false);
  marks(lines, object);
  lines.raw(`CreationTimestamp:\t${longTime(textAt(object, "metadata", "creationTimestamp"))}\nSpec:\n`);
  const drivers = listAt(object, "spec", "drivers");
  if (drivers.length > 0) lines.add(1, "Drivers:");
  for (const driver of drivers) {
    lines.add(2, `${textAt(driver, "name")}:`);
    lines.add(3, `Node ID:\t${textAt(driver, "nodeID")}`);
    const count = textAt(driver, "allocatable", "count");
    if (count !== "") {
      lines.add(3, "Allocatables:");
      lines.add(4, `Count:\t${count}`);
    }
    const keys = listAt(driver, "topologyKeys").map((one) => textAt(one));
    if (Array.isArray(valueAt(driver, "topologyKeys"))) lines.add(3, `Topology Keys:\t[${keys.join(" ")}]`);
  }
  await writeEvents(session, object, lines);
  return lines.text;
}

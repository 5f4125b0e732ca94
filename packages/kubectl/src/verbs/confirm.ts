import { createInterface } from "node:readline";
import type { ObjectPlace } from "../request/objects.ts";
import type { Session } from "../session.ts";

/** Asks whether objects may go. */
export async function confirmed(session: Session, places: readonly ObjectPlace[]): Promise<boolean> {
  session.print(`You are about to delete the following ${places.length} resource(s):`);
  for (const { mapping, name } of places)
    session.print(`${mapping.kind.toLowerCase()}${mapping.group === "" ? "" : `.${mapping.group}`}/${name}`);
  session.io.stdout.write("Do you want to continue? (y/N): ");
  for await (const line of createInterface({ input: session.io.stdin })) {
    if (/^y(es)?$/i.test(line.trim())) return true;
    break;
  }
  session.print("deletion is cancelled");
  return false;
}
